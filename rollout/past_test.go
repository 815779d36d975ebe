package rollout_test

import (
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout"
)

func TestRolloutsThatEndedLongAgoAreFound(t *testing.T) {
	b := newBench(t)
	b.first()
	back := b.begin(2).ID
	b.until(back, 0.005, 0.3, ended)
	again := b.begin(2).ID
	b.until(again, 0.005, 0.005, ended)
	b.begin(12) // whose key begins with that of another release, but for its zeroes
	for range 2 {
		if got := b.find(back); got.Outcome != rollout.RolledBack {
			t.Errorf("the first rollout of release 2 is %q, want rolled back", got.Outcome)
		}
		past, err := b.engine.History(t.Context(), site.App, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(past) != 2 || past[0].ID != back || past[1].ID != again {
			t.Errorf("release 2 has the rollouts %+v, want %s and %s", past, back, again)
		}
		b.restart()
	}
	if _, err := b.engine.Find(t.Context(), "ro-"); fairlead.CodeOf(err) != fairlead.NotFound {
		t.Errorf("the beginning of an id finds %v, want not_found", err)
	}
}
