package rollout

import (
	"fmt"
	"time"

	"github.com/fairlead/fairlead"
)

// explained is the kind of the decision that a person's reason accounts for a
// mismatch of shares.
const explained = "rollout.explained"

// leaseTTL is how long a gateway keeps a partial split without hearing from the
// control plane.
const leaseTTL = 15 * time.Second

// Words of notes that tell a headline what happened.
const (
	stoppedByPerson = "stopped by a person"
	withoutEvidence = "without evidence"
)

// Decision is what became of a rollout by one input. The zero Kind means that
// nothing was decided and Rollout is unchanged.
type Decision struct {
	Kind    string // of the ledger entry, such as "rollout.advanced"
	Text    string // in a sentence
	Rollout Rollout
}

// Decide returns what one input, the judge's verdict and its outlook make of a
// rollout. It is pure. Harm is looked at first, then people's commands, then the phase.
func Decide(r Rollout, in Input, v fairlead.Verdict, o Outlook) Decision {
	d := decision{r: r, in: in, v: v, o: o}
	d.r.Notes = r.Notes[:len(r.Notes):len(r.Notes)] // never write into the caller's array
	switch {
	case r.Phase == Ended:
	case d.harmed():
	case in.Command != "":
		d.obey()
	case in.Expired && r.Held != HeldLease && partial(r):
		d.expire()
	case d.breached():
	case d.starved():
	case d.unable():
	default:
		d.phase()
	}
	if d.kind == "" {
		return Decision{Rollout: r}
	}
	d.r.Verdict = v
	d.r.Notes = append(d.r.Notes, Note{Time: in.Now, Text: d.text, Why: in.Why})
	return Decision{Kind: d.kind, Text: d.text, Rollout: d.r}
}

// decision collects one decision in the making.
type decision struct {
	r    Rollout
	in   Input
	v    fairlead.Verdict
	o    Outlook
	kind string
	text string
}

func (d *decision) say(kind, format string, args ...any) {
	d.kind, d.text = kind, fmt.Sprintf(format, args...)
}

// harmed goes back when the judge has found harm, or when an instance that takes
// traffic will never serve again. It reports whether it decided.
func (d *decision) harmed() bool {
	exposed := d.r.exposed()
	switch {
	case exposed && d.v.Finding == fairlead.Harmful && d.guardOnly():
		if d.r.Held != HeldHarm {
			d.r.Held = HeldHarm
			d.say("rollout.alerted", "%s is worse: %s; nothing is rolled back, because no holdback remains to compare with",
				d.name(), evidence(d.v)+d.because(d.v))
			return true
		}
		return false
	case exposed && d.v.Finding == fairlead.Harmful:
		d.goBack(RolledBack, "%s is worse: %s", d.name(), evidence(d.v)+d.because(d.v))
		return true
	case d.in.New.Broken != "" && exposed && d.r.Phase != Returning:
		d.goBack(RolledBack, "%s does not stay up: %s", d.name(), d.in.New.Broken)
		return true
	case d.in.New.Broken != "" && !exposed && d.r.Phase == Starting && d.r.Replaces():
		d.giveUp(d.in.New.Broken)
		return true
	case d.in.New.Broken != "" && !exposed && d.r.Phase == Starting:
		d.end(Failed, "rollout.failed", "%s took no traffic: %s", d.name(), d.in.New.Broken)
		return true
	}
	return false
}

// guardOnly reports whether the judge has no control arm any more.
func (d *decision) guardOnly() bool {
	return d.r.Phase == Watching && d.r.Final() == fairlead.Whole
}

func (d *decision) obey() {
	switch d.in.Command {
	case Pause:
		if d.r.Moving() && d.r.Held == "" && !d.r.Queues() {
			d.r.Held = HeldPaused
			d.say("rollout.paused", "paused at %s", d.r.Weight)
		}
	case Resume:
		d.resume()
	case Abort, Rollback:
		outcome := RolledBack
		if d.in.Command == Abort {
			outcome = Aborted
		}
		d.turnBack(outcome)
	case Supersede:
		if d.r.Phase == Watching {
			d.setWeight(fairlead.Whole)
			d.r.Phase = Ended
			d.say("rollout.ended", "the watch of %s ends: a newer release comes after it", d.name())
		}
	}
}

