package sim

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
	"github.com/fairlead/fairlead/ledger"
	"github.com/fairlead/fairlead/rollout"
)

// promises watches everything that becomes true in the world, and breaks it off
// when a promise does not hold. It knows the scripts, and reads what is recorded;
// it takes nothing from the memory of the programs that it watches.
type promises struct {
	u *universe

	// As recorded.
	rollouts map[string]rollout.Rollout
	live     map[fairlead.Site]rollout.Live
	intents  map[string]fairlead.Intent
	epochs   map[string]map[uint32]rollout.Rollout // by rollout: as it was when the epoch was decided
	taken    map[blockID]bool
	canary   map[string]map[uint32]int // requests of the canary in recorded blocks, by rollout and epoch
	tally    map[string]rollout.Tally  // of recorded blocks, by rollout
	before   map[string][2]int         // restarts of the old release and the new one before a rollout
	expired  map[string]bool           // rollouts whose lease ran out
	cursor   uint64                    // of the gateway's journal

	// As it is in the world.
	evidence  map[fairlead.Digest]time.Time // until when the gates' newest evidence is fresh
	fetched   map[blockID]int               // requests of blocks that the gateway gave
	cells     map[cellID]*tally             // that the gateway has not told everything of
	last      map[blockID]uint64            // newest block that was given of a site in a boot
	gaps      map[blockID]bool              // a block of a site in a boot was lost
	ordered   gateway.Snapshot              // newest that the gateway was given, whether it took it or not
	force     gateway.Snapshot              // in force
	left      []blockID                     // that the gateway kept when it died
	order     fairlead.Order                // newest that the gateway has taken
	said      map[uint64]gateway.Event      // what the gateway's journal was heard to say
	newest    map[string]uint32             // epoch of a rollout that was in force
	renewedAt time.Duration                 // by an order that the gateway took in this boot
	attended  bool                          // in this boot
	onCanary  map[string]map[string]bool    // units that were assigned to the canary, by rollout
	troubled  map[fairlead.Site]time.Duration
}

// blockID names a block for ever.
type blockID struct {
	gateway string
	site    fairlead.Site
	seq     uint64
}

func newPromises(u *universe) *promises {
	return &promises{
		u: u, rollouts: map[string]rollout.Rollout{}, live: map[fairlead.Site]rollout.Live{},
		intents: map[string]fairlead.Intent{}, epochs: map[string]map[uint32]rollout.Rollout{},
		taken: map[blockID]bool{}, canary: map[string]map[uint32]int{},
		evidence: map[fairlead.Digest]time.Time{}, fetched: map[blockID]int{}, newest: map[string]uint32{}, said: map[uint64]gateway.Event{},
		tally: map[string]rollout.Tally{}, before: map[string][2]int{}, expired: map[string]bool{},
		cells: map[cellID]*tally{}, last: map[blockID]uint64{}, gaps: map[blockID]bool{},
		onCanary: map[string]map[string]bool{}, troubled: map[fairlead.Site]time.Duration{},
	}
}

// breaks ends the world: a promise does not hold.
func (p *promises) breaks(promise, format string, args ...any) {
	b := Broken{Seed: p.u.report.Seed, At: p.u.world.now, Promise: promise, Text: fmt.Sprintf(format, args...)}
	p.u.world.say("BROKEN: %s: %s", b.Promise, b.Text)
	panic(b)
}

// rolloutAt returns the newest rollout of a site as recorded, or nil.
func (p *promises) rolloutAt(site fairlead.Site) *rollout.Rollout {
	r, ok := p.rollouts[p.live[site].Rollout]
	if !ok {
		return nil
	}
	return &r
}

// committed looks at what was recorded.
func (p *promises) committed(c fairlead.Change) {
	for _, f := range c.Facts {
		p.fact(f)
	}
	for _, e := range c.Entries {
		p.u.world.say("entry %d %s %s %s", e.Seq, e.Kind, e.Site, e.Data[:min(len(e.Data), 300)])
		for _, r := range e.Rows {
			p.row(e, r)
		}
		switch e.Kind {
		case "traffic.shifted":
			p.shifted(e)
		case "gateway.leaseExpired":
			p.alone(e)
		}
	}
}

