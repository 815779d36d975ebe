package client

import (
	"testing"

	"github.com/fairlead/fairlead/workload"
)

func TestHealthCountsWhatHasTrafficOrIsToGetIt(t *testing.T) {
	at := func(release int, state workload.State, restarts int) workload.Status {
		return workload.Status{Release: release, State: state, Restarts: restarts}
	}
	site := Site{
		Stable: 2, Wanted: map[int]int{2: 2, 3: 1}, Rollout: &Rollout{From: 2, To: 3, Phase: "stepping"},
		Instances: []workload.Status{
			at(2, workload.Ready, 0), at(2, workload.Backoff, 3), at(3, workload.Ready, 1),
			at(3, workload.Stopping, 9), at(1, workload.Ready, 9),
		},
	}
	if got, want := site.Health(), (Health{Ready: 2, Wanted: 3, Restarts: 4}); got != want {
		t.Errorf("while a rollout moves: %+v, want %+v", got, want)
	}
	site.Rollout.Phase, site.Rollout.Outcome, site.Wanted = "ended", RolledBack, map[int]int{2: 2}
	if got, want := site.Health(), (Health{Ready: 1, Wanted: 2, Restarts: 3}); got != want {
		t.Errorf("after it went back: %+v, want %+v", got, want)
	}
	site.Wanted = nil
	if got := site.Health().Wanted; got != 2 {
		t.Errorf("where it is not said how many there should be: %d, want those that there are", got)
	}
}
