package gateway

import (
	"math"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead"
)

func TestEveryLatencyFallsInTheBucketThatTheContractNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(math.Exp(rapid.Float64Range(0, math.Log(float64(time.Hour))).Draw(t, "log")))
		if i := rapid.IntRange(0, 63).Draw(t, "edge"); rapid.Bool().Draw(t, "on an edge") {
			d = time.Duration(fairlead.BucketBound(i) * float64(time.Millisecond))
		}
		ms, i := milliseconds(d), bucketOf(d)
		if i > 0 && ms <= fairlead.BucketBound(i-1) || i < 63 && ms > fairlead.BucketBound(i) {
			t.Fatalf("%s is in bucket %d", d, i)
		}
	})
}

func TestASecondIsNeverOpenedAgainWhateverTheWallClockDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c cellClock
		last := int64(math.MinInt64)
		wall := int64(1_700_000_000)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			wall += rapid.Int64Range(-100, 100).Draw(t, "jump")
			s := c.second(time.Unix(wall, 0))
			if s < last {
				t.Fatalf("second %d after %d", s, last)
			}
			last = s
		}
	})
}

func TestBlocksAccountForEveryRequestOnce(t *testing.T) {
	rapid.Check(t, accountsOnce)
}

// accountsOnce drives a book with a random life of requests and compares the sums
// over its blocks with what happened.
func accountsOnce(t *rapid.T) {
	b := newBook(fairlead.Site{App: "a", Env: "p"})
	now := time.Unix(1_700_000_000, 0)
	var live, all []*observation
	var want, got struct{ requests, ended, failed, reports uint32 }
	type once struct {
		second      int64
		epoch       uint32
		canary      bool
		signal, key uint64
	}
	seen, complete := map[once]bool{}, map[[2]int64]bool{}
	take := func(final bool) {
		for _, block := range b.close(now, final) {
			for _, c := range block.Cells {
				key := [2]int64{c.Second, int64(c.Epoch)}
				if complete[key] && (!c.Complete || c.Stable.Requests+c.Canary.Requests > 0) {
					t.Fatalf("cell %v went on after it was complete", key)
				}
				complete[key] = c.Complete
				for i, arm := range []fairlead.Arm{c.Stable, c.Canary} {
					got.requests += arm.Requests
					got.ended += arm.Ended
					got.failed += arm.Failed[fairlead.ServerError]
					got.reports += uint32(len(arm.Reports["quality"]))
					for s, units := range append([]fairlead.Units{arm.Units}, arm.Hits[:]...) {
						for _, u := range units {
							k := once{c.Second, c.Epoch, i == 1, uint64(s), u}
							if seen[k] {
								t.Fatalf("%+v came twice", k)
							}
							seen[k] = true
						}
					}
				}
			}
		}
	}
	for range rapid.IntRange(1, 60).Draw(t, "steps") {
		now = now.Add(time.Duration(rapid.IntRange(0, 700).Draw(t, "ms")) * time.Millisecond)
		switch kind := rapid.IntRange(0, 5).Draw(t, "step"); {
		case kind <= 1:
			want.requests++
			all = append(all, arrived(b, now, arrival{
				rollout: "r", epoch: uint32(rapid.IntRange(1, 2).Draw(t, "epoch")), canary: rapid.Bool().Draw(t, "canary"),
				unit: uint64(rapid.IntRange(1, 3).Draw(t, "unit")), hasUnit: true, limits: limits{100, 200, 300}, deadline: time.Second,
			}))
			live = append(live, all[len(all)-1])
		case kind == 2:
			take(false)
		case kind == 3 && len(all) > 0:
			want.reports++
			all[rapid.IntRange(0, len(all)-1).Draw(t, "who")].report(signalValue{"quality", 0.5}) // ended or not
		case len(live) > 0:
			i := rapid.IntRange(0, len(live)-1).Draw(t, "which")
			o := live[i]
			if rapid.Bool().Draw(t, "stream") {
				o.firstByte(now, true)
			}
			if rapid.Bool().Draw(t, "fails") {
				o.fail(fairlead.ServerError)
				o.fail(fairlead.Reset)
				want.failed++
			}
			o.end(now)
			live = append(live[:i], live[i+1:]...)
		}
	}
	for _, o := range live {
		o.end(now)
	}
	want.ended = want.requests
	take(true)
	if got != want {
		t.Fatalf("blocks say %+v, it was %+v", got, want)
	}
	for key, ok := range complete {
		if !ok {
			t.Fatalf("cell %v never became complete", key)
		}
	}
}

// arrived counts a request in an observation of its own.
func arrived(b *book, now time.Time, a arrival) *observation {
	o := new(observation)
	b.arrive(o, now, a)
	return o
}

func arriveAt(b *book, now time.Time) *observation {
	return arrived(b, now, arrival{rollout: "r", epoch: 1, canary: true, unit: 7, hasUnit: true, limits: limits{10, 100, 1000}, deadline: 2 * time.Second})
}