func (d *decision) resume() {
	if d.r.Held == "" {
		return
	}
	was := d.r.Held
	if was == HeldMismatch && d.in.Why == "" {
		return // it stays until it is explained
	}
	d.r.Held = ""
	switch {
	case was == HeldLease && d.r.Phase == Watching:
		d.setWeight(d.r.Final())
	case was == HeldLease:
		d.r.Phase = Starting // which gives the step's weight again
	}
	if was == HeldInconclusive && d.r.Weight == fairlead.Whole { // no evidence can come: a person decides
		d.advance("rollout.advanced", "a person lets %s go on "+withoutEvidence, d.name())
		return
	}
	d.r.StepBegan = d.in.Now
	if d.waive(was) {
		return
	}
	if was == HeldMismatch {
		d.say(explained, "a person has explained why %s; safety is proven afresh at %s", d.o.Mismatch, d.r.Weight)
		return
	}
	d.say("rollout.resumed", "resumed at %s after being held: %s", d.r.Weight, was)
}

func (d *decision) turnBack(outcome Outcome) {
	if d.r.Phase == Returning {
		return
	}
	if d.r.Queues() { // what had the traffic has ended, or is about to
		d.goBack(Aborted, stoppedByPerson)
		return
	}
	if d.r.FirstTraffic.IsZero() || d.r.From == 0 {
		d.end(Aborted, "rollout.aborted", "stopped by a person before %s took traffic", d.name())
		return
	}
	d.goBack(outcome, stoppedByPerson)
}

// expire follows a gateway that went to the fallback weight alone.
func (d *decision) expire() {
	d.r.Held = HeldLease
	if d.r.Phase == Starting && d.r.Step > 1 && d.r.Outcome == "" {
		d.r.Step-- // evidence of safety is collected afresh, so the step is earned again
	}
	d.setWeight(d.in.Fallen)
	d.say("rollout.held", "the lease expired: the gateway went to %s for %s while nobody attended it", d.r.Weight, d.name())
}

func (d *decision) phase() {
	switch d.r.Phase {
	case Gating:
		d.gating()
	case Clearing:
		d.clearing()
	case Starting:
		d.starting()
	case Stepping:
		d.stepping()
	case Watching:
		d.watching()
	case Returning:
		d.returning()
	}
}

func (d *decision) gating() {
	switch {
	case d.in.Gates.Failed != "":
		d.end(Failed, "rollout.failed", "%s took no traffic: %s", d.name(), d.in.Gates.Failed)
	case d.in.Gates.holds(d.in.Now) && d.r.Replaces():
		d.clear()
	case d.in.Gates.holds(d.in.Now):
		d.r.Phase, d.r.Step = Starting, 1
		d.say("rollout.starting", "every gate holds; instances of %s are starting", d.name())
	}
}

// starting waits for the instances that the next weight needs, and then gives it.
func (d *decision) starting() {
	if d.r.Held != "" || d.in.New.Ready < d.starters() {
		d.overdue()
		return
	}
	if d.r.Kind == Forward && !d.in.Gates.holds(d.in.Now) {
		d.gateLapsed()
		return
	}
	if d.r.FirstTraffic.IsZero() {
		d.r.FirstTraffic, d.r.Thresholds, d.r.First, d.r.Amounts = d.in.Now, d.in.Frozen, d.in.First, d.in.Amounts
	}
	if d.r.Step == len(d.r.Weights) {
		d.promote()
		return
	}
	d.setWeight(d.r.Weights[d.r.Step-1])
	d.r.Phase, d.r.StepBegan = Stepping, d.in.Now
	if d.r.Weight == 0 {
		d.r.Epoch = max(d.r.Epoch, 1) // no traffic moves, and what is compared begins
		d.say("rollout.stepped", "step %d of %d: copies of %s of the requests go to %s; no client meets it",
			d.r.Step, len(d.r.Weights), d.r.Strategy.Mirror.Share.Weight(), d.name())
		return
	}
	d.say("rollout.stepped", "step %d of %d: %s of the traffic goes to %s", d.r.Step, len(d.r.Weights), d.r.Weight, d.name())
}

// gateLapsed waits for evidence that expired before the next weight was given, and
// ends the rollout if a gate that ran again failed.
func (d *decision) gateLapsed() {
	switch {
	case d.in.Gates.Failed == "":
	case d.r.Weight > 0:
		d.goBack(RolledBack, "a gate ran again and failed: %s", d.in.Gates.Failed)
	case d.r.Replaces():
		d.giveUp(d.in.Gates.Failed)
	default:
		d.end(Failed, "rollout.failed", "%s took no traffic: %s", d.name(), d.in.Gates.Failed)
	}
}

