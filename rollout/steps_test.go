package rollout

import (
	"slices"
	"testing"

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
		weights := stepWeights(c.strategy, c.replicas, 1, Forward, false)
		if !slices.IsSorted(weights) || weights[len(weights)-1] != fairlead.Whole-holdback.Weight() || len(weights) < 2 {
			t.Errorf("%s: weights %v, want growing ones that end at 95 %%", c.name, weights)
		}
	}
}

func TestAnAdaptiveStepNeverExceedsThePromotion(t *testing.T) {
	r := Rollout{Step: 1, Weight: 5000, Weights: []fairlead.Weight{5000, 9500},
		Strategy: fairlead.Strategy{Adaptive: &fairlead.Adaptive{First: 5, Most: 99}}}
	grow(&r, 0.01)
	if !slices.Equal(r.Weights, []fairlead.Weight{5000, 9500}) {
		t.Errorf("weights %v, want the promotion next", r.Weights)
	}
}

func TestAnAdaptiveShareFollowsWhatTheEvidenceExcludes(t *testing.T) {
	for _, c := range []struct {
		name        string
		first, most fairlead.Percent
		weight      fairlead.Weight
		bound       float64 // not excluded
		want        fairlead.Weight
	}{
		{"nothing is excluded", 5, 50, 500, 1, 0},
		{"less than twice is not worth a step", 5, 50, 500, 0.6, 0},
		{"a quarter is excluded", 5, 50, 500, 0.25, 2000},
		{"a tenth", 5, 50, 500, 0.1, 5000},
		{"never beyond the file's bound", 5, 30, 500, 0.01, 3000},
		{"the same bound again earns nothing", 5, 50, 2000, 0.25, 0},
		{"a finer one does", 5, 50, 2000, 0.1, 5000},
		{"the last partial share has been reached", 5, 50, 5000, 0.01, 0},
		{"a tiny beginning grows in several steps", 0.1, 50, 10, 0.1, 100},
		{"a first share beyond the bound", 50, 20, 5000, 0.01, 0},
	} {
		r := Rollout{Step: 1, Weight: c.weight, Weights: []fairlead.Weight{c.weight, 9500},
			Strategy: fairlead.Strategy{Adaptive: &fairlead.Adaptive{First: c.first, Most: c.most}}}
		want := []fairlead.Weight{c.weight, 9500}
		if c.want > 0 {
			want = []fairlead.Weight{c.weight, c.want, 9500}
		}
		if grow(&r, c.bound); !slices.Equal(r.Weights, want) {
			t.Errorf("%s: the weights are %v, want %v", c.name, r.Weights, want)
		}
	}
}

func TestAFallbackGivesNoReleaseMoreThanItsReadyInstancesCarryOrItHasAlready(t *testing.T) {
	at := func(kind string, outcome Outcome, weight fairlead.Weight) Rollout {
		return Rollout{Strategy: fairlead.Strategy{Type: kind}, Outcome: outcome, Weight: weight, Replicas: 4, OldReplicas: 4}
	}
	for _, c := range []struct {
		name     string
		r        Rollout
		old, new int
		want     fairlead.Weight
	}{
		{"the old release is whole", at(fairlead.Canary, "", 5000), 4, 2, 0},
		{"half of the old release is ready", at(fairlead.Canary, "", 7500), 2, 4, 5000},
		{"half of the old release is ready, and it has more already", at(fairlead.Canary, "", 500), 2, 4, 500},
		{"nothing of the old release is ready", at(fairlead.BlueGreen, "", 5000), 0, 4, 5000},
		{"a rolling rollout freezes", at(fairlead.Rolling, "", 2500), 3, 1, 2500},
		{"a promoted release is whole", at(fairlead.Canary, Promoted, 9500), 4, 4, fairlead.Whole},
		{"a promoted rolling release is whole", at(fairlead.Rolling, Promoted, 9500), 1, 4, fairlead.Whole},
		{"a promoted release lost instances", at(fairlead.Canary, Promoted, 9500), 4, 3, 9500},
	} {
		if got := Fallback(c.r, c.old, c.new); got != c.want {
			t.Errorf("%s: fallback %s, want %s", c.name, got, c.want)
		}
	}
}
