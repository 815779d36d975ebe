package rollout

import (
	"fmt"
	"strings"

	"github.com/fairlead/fairlead"
)

// Ask is what a person asks of a site's newest rollout.
type Ask struct {
	Command Command
	Why     fairlead.Sealed // in the person's words; "" for none
	Rollout string          // which rollout is meant; "" for whichever is the newest. Another is a conflict
	To      int             // of a rollback, the release that it is to bring back; 0 for whichever that is
}

// commands are what a person may ask, in the order in which they are offered.
var commands = []Command{Pause, Resume, Abort, Rollback}

// Possible returns what a person can ask of s.Rollout now: nothing if a newer one has
// come after it. What it says is what [Engine.Act] does, for it tries the very decision.
func (s State) Possible() []Command {
	if s.Rollout == nil || s.Live.Rollout != s.Rollout.ID {
		return nil
	}
	var possible []Command
	for _, c := range commands {
		if s.possible(c) {
			possible = append(possible, c)
		}
	}
	return possible
}

func (s State) possible(c Command) bool {
	if s.Rollout.Phase == Ended {
		return c == Rollback && s.BackTo() > 0
	}
	return !s.Rollout.goingBack(c) && s.tried(c).Kind != ""
}

// tried returns what would be decided if a person asked for c, where nothing else
// comes between.
func (s State) tried(c Command) Decision {
	return Decide(*s.Rollout, Input{Now: s.Counted, Command: c, Why: "tried"}, fairlead.Verdict{Finding: fairlead.Inconclusive}, Outlook{Bound: 1})
}

// goingBack reports whether r is the way back that c asks for.
func (r Rollout) goingBack(c Command) bool { return c == Rollback && r.Kind == Back }

// NeedsReason reports whether a command is taken only with a reason.
func (r Rollout) NeedsReason(c Command) bool { return c == Resume && r.Held == HeldMismatch }

// BackTo returns the release that a rollback gives the traffic to, 0 where there is none.
func (s State) BackTo() int {
	switch r := s.Rollout; {
	case r == nil || r.Phase == Ended:
		return s.Live.Previous
	case r.Kind == Back:
		return r.To
	default:
		return r.From
	}
}

// Meant reports whether nothing is left to do for an ask, because an earlier one has
// done it. One that means another rollout or release than there is now is a conflict.
func (s State) Meant(a Ask, op string) (done bool, err error) {
	r := s.Rollout
	back := a.Command == Rollback && a.To > 0
	switch {
	case back && r != nil && r.Phase == Ended && s.Live.Stable == a.To:
		return true, nil
	case back && r != nil && r.Phase == Returning && r.From == a.To:
		return true, nil
	case back && r != nil && r.Phase != Ended && r.Kind == Back && r.To == a.To:
		return true, nil
	case a.Rollout != "" && a.Rollout != s.Live.Rollout:
		return false, fairlead.Errorf(fairlead.Conflict, op, "another rollout has come after the one that is meant").
			WithHint("look at what is there now: fairlead status %s", s.Live.Site.App)
	case back && s.BackTo() != a.To:
		return false, fairlead.Errorf(fairlead.Conflict, op, "%s@%d is not what a rollback brings back now", s.Live.Site.App, a.To).
			WithHint("look at what is there now: fairlead status %s", s.Live.Site.App)
	}
	return false, nil
}