// starters is how many instances the coming weight needs ready.
func (d *decision) starters() int {
	switch {
	case d.r.shrinks():
		_, new := d.r.shrunk()
		return new
	case d.r.Kind == Back || d.r.Replaces() || d.r.Strategy.Type == fairlead.BlueGreen:
		return d.r.Replicas
	}
	return need(d.r.Replicas, d.r.load(d.r.Weights[d.r.Step-1]))
}

func (d *decision) promote() {
	d.setWeight(d.r.Final())
	d.r.Outcome, d.r.Decided, d.r.StepBegan = Promoted, d.in.Now, d.in.Now
	switch {
	case d.r.From == 0:
		d.r.Phase = Ended
		d.say("rollout.promoted", "%s has all traffic: it is the first release here, so there was nothing to compare it with", d.name())
	case d.r.Replaces():
		d.replaced()
	case d.r.Kind == Back:
		d.r.Phase = Ended
		d.say("rollout.promoted", "%s has all traffic again", d.name())
	case d.r.Watched():
		d.r.Phase = Watching
		d.say("rollout.promoted", "%s is promoted with %s of the traffic; it is watched for %s", d.name(), d.r.Weight, written(d.r.Strategy.RollbackWindow))
	default:
		d.r.Phase, d.r.Weight = Ended, fairlead.Whole
		d.say("rollout.promoted", "%s is promoted with all traffic", d.name())
	}
}

func (d *decision) stepping() {
	spent := d.in.Now.Sub(d.r.StepBegan)
	switch {
	case d.r.Held != "" && d.r.Held != HeldInconclusive && d.r.Held != HeldMismatch:
	case d.v.Finding == fairlead.Safe && spent >= d.r.Strategy.MinStep.D():
		if d.waitsForGuard() {
			return
		}
		grow(&d.r, min(d.o.Bound, d.r.Strategy.Margin.Absolute))
		d.advance("rollout.advanced", "step %d is safe: %s", d.r.Step, evidence(d.v))
	case d.r.Held == "" && d.o.Mismatch != "":
		d.r.Held = HeldMismatch
		d.say("rollout.held", "%s; held at %s until a person explains it, by resuming with a reason", d.o.Mismatch, d.r.Weight)
	case spent >= d.r.Strategy.MinStep.D() && d.o.Bound < 1 && d.guardsGood() && earned(d.r, d.o.Bound) > 0:
		d.growEarly(earned(d.r, d.o.Bound))
	case d.r.Held == HeldInconclusive, d.r.Held == HeldMismatch && d.holds():
	case d.r.Weight == fairlead.Whole:
		d.inconclusive("with all traffic on it there is nothing to compare it with")
	case spent >= d.r.Strategy.MaxStep.D():
		d.inconclusive(fmt.Sprintf("neither safety nor harm was proven in %s (%s)", written(d.r.Strategy.MaxStep), evidence(d.v)))
	default:
		d.foresee(spent)
	}
}

// growEarly widens a step that is not safe yet, since great harm is excluded. The step
// is still to be earned, at the wider weight.
func (d *decision) growEarly(w fairlead.Weight) {
	d.r.Weights, d.r.Phase, d.r.Held = atLeast(d.r.Weights, d.r.Step-1, w), Starting, ""
	d.say("rollout.grown", "step %d grows to %s before it is safe: no signal is worse by %.0f points or more", d.r.Step, w, 100*d.o.Bound)
}

// holds reports whether an inconclusive step waits for a person.
func (d *decision) holds() bool {
	switch d.r.Strategy.OnInconclusive {
	case fairlead.OnInconclusiveRollback, fairlead.OnInconclusivePromote:
		return false
	case fairlead.OnInconclusiveWiden:
		return d.r.Weight >= widest
	}
	return true
}

// advance makes the next weight due; starting gives it when its instances are ready.
func (d *decision) advance(kind, format string, args ...any) {
	d.r.Step++
	d.r.Phase, d.r.Held = Starting, ""
	d.say(kind, format, args...)
}

func (d *decision) inconclusive(why string) {
	switch d.r.Strategy.OnInconclusive {
	case fairlead.OnInconclusiveRollback:
		d.goBack(RolledBack, "inconclusive: %s", why)
	case fairlead.OnInconclusivePromote:
		if d.waitsForGuard() {
			return
		}
		d.advance("rollout.advanced", "inconclusive: %s; it goes on "+withoutEvidence+", because its file says so", why)
	case fairlead.OnInconclusiveWiden:
		if d.widen(why) {
			return
		}
		fallthrough
	default:
		d.r.Held = HeldInconclusive
		d.say("rollout.held", "inconclusive: %s; held at %s until evidence or a person decides", why, d.r.Weight)
	}
}

