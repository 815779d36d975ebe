package rollout

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// mirroredState is a rollout whose first step is made of copies.
func mirroredState(phase Phase, weight fairlead.Weight) State {
	holdback := fairlead.Percent(5)
	site := fairlead.Site{App: "triage", Env: "production"}
	r := Rollout{
		ID: "r1", Site: site, Kind: Forward, From: 1, To: 2, Replicas: 4, OldReplicas: 4, Phase: phase, Step: 1, Epoch: 1, Weight: weight,
		Weights: []fairlead.Weight{0, 1000, 9500}, FirstTraffic: time.Unix(1_700_000_000, 0),
		Strategy: fairlead.Strategy{Type: fairlead.Canary, Holdback: &holdback, Mirror: &fairlead.Mirror{Share: 10, Methods: []string{"GET"}}},
	}
	return State{Live: Live{Site: site, Stable: 1, Replicas: 4}, Rollout: &r}
}

func TestCopiesAreLeasedAndEndWhenTheRolloutGoesBack(t *testing.T) {
	releases := map[int]fairlead.Release{1: {Number: 1}, 2: {Number: 2}}
	have := []workload.Status{
		{ID: "old", Site: fairlead.Site{App: "triage", Env: "production"}, Release: 1, State: workload.Ready},
		{ID: "new", Site: fairlead.Site{App: "triage", Env: "production"}, Release: 2, State: workload.Ready},
	}
	stays := func(string) bool { return false }
	for _, c := range []struct {
		name   string
		state  State
		change func(*Rollout)
		copies bool
	}{
		{"in a step of copies", mirroredState(Stepping, 0), nil, true},
		{"between the first steps", mirroredState(Starting, 0), nil, true},
		{"beside a partial step", mirroredState(Stepping, 1000), nil, true},
		{"while a person holds it", mirroredState(Stepping, 0), func(r *Rollout) { r.Held = HeldPaused }, true},
		{"on the way back", mirroredState(Returning, 0), nil, false},
		{"after the lease ran out", mirroredState(Stepping, 0), func(r *Rollout) { r.Held = HeldLease }, false},
		{"without the strategy", mirroredState(Stepping, 1000), func(r *Rollout) { r.Strategy.Mirror = nil }, false},
	} {
		if c.change != nil {
			c.change(c.state.Rollout)
		}
		route, ok := RouteOf(c.state, releases, have, stays)
		if !ok || route.Split == nil {
			t.Fatalf("%s: no split", c.name)
		}
		if got := route.Split.Mirror != nil; got != c.copies {
			t.Errorf("%s: copies go: %t", c.name, got)
		}
		if c.copies && (route.Split.Lease.TTL <= 0 || route.Split.Lease.Fallback > route.Split.Weight) {
			t.Errorf("%s: the lease is %+v", c.name, route.Split.Lease)
		}
	}
}

func TestInstancesForCopiesAreReadyFirst(t *testing.T) {
	state := mirroredState(Starting, 0)
	state.Rollout.Strategy.Mirror.Share = 60
	if got := Desire(state.Live, state.Rollout)[2]; got != 3 {
		t.Errorf("%d of 4 instances are wanted for copies of 60 %% of the requests, want 3", got)
	}
	state.Rollout.Strategy.Mirror = nil
	if got := Desire(state.Live, state.Rollout)[2]; got != 1 {
		t.Errorf("%d instances are wanted for no requests, want 1", got)
	}
}