// Consequence says what a command that is possible would do, in sentences with numbers.
func (s State) Consequence(c Command) string {
	r := *s.Rollout
	name, old := fmt.Sprintf("%s@%d", r.Site.App, r.To), fmt.Sprintf("%s@%d", r.Site.App, r.From)
	switch {
	case c == Pause && r.Weight == 0:
		return fmt.Sprintf("%s waits before its traffic begins, until somebody resumes it.", name)
	case c == Pause:
		return fmt.Sprintf("%s stays at %s of the traffic until somebody resumes it. Judging goes on: evidence of harm still rolls it back.", name, r.Weight)
	case c == Resume:
		return s.resumption(name)
	case r.Phase == Ended && s.Live.Exclusive:
		return fmt.Sprintf("Requests wait while %s@%d, which has all traffic now, ends and %s@%d starts in its place (%d wanted).",
			r.Site.App, s.Live.Stable, r.Site.App, s.Live.Previous, s.Live.Replicas)
	case r.Phase == Ended:
		return fmt.Sprintf("%s@%d gets all traffic again as soon as its instances are ready (%d wanted); %s@%d has it now.",
			r.Site.App, s.Live.Previous, s.Live.Replicas, r.Site.App, s.Live.Stable)
	case r.Queues():
		return fmt.Sprintf("%s ends here, before it took traffic. Requests wait until %s is ready again.", name, old)
	case r.FirstTraffic.IsZero() && r.From == 0:
		return fmt.Sprintf("%s ends here, before it took traffic. No other release is live in %s.", name, r.Site.Env)
	case r.FirstTraffic.IsZero() || r.From == 0:
		return fmt.Sprintf("%s ends here, before it took traffic. %s keeps all traffic.", name, old)
	}
	if r.Replaces() {
		return fmt.Sprintf("Requests wait while the instances of %s end and those of %s start; then %s has all traffic again. %s", name, old, old, recordedAs[c])
	}
	text := fmt.Sprintf("%s gets all traffic back at once: %s has %s now.", old, name, r.Weight)
	if r.Weight == 0 {
		text = fmt.Sprintf("%s keeps all traffic, and copies of requests no longer go to %s.", old, name)
	}
	return text + " " + recordedAs[c]
}

// resumption says what a resume would do.
func (s State) resumption(name string) string {
	r, after := *s.Rollout, s.tried(Resume).Rollout
	switch guard, byGuard := strings.CutPrefix(r.Held, HeldGuard); {
	case r.Phase == Watching && r.Held != HeldLease:
		return fmt.Sprintf("The alert is closed, and the watch of %s goes on at %s of the traffic.", name, r.Weight)
	case byGuard:
		return fmt.Sprintf("%s goes on at %s of the traffic past guard %s, which holds it no more.", name, r.Weight, guard)
	case r.Held == HeldLease && after.Phase == Watching:
		return fmt.Sprintf("%s gets %s of the traffic again.", name, after.Weight)
	case r.Held == HeldLease && r.Step > 0:
		return fmt.Sprintf("%s gets %s of the traffic again, and proves its safety afresh.", name, r.Weights[r.Step-1])
	case r.Held == HeldMismatch:
		return fmt.Sprintf("%s goes on at %s of the traffic, and proves its safety afresh. Your reason stands as the explanation of its share.", name, r.Weight)
	case after.Step > r.Step:
		return fmt.Sprintf("%s goes on to step %d of %d %s: with all traffic on it nothing can be proven.", name, after.Step, len(after.Weights), withoutEvidence)
	case r.FirstTraffic.IsZero():
		return name + " goes on, and takes traffic as soon as its gates hold and its instances are ready."
	}
	return fmt.Sprintf("%s goes on at %s of the traffic, and advances as soon as its step is proven safe. The step's time begins anew.", name, r.Weight)
}

var recordedAs = map[Command]string{
	Abort:    "It is recorded as aborted: a decision about the rollout, not about the release.",
	Rollback: "It is recorded as rolled back.",
}

// Needs says what a person must do about a site, and who; "" where nobody must.
func (s State) Needs() string {
	r := s.Rollout
	if r == nil || r.Held == "" || r.Phase == Ended {
		return ""
	}
	switch guard, byGuard := strings.CutPrefix(r.Held, HeldGuard); {
	case r.Held == HeldHarm:
		return "an operator must decide whether to roll back: " + r.Held
	case r.Held == HeldMachine:
		return "somebody must mend what the machine lacks: see fairlead explain; then it goes on by itself"
	case r.Phase == Watching && byGuard:
		return fmt.Sprintf("an operator must decide whether to roll back: guard %s is not good", guard)
	case byGuard:
		return fmt.Sprintf("an operator must resume or abort, unless guard %s gets good again", guard)
	case r.Held == HeldMismatch:
		return "an operator must explain and resume, or abort: " + r.Held
	}
	return "an operator must resume or abort: " + r.Held
}
