package gateway

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead"
)

func TestEachPairIsInTheCellOfItsArrivalOnceAndBeforeTheCellIsComplete(t *testing.T) {
	rapid.Check(t, pairsOnce)
}

func TestAPairSaysOfBothReleasesWhetherTheyFailed(t *testing.T) {
	for unit, failed := range [][2]bool{{false, false}, {false, true}, {true, false}, {true, true}} {
		b, now := newBook(fairlead.Site{App: "a", Env: "p"}), time.Unix(1_700_000_000, 0)
		o := &observation{}
		b.arrive(o, now, arrival{rollout: "r", epoch: 1, unit: uint64(unit), hasUnit: true, deadline: time.Second})
		p := b.pair(o)
		o.firstByte(now, false)
		if failed[0] {
			o.fail(fairlead.ServerError)
		}
		o.end(now)
		p.clientHas(true, nil)
		p.copyHas(failed[1], nil)
		want := fairlead.Pair{Unit: uint64(unit), Stable: risk(failed[0]), Canary: risk(failed[1])}
		if got := b.close(now, true)[0].Cells[0].Mirrored[failuresPair]; len(got) != 1 || got[0] != want {
			t.Errorf("the old one failed %t, the copy %t: %+v, want %+v", failed[0], failed[1], got, want)
		}
	}
}

// life is one mirrored request of a test: its unit is its number.
type life struct {
	o           *observation
	pair        *pairing
	second      int64
	steps       []int // that are still to come
	failed      bool
	whole, copy bool // how the client's request and the copy will end
	givenUp     bool
}

const (
	begins = iota // the first byte
	fails
	clientEnds
	copyEnds
	givesUp
)

// pairsOnce drives a book with mirrored requests whose halves end in any order.
func pairsOnce(t *rapid.T) {
	b := newBook(fairlead.Site{App: "a", Env: "p"})
	now := time.Unix(1_700_000_000, 0)
	var lives []*life
	got, complete := map[uint64]fairlead.Pair{}, map[int64]bool{}
	take := func(final bool) {
		for _, block := range b.close(now, final) {
			for _, c := range block.Cells {
				for _, p := range c.Mirrored[failuresPair] {
					if _, twice := got[p.Unit]; twice || lives[p.Unit].second != c.Second || complete[c.Second] {
						t.Fatalf("pair %+v is in the cell of second %d: it came before: %t, complete before: %t", p, c.Second, twice, complete[c.Second])
					}
					got[p.Unit] = p
				}
				complete[c.Second] = c.Complete
			}
		}
	}
	for range rapid.IntRange(1, 60).Draw(t, "moves") {
		switch move := rapid.IntRange(0, 3).Draw(t, "move"); {
		case move == 0:
			lives = append(lives, bornIn(t, b, now, uint64(len(lives))))
		case move == 1:
			now = now.Add(time.Duration(rapid.IntRange(1, 900).Draw(t, "ms")) * time.Millisecond)
			take(false)
		case len(lives) > 0:
			lives[rapid.IntRange(0, len(lives)-1).Draw(t, "which")].step(now)
		}
	}
	for _, l := range lives {
		for len(l.steps) > 0 {
			l.step(now)
		}
	}
	take(true)
	for i, l := range lives {
		p, there := got[uint64(i)]
		known := !l.givenUp && (l.whole || l.failed)
		// At its deadline a long answer may have been counted as it stood.
		if known && !there || there && p.Canary != risk(l.copy) || there && p.Stable == 1 && !l.failed {
			t.Fatalf("request %d %+v gave the pair %+v (%t)", i, *l, p, there)
		}
	}
	for second, done := range complete {
		if !done {
			t.Fatalf("the cell of second %d was left open", second)
		}
	}
}

