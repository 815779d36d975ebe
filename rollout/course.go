package rollout

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout/judge"
)

// Course is what a rollout's recorded inputs showed over time. It is a function of
// those inputs alone: the same while the rollout moves, after it, and after a restart.
// docs/design/course.md says what its bands promise.
type Course struct {
	Rollout Rollout       // as of the newest input; the caller must not change what it points to
	Inputs  uint64        // that it covers
	Each    time.Duration // of a sample; a second, doubled as the course grows long
	Needed  CourseNeeded
	Samples []Sample // oldest first, at most samplesMost, without gaps, from the first traffic on
	Marks   []Mark   // the beginning and each decision, oldest first
	Differs string   // why it is not as the rollout was recorded; "" where it is
}

// CourseNeeded holds the e-values at which a verdict falls; 0 where nothing is judged.
type CourseNeeded struct{ Harm, Safety float64 }

// Mark is a decision on the way. A person's reason is not in it.
type Mark struct {
	At   time.Time
	Kind string // of its ledger entry, such as "rollout.advanced"
	Text string
}

// Sample is what a while of a course showed. Requests and failures stand in the sample
// in which the request arrived; all else is as of the sample's end.
type Sample struct {
	From, At time.Time
	Weight   fairlead.Weight // of the new release, as ordered
	Share    *judge.Band     // of the epoch's units that were on it
	Stable   ArmSample
	Canary   ArmSample
	Harm     float64 // e-value; the highest in the sample where that reached what is needed; 0 where nothing is judged
	Safety   float64 // likewise
	Signals  map[string]SignalSample
}

// SignalSample is one signal's evidence. Restarts have none of safety.
type SignalSample struct{ Harm, Safety float64 }

// ArmSample is what one release showed. Bands are nil where nothing came yet.
type ArmSample struct {
	Requests uint64
	Failed   uint64         // of them
	Failures *judge.Band    // share of the units at risk that failed, since the first traffic
	Latency  *[3]judge.Band // p50, p90, p99 in milliseconds of the requests that ended since the first traffic
	First    *[3]judge.Band // likewise, of the time to the first byte
}

// courseFold is the fold of a rollout's inputs into a Course. It is not safe for
// concurrent use.
type courseFold struct {
	machine *Machine
	grid    grid
	times   [2]timings // of the arms, stable first
	offsets map[string]int64
	marks   []Mark
	over    bool      // the rollout has ended, and what its end saw is shown
	newest  time.Time // of all inputs; they count as not before it
}

// newCourse returns the course of a rollout that has just begun.
func newCourse(began Rollout) *courseFold {
	c := &courseFold{machine: NewMachine(began), offsets: map[string]int64{}, newest: began.Began}
	if began.From > 0 && began.Kind == Forward && began.Phase != Ended {
		c.grid.needed = CourseNeeded{1 / began.Strategy.Alpha, 1 / began.Strategy.Beta}
	}
	c.mark(began, "rollout.began")
	return c
}

func (c *courseFold) mark(r Rollout, kind string) {
	note := r.Notes[len(r.Notes)-1]
	c.marks = append(c.marks, Mark{note.Time, kind, note.Text})
}

// take folds the next recorded input. Its error is of code corrupt, and the course is
// as it was before.
func (c *courseFold) take(fact fairlead.Fact) error {
	id := c.machine.rollout.ID
	if want := c.machine.facts + 1; fact.N != want {
		return fairlead.Errorf(fairlead.Corrupt, "rollout "+id, "input %d is missing", want).WithHint("run: fairlead ledger verify")
	}
	var in Input
	if err := json.Unmarshal(fact.Body, &in); err != nil {
		return fairlead.Errorf(fairlead.Corrupt, "rollout "+id, "input %d: %w", fact.N, err).WithHint("run: fairlead ledger verify")
	}
	c.reach(in)
	d := c.machine.take(in, fact.Body)
	if !c.grid.begun() && !c.machine.rollout.FirstTraffic.IsZero() {
		c.grid.begin(c.newest)
	}
	c.count(in)
	c.grid.open.At = c.newest
	if d.Kind != "" {
		c.decided(d)
	}
	c.grid.open.Weight = c.machine.rollout.Weight
	return nil
}

