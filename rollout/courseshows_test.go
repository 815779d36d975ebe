package rollout

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout/judge"
)

// inputsOf reads recorded inputs.
func inputsOf(t *testing.T, facts []fairlead.Fact) []Input {
	t.Helper()
	all := make([]Input, len(facts))
	for i, f := range facts {
		if err := json.Unmarshal(f.Body, &all[i]); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// foldOf is the course of inputs.
func foldOf(t *testing.T, began Rollout, inputs []Input) *courseFold {
	t.Helper()
	c := newCourse(began)
	for i, in := range inputs {
		body, err := json.Marshal(in)
		if err == nil {
			err = c.take(fairlead.Fact{Stream: began.ID, N: uint64(i + 1), Body: body})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// byHand is what one arm's blocks hold, counted by hand.
type byHand struct {
	requests, failed, units uint64
	times                   timings
}

func (c *byHand) add(a *fairlead.Arm) {
	c.requests += uint64(a.Requests)
	c.units += uint64(len(a.Units))
	for i := range a.Latency {
		c.times.latency[i] += uint64(a.Latency[i])
		c.times.first[i] += uint64(a.First[i])
	}
	for _, n := range a.Failed {
		c.failed += uint64(n)
	}
}

func (c *byHand) check(t *testing.T, arm string, newest ArmSample, signal judge.ArmSignal) {
	t.Helper()
	if want := judge.Quantiles(&c.times.latency, shares); newest.Latency == nil || *newest.Latency != *want {
		t.Errorf("the latency of %s is %v, want %v", arm, newest.Latency, want)
	}
	if want := judge.Quantiles(&c.times.first, shares); newest.First == nil || *newest.First != *want {
		t.Errorf("the time to the first byte of %s is %v, want %v", arm, newest.First, want)
	}
	if want := judge.RiskBand(uint64(signal.AtRisk), uint64(signal.Hit)); newest.Failures == nil || *newest.Failures != *want {
		t.Errorf("the failures of %s are %v, want %v of %d of %d", arm, newest.Failures, want, signal.Hit, signal.AtRisk)
	}
}

func TestTheNewestSampleShowsEachReleasesOwnFiguresSoFar(t *testing.T) {
	began, facts := recordedHours(t, 90, 40)
	inputs := inputsOf(t, facts)
	c := foldOf(t, began, inputs)
	var stable, canary byHand
	for _, in := range inputs {
		for _, b := range in.Blocks {
			stable.add(&b.Cells[0].Stable)
			canary.add(&b.Cells[0].Canary)
		}
	}
	if stable.failed == canary.failed || canary.failed == 0 {
		t.Fatalf("%d and %d failed: nothing would be told apart", stable.failed, canary.failed)
	}
	v := c.view()
	newest := v.Samples[len(v.Samples)-1]
	for _, s := range c.machine.Report().Signals {
		if s.Name == fairlead.Failures.String() {
			stable.check(t, "the old release", newest.Stable, s.Stable)
			canary.check(t, "the new release", newest.Canary, s.Canary)
		}
	}
	if want := judge.ShareBand(stable.units+canary.units, canary.units); newest.Share == nil || *newest.Share != *want {
		t.Errorf("the share is %v, want %v", newest.Share, want)
	}
	var shown [4]uint64
	for _, s := range v.Samples {
		for i, n := range []uint64{s.Stable.Requests, s.Stable.Failed, s.Canary.Requests, s.Canary.Failed} {
			shown[i] += n
		}
	}
	if want := [4]uint64{stable.requests, stable.failed, canary.requests, canary.failed}; shown != want {
		t.Errorf("the samples hold %v requests and failures, want %v", shown, want)
	}
}

func TestARequestStandsWhenItArrivedWhateverTheGatewaysClockSays(t *testing.T) {
	began, facts := recordedHours(t, 40, 10)
	perSample := func(c *courseFold) (all []uint64) {
		for _, s := range c.view().Samples {
			all = append(all, s.Stable.Requests+s.Canary.Requests)
		}
		return all
	}
	want := fmt.Sprint(perSample(foldOf(t, began, inputsOf(t, facts))))
	for name, off := range map[string]int64{"ahead": 1000, "behind": -1000, "right": 0} {
		inputs := inputsOf(t, facts)
		for i := range inputs {
			for j := range inputs[i].Blocks {
				b := &inputs[i].Blocks[j]
				b.At += 1000 * off
				b.Cells[0].Second += off
			}
		}
		late := inputs[20].Blocks // it waits for ten seconds
		inputs[20].Blocks = nil
		inputs[30].Blocks = append(late, inputs[30].Blocks...)
		if got := fmt.Sprint(perSample(foldOf(t, began, inputs))); got != want {
			t.Errorf("by a clock that is %s the samples hold %s requests, want %s", name, got, want)
		}
	}
}

func TestACourseDiffersAlsoWhereADecisionIsOfAnotherTime(t *testing.T) {
	began, facts := recordedHours(t, 6, 1)
	c := foldOf(t, began, inputsOf(t, facts))
	recorded := c.machine.rollout
	if got := c.differs(recorded); got != "" {
		t.Errorf("it differs from itself: %s", got)
	}
	recorded.Notes = append([]Note(nil), recorded.Notes...)
	recorded.Notes[1].Time = recorded.Notes[1].Time.Add(time.Second)
	if c.differs(recorded) == "" {
		t.Error("a decision of another time is taken for ours")
	}
}

func TestAGridOfASecondEachHasNoGapAtAnySecond(t *testing.T) {
	g := grid{}
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	g.begin(now)
	for second := range 1000 {
		if g.ends(now) {
			g.reach(now, g.open.idle())
		}
		g.open.Stable.Requests++
		g.open.At = now
		if second%3 == 0 {
			g.divide(g.open.idle())
		}
		all, requests := g.samples(g.open), uint64(0)
		for i, s := range all {
			if i > 0 && !s.From.Equal(all[i-1].At) {
				t.Fatalf("after %d seconds sample %d begins at %v, the one before it ends at %v", second, i, s.From, all[i-1].At)
			}
			if whole := uint64(g.each / time.Second); i < len(g.cells) && s.Stable.Requests != whole {
				t.Fatalf("after %d seconds sample %d holds %d requests, want %d", second, i, s.Stable.Requests, whole)
			}
			requests += s.Stable.Requests
		}
		if len(all) > samplesMost || requests != uint64(second+1) {
			t.Fatalf("after %d seconds %d samples hold %d requests", second, len(all), requests)
		}
		now = now.Add(time.Second)
	}
}

func TestEvidenceThatWasNotEnoughGivesWayToNewerEvidence(t *testing.T) {
	g := grid{needed: CourseNeeded{Harm: 300, Safety: 20}}
	signals := func(harm, safety float64) map[string]SignalSample {
		return map[string]SignalSample{"failures": {Harm: harm, Safety: safety}}
	}
	before := Sample{Harm: 299, Safety: 19, Signals: signals(299, 20)}
	after := Sample{Harm: 1, Safety: 2, Signals: signals(3, 4)}
	got := g.joined(&before, after)
	if got.Harm != 1 || got.Safety != 2 || got.Signals["failures"] != (SignalSample{Harm: 3, Safety: 20}) {
		t.Errorf("they are joined to %+v", *got)
	}
	if before.Signals["failures"] != (SignalSample{Harm: 299, Safety: 20}) || after.Signals["failures"] != (SignalSample{Harm: 3, Safety: 4}) {
		t.Errorf("what was shown before has changed to %+v and %+v", before.Signals, after.Signals)
	}
}

func TestTheCoursesAskedForLastAreKept(t *testing.T) {
	c := NewCourses(nil)
	first := c.keep("ro-0")
	for i := range 3 * coursesMost {
		c.keep(fmt.Sprintf("ro-%d", i+1))
		if i < coursesMost && c.keep("ro-0") != first {
			t.Fatal("a course that is asked for again and again is forgotten")
		}
	}
	if len(c.kept) != coursesMost || c.keep("ro-0") == first {
		t.Errorf("%d courses are kept, want %d", len(c.kept), coursesMost)
	}
}
