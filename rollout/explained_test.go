package rollout_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout"
)

func TestAMismatchOfSharesHoldsUntilAPersonExplainsIt(t *testing.T) {
	b := newBench(t)
	b.first()
	id := b.begin(2).ID
	b.feed(id, rollout.Input{})
	b.skew = -0.2
	b.until(id, 0.005, 0.005, func(r rollout.Rollout) bool { return r.Held == rollout.HeldMismatch })
	for range 200 { // time in which the same release is promoted otherwise
		b.second(id, 0.005, 0.005)
	}
	if r := b.find(id); r.Step != 1 || r.Outcome != "" {
		t.Fatalf("with a mismatch nobody explained it came to step %d, %q", r.Step, r.Outcome)
	}

	_, err := b.engine.Act(t.Context(), site, rollout.Ask{Command: rollout.Resume}, admin)
	if fairlead.CodeOf(err) != fairlead.Invalid {
		t.Errorf("resumed without a reason: %v, want that one is asked for", err)
	}
	if _, err := b.engine.Act(t.Context(), site, rollout.Ask{Command: rollout.Resume, Why: "system:a crawler keeps to the old release"}, admin); err != nil {
		t.Fatal(err)
	}
	b.restart()
	r := b.until(id, 0.005, 0.005, func(r rollout.Rollout) bool { return r.Held != "" || r.Step > 1 })
	if r.Held != "" {
		t.Errorf("held again by the mismatch that was explained: %s", r.Held)
	}
	if !slices.ContainsFunc(r.Notes, func(n rollout.Note) bool {
		return strings.Contains(n.Text, "explained") && n.Why == "system:a crawler keeps to the old release"
	}) {
		t.Errorf("the story does not say what was explained: %+v", r.Notes)
	}
	result, err := rollout.Replay(t.Context(), b.store)
	if err != nil || result.Difference != "" {
		t.Errorf("replay: %v %s", err, result.Difference)
	}
}

func TestHarmGoesBackAlsoUnderAMismatchOfShares(t *testing.T) {
	b := newBench(t)
	b.first()
	id := b.begin(2).ID
	b.feed(id, rollout.Input{})
	b.skew = -0.2
	b.until(id, 0.005, 0.005, func(r rollout.Rollout) bool { return r.Held == rollout.HeldMismatch })
	if r := b.until(id, 0.005, 0.2, ended); r.Outcome != rollout.RolledBack {
		t.Errorf("outcome %q, want rolled back", r.Outcome)
	}
}

func TestAStepWithoutTrafficSaysSoOnceAndReplays(t *testing.T) {
	b := newBench(t)
	b.first()
	id := b.begin(2).ID
	for range 180 {
		b.now = b.now.Add(1e9)
		b.feed(id, rollout.Input{Applied: b.find(id).Epoch})
	}
	told := 0
	for _, note := range b.find(id).Notes {
		if strings.Contains(note.Text, "no request has come") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("it is said %d times that no request comes, want once: %v", told, b.find(id).Notes)
	}
	result, err := rollout.Replay(t.Context(), b.store)
	if err != nil || result.Difference != "" {
		t.Errorf("replay: %v %s", err, result.Difference)
	}
}

func TestAMachineThatCannotStartAPromotedReleaseRollsNothingBackAndIsReplayed(t *testing.T) {
	b := newBench(t)
	b.first()
	id := b.begin(2).ID
	b.feed(id, rollout.Input{})
	r := b.until(id, 0.005, 0.005, func(r rollout.Rollout) bool { return r.Phase == rollout.Watching })
	b.feed(id, rollout.Input{New: rollout.Group{Unable: "no container engine answers"}})
	if r = b.find(id); r.Held != rollout.HeldMachine || r.Phase != rollout.Watching || r.Outcome != rollout.Promoted {
		t.Errorf("it is %s, held: %q, outcome %q", r.Phase, r.Held, r.Outcome)
	}
	b.restart()
	b.feed(id, rollout.Input{New: rollout.Group{Ready: 1}})
	if r = b.find(id); r.Held != "" || r.Phase != rollout.Watching {
		t.Errorf("when the machine is mended it is %s, held: %q", r.Phase, r.Held)
	}
	result, err := rollout.Replay(t.Context(), b.store)
	if err != nil || result.Difference != "" {
		t.Errorf("replay: %v %s", err, result.Difference)
	}
}
