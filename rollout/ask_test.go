package rollout_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout"
)

func (b *bench) state(id string) rollout.State {
	b.t.Helper()
	s, err := b.engine.Find(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// newest returns the id of the site's newest rollout.
func (b *bench) newest() string { return b.engine.Sites()[0].Rollout.ID }

// TestWhatIsPossibleIsWhatTheEngineDoes asks for everything in every phase, and compares
// what was said to be possible with what became of it.
func TestWhatIsPossibleIsWhatTheEngineDoes(t *testing.T) {
	all := []rollout.Command{rollout.Pause, rollout.Resume, rollout.Abort, rollout.Rollback}
	reach := map[string]func(b *bench) string{
		"waiting for gates": func(b *bench) string { return b.begin(2).ID },
		"taking traffic": func(b *bench) string {
			id := b.begin(2).ID
			b.feed(id, rollout.Input{})
			b.feed(id, rollout.Input{})
			b.second(id, 0.005, 0.005)
			return id
		},
		"paused": func(b *bench) string {
			id := b.begin(2).ID
			b.feed(id, rollout.Input{})
			b.feed(id, rollout.Input{})
			if _, err := b.engine.Act(b.t.Context(), site, rollout.Ask{Command: rollout.Pause}, admin); err != nil {
				b.t.Fatal(err)
			}
			return id
		},
		"watched": func(b *bench) string {
			return b.until(b.begin(2).ID, 0.005, 0.005, func(r rollout.Rollout) bool { return r.Phase == rollout.Watching }).ID
		},
		"going back": func(b *bench) string {
			id := b.begin(2).ID
			b.feed(id, rollout.Input{})
			b.feed(id, rollout.Input{})
			if _, err := b.engine.Act(b.t.Context(), site, rollout.Ask{Command: rollout.Abort}, admin); err != nil {
				b.t.Fatal(err)
			}
			return id
		},
		"coming back": func(b *bench) string {
			b.until(b.begin(2).ID, 0.005, 0.005, func(r rollout.Rollout) bool { return r.Phase == rollout.Watching })
			b.ready = 0
			return b.beginAs(rollout.Back, 1).ID
		},
	}
	for phase, way := range reach {
		for _, c := range all {
			b := newBench(t)
			b.first()
			id := way(b)
			before := b.state(id)
			said := slices.Contains(before.Possible(), c)
			if said && before.Consequence(c) == "" {
				t.Errorf("%s while %s has no consequence in words", c, phase)
			}
			after, err := b.engine.Act(t.Context(), site, rollout.Ask{Command: c, Why: "system:test"}, admin)
			did := err == nil && len(after.Notes) > len(before.Rollout.Notes)
			if said != did {
				t.Errorf("%s while %s: said to be possible %v, done %v (%v)", c, phase, said, did, err)
			}
		}
	}
}

func TestNothingIsPossibleWithARolloutThatAnotherCameAfter(t *testing.T) {
	b := newBench(t)
	b.first()
	first := b.newest()
	b.begin(2)
	if got := b.state(first).Possible(); len(got) != 0 {
		t.Errorf("possible: %v", got)
	}
}

func TestAnAskThatMeansAnotherRolloutIsAConflict(t *testing.T) {
	b := newBench(t)
	b.first()
	first := b.newest()
	b.begin(2)
	_, err := b.engine.Act(t.Context(), site, rollout.Ask{Command: rollout.Abort, Rollout: first}, admin)
	if fairlead.CodeOf(err) != fairlead.Conflict || fairlead.HintOf(err) == "" {
		t.Errorf("aborting a rollout that has been followed by another: %v", err)
	}
	_, err = b.engine.Act(t.Context(), site, rollout.Ask{Command: rollout.Rollback, To: 7}, admin)
	if fairlead.CodeOf(err) != fairlead.Conflict {
		t.Errorf("rolling back to a release that a rollback would not bring: %v", err)
	}
}

func TestARollbackToAReleaseThatHasTheTrafficAgainDoesNothing(t *testing.T) {
	b := newBench(t)
	b.first()
	id := b.begin(2).ID
	b.feed(id, rollout.Input{})
	b.feed(id, rollout.Input{})
	ask := rollout.Ask{Command: rollout.Rollback, Rollout: id, To: 1}
	for range 2 { // a person who presses twice
		if r, err := b.engine.Act(t.Context(), site, ask, admin); err != nil || r.Outcome != rollout.RolledBack {
			t.Fatalf("rolled back: %q, %v", r.Outcome, err)
		}
	}
	b.feed(id, rollout.Input{Applied: b.find(id).Epoch})
	r, err := b.engine.Act(t.Context(), site, ask, admin)
	if err != nil || r.ID != id || r.Phase != rollout.Ended {
		t.Errorf("asked once more after the end: %s is %s, %v", r.ID, r.Phase, err)
	}
	if n := len(slices.DeleteFunc(r.Notes, func(n rollout.Note) bool { return !strings.Contains(n.Text, "stopped by a person") })); n != 1 {
		t.Errorf("it was stopped %d times", n)
	}
}

func TestNeedsSaysWhoMustActAndWhy(t *testing.T) {
	for held, want := range map[string]string{
		"": "", rollout.HeldPaused: "an operator must resume or abort: paused",
		rollout.HeldMismatch:        "an operator must explain and resume, or abort: share mismatch",
		rollout.HeldGuard + "queue": "an operator must resume or abort, unless guard queue gets good again",
		rollout.HeldHarm:            "an operator must decide whether to roll back: harm seen",
		rollout.HeldInconclusive:    "an operator must resume or abort: inconclusive",
	} {
		if got := (rollout.State{Rollout: &rollout.Rollout{Phase: rollout.Stepping, Held: held}}).Needs(); got != want {
			t.Errorf("held %q: %q, want %q", held, got, want)
		}
	}
}