func TestASlowRequestCountsWhenItsThresholdPassesNotWhenItEnds(t *testing.T) {
	b, now := newBook(fairlead.Site{}), time.Unix(1_700_000_000, 0)
	o := arriveAt(b, now)
	arm := b.close(now.Add(500*time.Millisecond), false)[0].Cells[0].Canary
	if len(arm.Hits[fairlead.SlowP50]) != 1 || len(arm.Hits[fairlead.SlowP90]) != 1 || len(arm.Hits[fairlead.SlowP99]) != 0 || arm.Ended != 0 {
		t.Fatalf("after half a second: %+v", arm)
	}
	o.end(now.Add(1500 * time.Millisecond))
	arm = b.close(now.Add(1600*time.Millisecond), false)[0].Cells[0].Canary
	if len(arm.Hits[fairlead.SlowP50]) != 0 || len(arm.Hits[fairlead.SlowP99]) != 1 || arm.Ended != 1 {
		t.Fatalf("at its end: %+v", arm)
	}
}

func TestAStreamKeepsItsCellOpenForAWhileAndMayBreakLater(t *testing.T) {
	b, now := newBook(fairlead.Site{}), time.Unix(1_700_000_000, 0)
	o, long := arriveAt(b, now), arriveAt(b, now)
	o.firstByte(now.Add(5*time.Millisecond), true)
	long.deadline = time.Hour // not so long
	long.firstByte(now.Add(5*time.Millisecond), true)
	c := b.close(now.Add(1100*time.Millisecond), false)[0].Cells[0]
	if c.Complete || c.Canary.Ended != 2 || len(c.Canary.Hits[fairlead.SlowP50]) != 0 {
		t.Fatalf("after the first byte: %+v", c)
	}
	if blocks := b.close(now.Add(streamAwaited-time.Millisecond), false); len(blocks) != 1 || blocks[0].Cells[0].Complete {
		t.Fatalf("at the deadline of one of two: %+v", blocks)
	}
	c = b.close(now.Add(streamAwaited), false)[0].Cells[0]
	if !c.Complete || c.Canary.Ended != 0 || len(c.Canary.Hits[fairlead.SlowP50]) != 0 {
		t.Fatalf("after half a minute: %+v", c)
	}
	if blocks := b.close(now.Add(time.Minute), false); len(blocks) != 0 {
		t.Fatalf("nothing happened, but: %+v", blocks)
	}
	o.fail(fairlead.Reset)
	c = b.close(now.Add(time.Hour), false)[0].Cells[0]
	if !c.Complete || c.Canary.Requests != 0 || len(c.Canary.Hits[fairlead.Failures]) != 1 || c.Canary.Failed[fairlead.Reset] != 1 {
		t.Fatalf("after the reset: %+v", c)
	}
}

func TestALongAnswerCountsAsEndedAtItsDeadline(t *testing.T) {
	b, now := newBook(fairlead.Site{}), time.Unix(1_700_000_000, 0)
	o := arriveAt(b, now)
	o.firstByte(now.Add(time.Millisecond), false)
	if c := b.close(now.Add(1900*time.Millisecond), false)[0].Cells[0]; c.Complete {
		t.Fatalf("complete before the deadline: %+v", c)
	}
	if c := b.close(now.Add(2*time.Second), false)[0].Cells[0]; !c.Complete || c.Canary.Ended != 1 {
		t.Fatalf("not complete at the deadline: %+v", c)
	}
}

func TestEachRolloutHasBlocksOfItsOwn(t *testing.T) {
	b, now := newBook(fairlead.Site{}), time.Unix(1_700_000_000, 0)
	arrived(b, now, arrival{}).end(now)
	arrived(b, now, arrival{rollout: "r", epoch: 1}).end(now)
	blocks := b.close(now.Add(time.Second), true)
	if len(blocks) != 2 || blocks[0].Rollout == blocks[1].Rollout || blocks[0].Seq+1 != blocks[1].Seq {
		t.Fatalf("blocks %+v", blocks)
	}
	if blocks[0].Final || !blocks[1].Final {
		t.Errorf("only the last block of a stop is final")
	}
}

