package rollout

import (
	"slices"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
)

func TestTheWeightOfANewReleaseOnlyGrows(t *testing.T) {
	holdback := fairlead.Percent(5)
	for _, c := range []struct {
		name     string
		strategy fairlead.Strategy
		replicas int
	}{
		{"steps beyond the holdback", fairlead.Strategy{Type: fairlead.Canary, Steps: []fairlead.Percent{50, 95, 99}}, 1},
		{"only a step beyond the holdback", fairlead.Strategy{Type: fairlead.Canary, Steps: []fairlead.Percent{99}}, 1},
		{"one of many replicas on the old release", fairlead.Strategy{Type: fairlead.Rolling}, 100},
		{"all at once", fairlead.Strategy{Type: fairlead.BlueGreen}, 3},
	} {
		c.strategy.Holdback = &holdback
		weights := stepWeights(c.strategy, c.replicas, 1, Forward)
		if !slices.IsSorted(weights) || weights[len(weights)-1] != fairlead.Whole-holdback.Weight() || len(weights) < 2 {
			t.Errorf("%s: weights %v, want growing ones that end at 95 %%", c.name, weights)
		}
	}
}

func TestAnAdaptiveStepNeverExceedsThePromotion(t *testing.T) {
	r := Rollout{Step: 1, Weight: 5000, Weights: []fairlead.Weight{5000, 9500},
		Strategy: fairlead.Strategy{Adaptive: &fairlead.Adaptive{First: 5, Most: 99}}}
	grow(&r, time.Second)
	if !slices.Equal(r.Weights, []fairlead.Weight{5000, 9500}) {
		t.Errorf("weights %v, want the promotion next", r.Weights)
	}
}