func (p *promises) row(e fairlead.Entry, r fairlead.Row) {
	gone := len(r.Value) == 0 || string(r.Value) == "null"
	switch r.Kind {
	case rollout.RolloutRow:
		after := decode[rollout.Rollout](r)
		before, known := p.rollouts[r.Key]
		p.rollouts[r.Key] = after
		p.remember(before, after, known)
		if known {
			p.transition(e, before, after)
		} else {
			p.u.report.Rollouts++
			ends := p.u.machine.ends
			p.before[after.ID] = [2]int{ends[rollout.Place{Site: after.Site, Release: after.From}], ends[rollout.Place{Site: after.Site, Release: after.To}]}
		}
	case rollout.LiveRow:
		l := decode[rollout.Live](r)
		p.live[l.Site] = l
	case rollout.IntentRow:
		p.intent(r, gone)
	case rollout.EventsRow:
		n := decode[struct{ N uint64 }](r).N
		if n != p.cursor+1 {
			p.breaks("the gateway's journal is taken in once, and whole", "event %d after event %d", n, p.cursor)
		}
		p.cursor = n
	}
}

func decode[T any](r fairlead.Row) (value T) {
	if err := json.Unmarshal(r.Value, &value); err != nil {
		panic(fmt.Sprintf("row %s %s: %v", r.Kind, r.Key, err)) // it was written from a value of its type
	}
	return value
}

func (p *promises) remember(before, after rollout.Rollout, known bool) {
	if !known {
		p.epochs[after.ID] = map[uint32]rollout.Rollout{}
	}
	if !known || before.Epoch != after.Epoch {
		p.epochs[after.ID][after.Epoch] = after
	}
}

func (p *promises) intent(r fairlead.Row, gone bool) {
	if !gone {
		i := decode[fairlead.Intent](r)
		p.intents[i.ID] = i
		p.crowded(i)
		return
	}
	if _, open := p.intents[r.Key]; !open && !p.u.faults.any {
		p.breaks("no record, no change", "the outcome of %s is recorded, but it was not open", r.Key)
	}
	delete(p.intents, r.Key)
}

// shifted checks that traffic which is recorded to have moved has moved.
func (p *promises) shifted(e fairlead.Entry) {
	var outcome struct {
		Target string
		Shift  struct{ Epoch uint32 }
	}
	if err := json.Unmarshal(e.Data, &outcome); err != nil {
		p.breaks("no record, no change", "entry %d: %v", e.Seq, err)
	}
	split := p.splitOf(e.Site)
	if split != nil && split.Rollout == outcome.Target && split.Epoch < outcome.Shift.Epoch {
		p.breaks("what is recorded has happened", "entry %d says that epoch %d of %s is in force; the gateway has %d",
			e.Seq, outcome.Shift.Epoch, outcome.Target, split.Epoch)
	}
}

// seen is what matters here of an input.
type seen struct {
	Blocks []struct {
		Gateway string
		Seq     uint64
		Site    fairlead.Site
		Rollout string
		Cells   []struct {
			Epoch          uint32
			Stable, Canary seenArm
		}
	}
	Old, New struct{ Restarts int }
}

type seenArm struct {
	Requests uint64
	Failed   [fairlead.Classes]uint64
}

// fact looks at a recorded input: each block is in it once, as the gateway gave it.
func (p *promises) fact(f fairlead.Fact) {
	var in seen
	if err := json.Unmarshal(f.Body, &in); err != nil {
		p.breaks("replayable", "input %d of %s: %v", f.N, f.Stream, err)
	}
	p.restarts(f, in)
	for _, b := range in.Blocks {
		id := blockID{b.Gateway, b.Site, b.Seq}
		if b.Rollout != f.Stream && len(b.Cells) == 0 {
			continue // it tells no more than that it was there
		}
		if p.taken[id] {
			p.breaks("evidence counts once", "block %v is recorded twice, now in input %d of %s", id, f.N, f.Stream)
		}
		p.taken[id] = true
		if p.canary[f.Stream] == nil {
			p.canary[f.Stream] = map[uint32]int{}
		}
		requests, t := 0, p.tally[f.Stream]
		for _, c := range b.Cells {
			p.canary[f.Stream][c.Epoch] += int(c.Canary.Requests)
			requests += int(c.Stable.Requests + c.Canary.Requests)
			addTo(&t.Stable, c.Stable)
			addTo(&t.Canary, c.Canary)
		}
		p.tally[f.Stream] = t
		if given, ok := p.fetched[id]; !ok || given != requests {
			p.breaks("evidence is what was seen", "block %v has %d requests in the record, and %d from the gateway", id, requests, given)
		}
	}
}

