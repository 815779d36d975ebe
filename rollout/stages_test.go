package rollout

import (
	"maps"
	"testing"

	"github.com/fairlead/fairlead"
)

// most returns the most instances of both releases at once, and of each.
func most(stages []Want, old, new int) (both, olds, news int) {
	for _, w := range stages {
		both, olds, news = max(both, w[old]+w[new]), max(olds, w[old]), max(news, w[new])
	}
	return both, olds, news
}

func TestStagesGoFromTheOldReleaseToTheNewOneByTheWayOfTheirStrategy(t *testing.T) {
	for name, c := range map[string]struct {
		strategy fairlead.Strategy
		both     int
	}{
		"canary":     {fairlead.Strategy{Type: fairlead.Canary, Steps: []fairlead.Percent{10, 50}, RollbackWindow: 1}, 8},
		"blue-green": {fairlead.Strategy{Type: fairlead.BlueGreen, RollbackWindow: 1}, 8},
		"rolling":    {fairlead.Strategy{Type: fairlead.Rolling, RollbackWindow: 1}, 5},
	} {
		live := Live{Site: fairlead.Site{App: "a", Env: "e"}, Stable: 1, Replicas: 4}
		stages := StagesOf(Beginning{
			Site: live.Site, Release: 2, Kind: Forward,
			Environment: fairlead.Environment{Name: "e", Replicas: 4, Strategy: c.strategy},
		}, live)
		both, olds, news := most(stages, 1, 2)
		if both != c.both || olds != 4 || news != 4 {
			t.Errorf("%s: at most %d at once, %d of the old and %d of the new release: %v", name, both, olds, news, stages)
		}
		if last := stages[len(stages)-1]; !maps.Equal(last, Want{2: 4}) {
			t.Errorf("%s ends with %v", name, last)
		}
	}
}

func TestAFirstReleaseAndTheSameOneHaveOneStage(t *testing.T) {
	site := fairlead.Site{App: "a", Env: "e"}
	b := Beginning{Site: site, Release: 1, Kind: Forward, Environment: fairlead.Environment{Name: "e", Replicas: 3, Strategy: fairlead.Strategy{Type: fairlead.Canary}}}
	if both, _, news := most(StagesOf(b, Live{Site: site}), 0, 1); both != 3 || news != 3 {
		t.Errorf("first: %d, %d", both, news)
	}
	again := StagesOf(b, Live{Site: site, Stable: 1, Replicas: 2})
	if len(again) != 1 || !maps.Equal(again[0], Want{1: 3}) {
		t.Errorf("again: %v", again)
	}
}

func TestAnEndedRolloutHasOneStage(t *testing.T) {
	live := Live{Stable: 2, Replicas: 3}
	if s := Stages(live, &Rollout{Phase: Ended}); len(s) != 1 || !maps.Equal(s[0], Want{2: 3}) {
		t.Errorf("%v", s)
	}
}
