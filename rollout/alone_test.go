package rollout_test

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout"
)

// beginBy begins a rollout by a strategy of a type, or by the way back.
func (b *bench) beginBy(kind rollout.Kind, strategy string, release int) rollout.Rollout {
	b.t.Helper()
	r, err := b.engine.Begin(b.t.Context(), rollout.Beginning{
		Site: site, Release: release, Digest: fairlead.DigestOf([]byte{byte(release)}), Kind: kind, By: admin,
		Environment: fairlead.Environment{Name: "production", Replicas: 1, Strategy: fairlead.Strategy{
			Type: strategy, Alpha: 1.0 / 300, Beta: 1.0 / 20, Tolerance: 1, Margin: fairlead.Margin{Ratio: 2, Absolute: 0.01}, Steps: []fairlead.Percent{50}, MaxStep: fairlead.Duration(time.Minute), RollbackWindow: fairlead.Duration(time.Minute),
		}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// demandAlone demands that no instance may start beside one of another release, now
// and after the control plane has started again.
func (b *bench) demandAlone(when string, want bool) {
	b.t.Helper()
	for _, then := range []string{"", ", after a restart"} {
		live := b.engine.Sites()[0].Live
		r := b.find(live.Rollout)
		if live.Exclusive != want || rollout.LimitOf(live, &r).Alone != want {
			b.t.Errorf("%s%s: alone is %t, and its starts are: %t; want %t", when, then, live.Exclusive, rollout.LimitOf(live, &r).Alone, want)
		}
		b.restart()
	}
}

// fail has somebody abort a rollout before its release has traffic, and waits for its
// end.
func (b *bench) fail(r rollout.Rollout) {
	b.t.Helper()
	if _, err := b.engine.Act(b.t.Context(), site, rollout.Ask{Command: rollout.Abort}, admin); err != nil {
		b.t.Fatal(err)
	}
	for range 100 {
		if r = b.find(r.ID); ended(r) {
			break
		}
		b.now = b.now.Add(time.Second)
		b.feed(r.ID, rollout.Input{Cleared: true, Applied: r.Epoch})
	}
	if got := b.find(r.ID); !ended(got) || got.Outcome == rollout.Promoted {
		b.t.Fatalf("it ended as %q in phase %s: %+v", got.Outcome, got.Phase, got.Notes)
	}
}

func (b *bench) replace(release int) {
	b.t.Helper()
	r := b.beginBy(rollout.Forward, fairlead.Replace, release)
	for range 100 {
		if r = b.find(r.ID); r.Outcome == rollout.Promoted {
			return
		}
		b.now = b.now.Add(time.Second)
		b.feed(r.ID, rollout.Input{Cleared: true, Applied: r.Epoch})
	}
	b.t.Fatalf("it did not take its place: phase %s, %+v", r.Phase, r.Notes)
}

func TestASiteThatMustBeAloneStaysSoWhenARolloutFails(t *testing.T) {
	b := newBench(t)
	b.first()
	b.demandAlone("before any replacement", false)
	b.fail(b.beginBy(rollout.Forward, fairlead.Replace, 2))
	b.demandAlone("when the first that replaces has failed, of which an instance may still end", true)
	b.replace(3)
	b.demandAlone("when one that replaces is live", true)
	b.fail(b.beginBy(rollout.Forward, fairlead.Canary, 4))
	b.demandAlone("when a canary after it has failed", true)
	next := b.beginBy(rollout.Forward, fairlead.Canary, 5)
	if !next.Replaces() {
		t.Error("a canary runs beside a release that must be alone, for one before it failed")
	}
}