func addTo(t *rollout.ArmTally, a seenArm) {
	t.Requests += a.Requests
	for _, n := range a.Failed {
		t.Failed += n
	}
}

// decided is the data of a decision's entry.
type decided struct {
	Verdict fairlead.Verdict
	Facts   ledger.FactsRef
}

// transition checks one decision of a rollout.
func (p *promises) transition(e fairlead.Entry, before, after rollout.Rollout) {
	p.u.report.Decisions++
	if before.Held == rollout.HeldLease && p.canary[after.ID] != nil {
		p.canary[after.ID][after.Epoch] = 0 // evidence of safety starts afresh
	}
	var d decided
	if err := json.Unmarshal(e.Data, &d); err != nil {
		p.breaks("replayable", "entry %d: %v", e.Seq, err)
	}
	if n := uint64(len(p.u.store.facts[after.ID])); d.Facts.N != n {
		p.breaks("replayable", "entry %d commits to %d inputs of %d", e.Seq, d.Facts.N, n)
	}
	if strings.Contains(d.Verdict.Blocked, "are missing") && !p.missing(after.Site) {
		p.breaks("evidence is what happened", "entry %d: %s, and none is", e.Seq, d.Verdict.Blocked)
	}
	if before.Phase == rollout.Ended {
		p.breaks("what ended stays ended", "entry %d: %s of %s", e.Seq, e.Kind, after.ID)
	}
	if moved := before.Weight != after.Weight; moved && after.Epoch != before.Epoch+1 && after.Phase != rollout.Ended || !moved && after.Epoch != before.Epoch {
		p.breaks("a new weight opens a new epoch", "entry %d: %s@%d to %s@%d", e.Seq, before.Weight, before.Epoch, after.Weight, after.Epoch)
	}
	p.grown(e, before, after)
	p.advanced(e, d, before, after)
	p.inTurn(e, before, after)
	p.count(e, before, after)
	if e.Kind == "rollout.promoted" && after.Replaces() {
		p.u.report.Replaced++
	}
	if e.Kind == "rollout.promoted" && !after.Exclusive && after.Strategy.Shrink && after.From > 0 {
		p.u.report.Shrunk++
	}
}

// grown checks that more traffic rests on fresh evidence of the gates.
func (p *promises) grown(e fairlead.Entry, before, after rollout.Rollout) {
	if after.Weight <= before.Weight || after.Kind == rollout.Back || before.Outcome == rollout.Promoted {
		return
	}
	until, proven := p.evidence[after.Digest]
	if !proven || !until.IsZero() && !e.Time.Before(until) {
		p.breaks("no traffic without evidence", "entry %d gives %s to %s@%d; its gates hold until %v, proven %t",
			e.Seq, after.Weight, after.Site, after.To, until, proven)
	}
	if before.Held == rollout.HeldPaused || before.Held == rollout.HeldLease {
		p.breaks("what is held stays", "entry %d gives %s to %s@%d, held: %s", e.Seq, after.Weight, after.Site, after.To, before.Held)
	}
	if p.u.siteOf(after.Site).script(after.To).never() {
		p.breaks("no traffic without evidence", "entry %d gives %s to %s@%d, which is %s", e.Seq, after.Weight, after.Site, after.To, p.u.siteOf(after.Site).script(after.To).kind)
	}
}

