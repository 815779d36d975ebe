package rollout

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// Restarts that happen while no control plane is there are evidence, those from
// before the rollout are not, and each counts once.
func TestCountersGoOnFromWhatWasRecorded(t *testing.T) {
	began := time.Unix(1_700_000_000, 0)
	at := func(s int) time.Time { return began.Add(time.Duration(s) * time.Second) }
	instance := func(id string, release, restarts int, started time.Time) workload.Status {
		return workload.Status{ID: id, Release: release, State: workload.Ready, Restarts: restarts, Started: started}
	}
	r := Rollout{From: 1, To: 2, Began: began}
	here := func(old, canary int) []workload.Status {
		return []workload.Status{instance("old", 1, old, at(-100)), instance("canary", 2, canary, at(1))}
	}

	first := newCounters(State{Rollout: &r}, here(3, 1))
	first.update(at(10), here(3, 1))
	if first.of(1).Restarts != 0 || first.of(2).Restarts != 1 {
		t.Fatalf("before anything was recorded: old %+v, new %+v", first.of(1), first.of(2))
	}
	first.update(at(20), here(4, 1))
	recorded := State{Rollout: &r, Old: first.of(1), New: first.of(2), Ends: first.ends(here(4, 1)), Counted: at(20)}

	late := append(here(4, 3), instance("late", 2, 1, at(50))) // the control plane was dead from 20 to 60
	next := newCounters(recorded, late)
	next.update(at(60), late)
	if o, n := next.of(1), next.of(2); o.Restarts != 1 || n.Restarts != 4 || o.Seconds != 10+40 || n.Seconds != 10+40+10 {
		t.Errorf("old %+v, new %+v", o, n)
	}
	next.update(at(61), late)
	if next.of(2).Restarts != 4 {
		t.Errorf("counted twice: %+v", next.of(2))
	}
}

// A person's command says nothing of the instances: what they did before the rollout
// is no evidence in it, also when the command is the first thing that is recorded.
func TestACommandCountsNoRestarts(t *testing.T) {
	began := time.Unix(1_700_000_000, 0)
	m := NewMachine(Rollout{ID: "ro", From: 2, To: 1, Kind: Back, Phase: Starting, Step: 1, Weights: []fairlead.Weight{fairlead.Whole}, Began: began})
	if d, _, err := m.Take(Input{Now: began.Add(time.Second), Command: Pause}); err != nil || d.Kind == "" {
		t.Fatalf("pause: %+v, %v", d, err)
	}
	engine := Engine{machines: map[string]*Machine{"ro": m}}
	state, err := engine.Find(t.Context(), "ro")
	if err != nil {
		t.Fatal(err)
	}
	here := []workload.Status{{ID: "before", Release: 1, State: workload.Ready, Restarts: 3, Started: began.Add(-time.Hour)}}
	c := newCounters(state, here)
	c.update(began.Add(2*time.Second), here)
	if got := c.of(1).Restarts; got != 0 {
		t.Errorf("%d restarts from before the rollout count in it", got)
	}
}