// decided marks a decision, and keeps to be seen what it saw: a new step's evidence of
// safety begins afresh at once.
func (c *courseFold) decided(d Decision) {
	c.mark(d.Rollout, d.Kind)
	if !c.grid.begun() {
		return
	}
	var saw judge.Report
	if json.Unmarshal(d.Rollout.Evidence, &saw) != nil {
		return // nothing was judged before it
	}
	c.times[0].show(&c.grid.open.Stable)
	c.times[1].show(&c.grid.open.Canary)
	c.grid.open.judged(&saw)
	if c.over = d.Rollout.Phase == Ended; !c.over {
		next := c.grid.open.idle()
		c.show(&next)
		c.grid.divide(next)
	}
}

// reach lets time go on to an input that is about to be folded: what ends before it is
// shown as the machine is now.
func (c *courseFold) reach(in Input) {
	if in.Now.After(c.newest) {
		c.newest = in.Now
	}
	if !c.grid.begun() && len(in.Blocks) > 0 {
		c.grid.begin(c.newest)
	}
	if c.grid.begun() && c.grid.ends(c.newest) {
		c.show(&c.grid.open)
		c.grid.reach(c.newest, c.grid.open.idle())
	}
}

// count adds an input's requests to the samples in which they arrived.
func (c *courseFold) count(in Input) {
	for _, b := range in.Blocks {
		off, known := c.offsets[b.Gateway]
		if !known {
			off = offsetOf(c.newest, b.At)
			c.offsets[b.Gateway] = off
		}
		for i := range b.Cells {
			cell := &b.Cells[i]
			s := c.grid.sample(time.Unix(cell.Second+off, 0))
			s.Stable.add(&cell.Stable)
			s.Canary.add(&cell.Canary)
			c.times[0].add(&cell.Stable)
			c.times[1].add(&cell.Canary)
		}
	}
}

// offsetOf returns by how many seconds the clock of inputs is ahead of a gateway's,
// when a block that it closed at some Unix milliseconds comes first. Seconds on the way
// are none.
func offsetOf(now time.Time, closed int64) int64 {
	const way = 5 * time.Second
	if off := now.Sub(time.UnixMilli(closed)); off < -way || off > way {
		return int64(off.Round(time.Second) / time.Second)
	}
	return 0
}

func (a *ArmSample) add(more *fairlead.Arm) {
	a.Requests += uint64(more.Requests)
	for _, n := range more.Failed {
		a.Failed += uint64(n)
	}
}

// show fills in what a sample that ends with the newest input shows of it.
func (c *courseFold) show(s *Sample) {
	if c.over {
		return // it shows what was seen at the end
	}
	c.times[0].show(&s.Stable)
	c.times[1].show(&s.Canary)
	if report := c.machine.Report(); report != nil {
		s.judged(report)
	}
}

// judged fills in the evidence.
func (s *Sample) judged(r *judge.Report) {
	s.Harm, s.Safety = r.Harm.E, r.Safety.E
	s.Share = judge.ShareBand(uint64(r.Share.StableUnits+r.Share.CanaryUnits), uint64(r.Share.CanaryUnits))
	s.Signals = map[string]SignalSample{judge.RestartsName: {Harm: r.Restarts.Harm}}
	for _, one := range r.Signals {
		s.Signals[one.Name] = SignalSample{one.Harm, one.Safety.E}
		if one.Name == fairlead.Failures.String() && !one.Mirrored {
			s.Stable.Failures, s.Canary.Failures = risk(one.Stable), risk(one.Canary)
		}
	}
}

func risk(a judge.ArmSignal) *judge.Band { return judge.RiskBand(uint64(a.AtRisk), uint64(a.Hit)) }

// view returns the course so far. It shares nothing that changes with c.
func (c *courseFold) view() Course {
	r := c.machine.rollout
	v := Course{
		Rollout: r, Inputs: c.machine.facts, Each: c.grid.each, Needed: c.grid.needed, Marks: c.marks[:len(c.marks):len(c.marks)],
	}
	if c.grid.begun() {
		newest := c.grid.open
		c.show(&newest)
		v.Samples = c.grid.samples(newest)
	}
	return v
}

// differs says how what was recorded of the rollout is not as its inputs fold, or "".
// The record may be older than the fold.
func (c *courseFold) differs(recorded Rollout) string {
	for i, note := range recorded.Notes {
		if i >= len(c.machine.rollout.Notes) {
			return fmt.Sprintf("recorded is %q, which this version of the program does not decide", note.Text)
		}
		if ours := c.machine.rollout.Notes[i]; ours.Text != note.Text || !ours.Time.Equal(note.Time) {
			return fmt.Sprintf("recorded is %q, where this version of the program decides %q", note.Text, ours.Text)
		}
	}
	return ""
}