// advanced checks that a step was earned, and that a rollback has its reason.
func (p *promises) advanced(e fairlead.Entry, d decided, before, after rollout.Rollout) {
	if strings.Contains(after.Notes[len(after.Notes)-1].Text, "no instance can be started") {
		p.breaks("a release answers for itself alone", "entry %d: %s", e.Seq, after.Notes[len(after.Notes)-1].Text)
	}
	exposed := before.Weight > 0 && before.From > 0 && before.Phase != rollout.Returning && before.Held != "harm seen"
	if exposed && after.Verdict.Finding == fairlead.Harmful && e.Kind != "rollout.rolledBack" && e.Kind != "rollout.alerted" {
		p.breaks("harm turns back at once", "entry %d is %s on %+v", e.Seq, e.Kind, after.Verdict)
	}
	switch {
	case e.Kind == "rollout.advanced" && before.Weight == fairlead.Whole && before.From != 0: // nothing is left to compare with
		if before.Held != rollout.HeldInconclusive && after.Strategy.OnInconclusive != fairlead.OnInconclusivePromote {
			p.breaks("no silent pass", "entry %d advances %s at all traffic, and no person said so", e.Seq, after.ID)
		}
	case e.Kind == "rollout.advanced" && after.Strategy.OnInconclusive == fairlead.OnInconclusivePromote && e.Time.Sub(before.StepBegan) >= after.Strategy.MaxStep.D():
	case e.Kind == "rollout.advanced":
		if d.Verdict.Finding != fairlead.Safe || d.Verdict.E < d.Verdict.Needed || d.Verdict.Needed < 1/after.Strategy.Beta*0.999 {
			p.breaks("no silent pass", "entry %d advances on %+v", e.Seq, d.Verdict)
		}
		if n := p.canary[after.ID][before.Epoch]; n < 10 && p.u.siteOf(after.Site).script(after.From).sound() && !p.u.faults.hurtInstances() {
			p.breaks("no silent pass", "entry %d advances %s after %d requests of the canary in epoch %d", e.Seq, after.ID, n, before.Epoch)
		}
		given := p.epochs[after.ID][before.Epoch].Notes
		if spent := e.Time.Sub(given[len(given)-1].Time); spent < after.Strategy.MinStep.D() {
			p.breaks("no silent pass", "entry %d advances after %s of at least %s", e.Seq, spent, after.Strategy.MinStep)
		}
	case after.Outcome == rollout.Promoted && before.Outcome != rollout.Promoted:
		earned := after.From == 0 || after.Kind == rollout.Back || after.Replaces() || before.Weight == before.Weights[len(before.Weights)-2]
		if before.Phase != rollout.Starting || before.Step != len(before.Weights) || !earned {
			p.breaks("no silent pass", "entry %d promotes %s in phase %s, step %d of %d", e.Seq, after.ID, before.Phase, before.Step, len(before.Weights))
		}
	case before.Phase != rollout.Returning && after.Phase == rollout.Returning && after.Weight != 0:
		p.breaks("a rollback takes all traffic back", "entry %d leaves %s", e.Seq, after.Weight)
	}
}

// count notes what the judge said of sound and worse releases.
func (p *promises) count(e fairlead.Entry, before, after rollout.Rollout) {
	r := p.u.report
	at := p.u.siteOf(after.Site)
	if after.Kind != rollout.Forward || after.From == 0 || p.u.faults.hurtInstances() || unjudged(after) {
		return
	}
	from, to := at.script(after.From), at.script(after.To)
	judged := to.sound() && from.sound()
	harmed := e.Kind == "rollout.rolledBack" && after.Verdict.Finding == fairlead.Harmful
	switch {
	case judged && before.Epoch == 0 && after.Epoch == 1:
		r.Sound++
	case judged && harmed:
		r.Wronged++
	case to.kind == "worse" && from.sound() && before.Epoch == 0 && after.Epoch == 1:
		r.Worse++
	case to.kind == "worse" && from.sound() && after.Outcome == rollout.Promoted && before.Outcome != rollout.Promoted:
		r.Missed++
	}
}

// unjudged reports whether a rollout may be promoted without a verdict: because its
// file says so, or because a person may when nothing is left to compare with.
func unjudged(r rollout.Rollout) bool {
	blind := len(r.Weights) > 1 && r.Weights[len(r.Weights)-2] == fairlead.Whole
	return blind || r.Exclusive || r.Strategy.OnInconclusive == fairlead.OnInconclusivePromote
}