func bornIn(t *rapid.T, b *book, now time.Time, unit uint64) *life {
	l := &life{
		o: &observation{}, whole: rapid.Bool().Draw(t, "whole"), copy: rapid.Bool().Draw(t, "copy fails"),
		failed: rapid.Bool().Draw(t, "fails"), givenUp: rapid.IntRange(0, 9).Draw(t, "given up") == 0,
	}
	b.arrive(l.o, now, arrival{rollout: "r", epoch: 1, unit: unit, hasUnit: true, deadline: time.Second})
	l.pair, l.second = b.pair(l.o), l.o.cell.second
	steps := []int{begins, clientEnds}
	if l.failed {
		steps = []int{begins, fails, clientEnds}
	}
	last := copyEnds
	if l.givenUp {
		last = givesUp
	}
	at := rapid.IntRange(0, len(steps)).Draw(t, "the copy ends")
	l.steps = append(append(append(l.steps, steps[:at]...), last), steps[at:]...)
	return l
}

func (l *life) step(now time.Time) {
	if len(l.steps) == 0 {
		return
	}
	next := l.steps[0]
	l.steps = l.steps[1:]
	switch next {
	case begins:
		l.o.firstByte(now, false)
	case fails:
		l.o.fail(fairlead.Reset)
	case clientEnds:
		l.pair.clientHas(l.whole, nil)
		l.o.end(now)
	case copyEnds:
		l.pair.copyHas(l.copy, nil)
	case givesUp:
		l.pair.giveUp()
	}
}

func TestALongAnswerCountsAsItStandsAtItsDeadline(t *testing.T) {
	b := newBook(fairlead.Site{App: "a", Env: "p"})
	now := time.Unix(1_700_000_000, 0)
	var o observation
	b.arrive(&o, now, arrival{rollout: "r", epoch: 1, unit: 7, hasUnit: true, deadline: 10 * time.Second})
	p := b.pair(&o)
	o.firstByte(now.Add(time.Second), true)
	p.copyHas(true, nil)
	pairs := func(at time.Time) (all []fairlead.Pair, complete bool) {
		for _, block := range b.close(at, false) {
			for _, c := range block.Cells {
				all, complete = append(all, c.Mirrored[failuresPair]...), c.Complete
			}
		}
		return all, complete
	}
	if all, complete := pairs(now.Add(9 * time.Second)); len(all) > 0 || complete {
		t.Errorf("before the deadline: %v, complete %t", all, complete)
	}
	all, complete := pairs(now.Add(10 * time.Second))
	if len(all) != 1 || all[0] != (fairlead.Pair{Unit: 7, Stable: 0, Canary: 1}) || !complete {
		t.Errorf("at the deadline: %v, complete %t", all, complete)
	}
	o.fail(fairlead.Reset)
	p.clientHas(false, nil)
	if all, _ := pairs(now.Add(20 * time.Second)); len(all) > 0 {
		t.Errorf("after it: %v", all)
	}
}

func TestWhetherAMirroredRequestFailedIsNotForAnswersToReport(t *testing.T) {
	b := newBook(fairlead.Site{App: "a", Env: "p"})
	now := time.Unix(1_700_000_000, 0)
	var o observation
	b.arrive(&o, now, arrival{rollout: "r", epoch: 1, unit: 7, hasUnit: true, deadline: 10 * time.Second})
	p := b.pair(&o)
	said := func(v float64) map[string]float64 {
		return map[string]float64{failuresPair: v, fairlead.ErrorSignal: v, "quality": v}
	}
	p.copyHas(false, said(0))
	p.clientHas(true, said(1))
	o.end(now)
	want := fairlead.Pair{Unit: 7, Stable: 0, Canary: 0}
	pairs := b.close(now, true)[0].Cells[0].Mirrored
	if got := pairs[failuresPair]; len(got) != 1 || got[0] != want || len(pairs) != 2 || len(pairs["quality"]) != 1 {
		t.Errorf("pairs %v, want one of failures that the gateway saw, %v, and one of quality", pairs, want)
	}
}