func (d *decision) widen(why string) bool {
	if d.r.Weight >= widest || d.r.Weight == 0 { // what clients have not met is not given to them to learn faster
		return false
	}
	wider := widerWeight(d.r)
	d.r.Weights, d.r.Phase, d.r.Held = atLeast(d.r.Weights, d.r.Step-1, wider), Starting, ""
	expected := ""
	if f := d.o.Wider; f.Seconds != nil {
		expected = fmt.Sprintf("; %s it needs about %s there", At(f), Span(seconds(*f.Seconds)))
	}
	d.say("rollout.widened", "inconclusive: %s; widened to %s to learn faster%s", why, wider, expected)
	return true
}

func (d *decision) watching() {
	if d.in.Now.Sub(d.r.Decided) < d.r.Strategy.RollbackWindow.D() {
		return
	}
	d.setWeight(fairlead.Whole)
	d.r.Phase, d.r.Held = Ended, ""
	d.shows()
	d.say("rollout.ended", "the rollback window of %s has passed; %s has all traffic", written(d.r.Strategy.RollbackWindow), d.name())
}

// returning ends when the gateway has the weight of nothing in force.
func (d *decision) returning() {
	if d.r.Replaces() {
		d.restoring()
		return
	}
	if d.in.Applied < d.r.Epoch {
		return
	}
	d.r.Phase = Ended
	if d.r.unmet() {
		d.say("rollout.ended", "all traffic has stayed on %s@%d: no client met %s", d.r.Site.App, d.r.From, d.name())
		return
	}
	d.say("rollout.ended", "all traffic is back on %s@%d", d.r.Site.App, d.r.From)
}

func (d *decision) goBack(outcome Outcome, format string, args ...any) {
	if d.r.Weight == 0 && d.r.Mirroring() {
		d.r.Epoch++ // it ends when the gateway has no more to copy
	}
	d.setWeight(0)
	d.r.Phase, d.r.Outcome, d.r.Decided, d.r.Held = Returning, outcome, d.in.Now, ""
	kind := "rollout.rolledBack"
	switch outcome {
	case Aborted:
		kind = "rollout.aborted"
	case Failed:
		kind = "rollout.failed"
	}
	d.say(kind, format, args...)
}

func (d *decision) end(outcome Outcome, kind, format string, args ...any) {
	d.r.Weight = 0
	d.r.Phase, d.r.Outcome, d.r.Decided, d.r.Held = Ended, outcome, d.in.Now, ""
	d.say(kind, format, args...)
}

// setWeight opens a new epoch when the weight changes.
func (d *decision) setWeight(w fairlead.Weight) {
	if d.r.Weight == w {
		return
	}
	d.r.Weight = w
	d.r.Epoch++
}

func (d *decision) name() string { return fmt.Sprintf("%s@%d", d.r.Site.App, d.r.To) }
func (d *decision) old() string  { return fmt.Sprintf("%s@%d", d.r.Site.App, d.r.From) }

// Fallback is the weight that a gateway gives the new release when the lease
// runs out: all once it is promoted, what it has while a rolling rollout has
// given its places away, else nothing. No release gets more of the traffic than
// its ready instances were meant to carry, or than it has already.
func Fallback(r Rollout, oldReady, newReady int) fairlead.Weight {
	switch {
	case r.Outcome == Promoted:
		return max(r.Weight, capacity(newReady, r.Replicas))
	case r.Strategy.Type == fairlead.Rolling:
		return r.Weight
	}
	return min(r.Weight, fairlead.Whole-capacity(oldReady, r.OldReplicas))
}

// capacity returns the share of the traffic that ready instances of full carry.
func capacity(ready, full int) fairlead.Weight {
	if ready >= full {
		return fairlead.Whole
	}
	return fairlead.Weight(ready * int(fairlead.Whole) / full)
}

func partial(r Rollout) bool { return r.Weight > 0 && r.Weight < fairlead.Whole }

// evidence puts a verdict in words.
func evidence(v fairlead.Verdict) string {
	text := fmt.Sprintf("E = %s of %s needed", eText(v.E), figure(v.Needed))
	if v.Signal != "" {
		text = v.Signal + ", " + text
	}
	if v.Blocked != "" {
		text += "; " + v.Blocked
	}
	return text
}