func TestTheFirstByteHasLimitsOfItsOwnThatCountAsTheyPass(t *testing.T) {
	b, now := newBook(fairlead.Site{}), time.Unix(1_700_000_000, 0)
	of := func(first time.Duration) *observation {
		a := arrival{rollout: "r", epoch: 1, unit: uint64(first), hasUnit: true, deadline: time.Minute}
		a.limits = limits{1000, 2000, 3000, 10, 100, 1000}
		o := arrived(b, now, a)
		if first > 0 {
			o.firstByte(now.Add(first), false)
		}
		return o
	}
	quick, slow, silent := of(5*time.Millisecond), of(50*time.Millisecond), of(0)
	arm := b.close(now.Add(500*time.Millisecond), false)[0].Cells[0].Stable
	if got := arm.Hits[fairlead.FirstP50]; len(got) != 2 { // slow, and silent before its byte came
		t.Errorf("p50 of the first byte: %v", got)
	}
	if got := arm.Hits[fairlead.FirstP90]; len(got) != 1 || got[0] != 0 {
		t.Errorf("p90 of the first byte: %v", got)
	}
	for _, o := range []*observation{quick, slow, silent} {
		o.end(now.Add(2500 * time.Millisecond))
	}
	arm = b.close(now.Add(2600*time.Millisecond), false)[0].Cells[0].Stable
	if len(arm.Hits[fairlead.SlowP90]) != 3 || len(arm.Hits[fairlead.FirstP50]) != 0 {
		t.Errorf("at the end: %v", arm.Hits)
	}
	if got := arm.Hits[fairlead.FirstP99]; len(got) != 1 || got[0] != 0 { // it ended without a byte
		t.Errorf("p99 of the first byte: %v", got)
	}
}

func TestAReportAfterItsCellIsCompleteComesInThatCellAgain(t *testing.T) {
	b, now := newBook(fairlead.Site{}), time.Unix(1_700_000_000, 0)
	o := arriveAt(b, now)
	o.report(signalValue{"early", 1})
	o.firstByte(now.Add(time.Millisecond), true)
	c := b.close(now.Add(2*time.Second), false)[0].Cells[0] // its deadline
	if !c.Complete || len(c.Canary.Reports["early"]) != 1 {
		t.Fatalf("at first: %+v", c)
	}
	o.report(signalValue{"quality", 0.5})
	late := b.close(now.Add(time.Hour), false)[0].Cells
	if len(late) != 1 || late[0].Second != c.Second || late[0].Epoch != c.Epoch || !late[0].Complete || late[0].Canary.Requests != 0 {
		t.Fatalf("an hour later: %+v", late)
	}
	if got := late[0].Canary.Reports; len(got) != 1 || len(got["quality"]) != 1 || got["quality"][0] != (fairlead.Report{Unit: 7, Value: 0.5}) {
		t.Errorf("reported %v", got)
	}
}

func TestAnArmOfACellHasSixteenNamesAtMostAlsoOverSeveralBlocks(t *testing.T) {
	b, now := newBook(fairlead.Site{}), time.Unix(1_700_000_000, 0)
	canary, stable := arriveAt(b, now), arrived(b, now, arrival{rollout: "r", epoch: 1, unit: 1, hasUnit: true})
	taken := 0
	for i := range 40 {
		if canary.report(signalValue{"n" + strconv.Itoa(i), 1}) {
			taken++
		}
		b.close(now, false)
	}
	if taken != namesMost || !canary.report(signalValue{"n3", 1}) || !stable.report(signalValue{"quality", 1}) {
		t.Errorf("%d names were taken", taken)
	}
}

func TestAStreamThatBreaksSoonFailsBeforeItsCellIsComplete(t *testing.T) {
	b, now := newBook(fairlead.Site{}), time.Unix(1_700_000_000, 0)
	o := arriveAt(b, now)
	o.firstByte(now.Add(5*time.Millisecond), true)
	b.close(now.Add(1100*time.Millisecond), false)
	o.fail(fairlead.Reset)
	o.end(now.Add(1500 * time.Millisecond))
	c := b.close(now.Add(1600*time.Millisecond), false)[0].Cells[0]
	if !c.Complete || len(c.Canary.Hits[fairlead.Failures]) != 1 || len(c.Canary.Hits[fairlead.SlowP90]) != 0 {
		t.Fatalf("at its end: %+v", c)
	}
}

// The deadline of a request is the exchange's to find: until it says that the request
// failed, the cell waits, so that no evidence of safety goes by without that failure.
func TestARequestWithoutAnAnswerKeepsItsCellOpenBeyondItsDeadline(t *testing.T) {
	b, now := newBook(fairlead.Site{App: "a", Env: "p"}), time.Unix(1_700_000_000, 0)
	o := &observation{}
	b.arrive(o, now, arrival{rollout: "r", epoch: 1, unit: 1, hasUnit: true, deadline: time.Second})
	for _, block := range append(b.close(now.Add(time.Second), false), b.close(now.Add(5*time.Second), false)...) {
		for _, c := range block.Cells {
			if c.Complete || c.Stable.Ended > 0 {
				t.Errorf("the cell is complete without the request's outcome: %+v", c)
			}
		}
	}
	o.fail(fairlead.Timeout)
	o.end(now.Add(6 * time.Second))
	if c := b.close(now.Add(7*time.Second), false)[0].Cells[0]; !c.Complete || c.Stable.Failed[fairlead.Timeout] != 1 {
		t.Errorf("after its failure: %+v", c)
	}
}
