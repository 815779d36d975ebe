package gateway

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead"
)

func TestAUnitMovesAtMostOnceAsTheWeightGrows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := newKeyring(rapid.SliceOfN(rapid.Byte(), 16, 32).Draw(t, "salt"))
		unit := rapid.String().Draw(t, "unit")
		moved := false
		for w := fairlead.Weight(0); w <= fairlead.Whole; w += fairlead.Weight(rapid.IntRange(1, 2000).Draw(t, "more")) {
			now := keys.onCanary(unit, w)
			if moved && !now {
				t.Fatalf("%q came back at %s", unit, w)
			}
			moved = now
		}
		if keys.onCanary(unit, 0) || !keys.onCanary(unit, fairlead.Whole) {
			t.Fatal("none and all are not none and all")
		}
	})
}

func TestTheShareOfUnitsIsTheWeight(t *testing.T) {
	keys := newKeyring([]byte("0123456789abcdef"))
	const n = 40_000
	count := 0
	for i := range n {
		if keys.onCanary(fmt.Sprint(i), 2500) {
			count++
		}
	}
	if share := float64(count) / n; math.Abs(share-0.25) > 0.01 { // four standard deviations are 0.009
		t.Errorf("share %.3f at a weight of 25 %%", share)
	}
}

func testRoute(weight fairlead.Weight, epoch uint32) *route {
	s := Snapshot{Format: 1, Routes: []Route{{
		Site: fairlead.Site{App: "a", Env: "p"}, Host: "a", PathPrefix: "/",
		Assignment: fairlead.Assignment{By: fairlead.ByRun}, RunLimit: fairlead.Duration(time.Minute),
		Stable: Backend{Release: 1},
		Split:  &Split{Rollout: "r", Salt: []byte("0123456789abcdef"), Epoch: epoch, Weight: weight, Canary: Backend{Release: 2}},
	}}}
	return newTable(&s, nil, newRegistry()).sites[fairlead.Site{App: "a", Env: "p"}]
}

// withRuns returns r with the memory of old.
func withRuns(r, old *route) *route { r.runs = old.runs; return r }

func TestARunStaysWhereItWasBornAndCountsOnlyInItsEpoch(t *testing.T) {
	now := time.Now()
	before := testRoute(0, 1)
	if at := before.placeRun("run", now); at.release != 1 || !at.counted {
		t.Fatalf("born at %+v", at)
	}
	after := withRuns(testRoute(fairlead.Whole, 2), before)
	if at := after.placeRun("run", now.Add(time.Second)); at.release != 1 || at.counted {
		t.Errorf("an old run is at %+v", at)
	}
	if at := after.placeRun("new", now); at.release != 2 || !at.canary || !at.counted {
		t.Errorf("a new run is at %+v", at)
	}
	if at := after.placeRun("run", now.Add(time.Hour)); at.release != 2 {
		t.Errorf("an idle run was kept: %+v", at)
	}
}

func TestARunOnAReleaseThatLeftStaysForTheRunLimit(t *testing.T) {
	now := time.Now()
	before := testRoute(fairlead.Whole, 1)
	before.placeRun("run", now)
	rolledBack := withRuns(testRoute(0, 2), before)
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{0, 2}, {50 * time.Second, 2}, {61 * time.Second, 1}, {62 * time.Second, 1}} {
		if at := rolledBack.placeRun("run", now.Add(c.after)); at.release != c.want {
			t.Errorf("after %s the run is on release %d, want %d", c.after, at.release, c.want)
		}
	}
}
