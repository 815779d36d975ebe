package rollout

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/figures"
	"github.com/fairlead/fairlead/rollout/judge"
)

// Headline tells the whole story of a rollout in one sentence with its figures, for
// somebody in a hurry; "" without a rollout. now matters only while it moves or is
// watched. Shares of failures are of requests, as the tally counts them. It is pure.
func Headline(s State, now time.Time) string {
	if s.Rollout == nil {
		return ""
	}
	h := headline{s: s, r: *s.Rollout, now: now}
	h.judged = s.Report != nil && json.Unmarshal(s.Report, &h.report) == nil
	text := h.tell()
	if strings.HasPrefix(text, h.r.Site.App+"@") { // a name is written as it is
		return text + "."
	}
	return sentence(text) + "."
}

type headline struct {
	s      State
	r      Rollout
	now    time.Time
	report judge.Report
	judged bool
}

func (h headline) new() string { return fmt.Sprintf("%s@%d", h.r.Site.App, h.r.To) }
func (h headline) old() string { return fmt.Sprintf("%s@%d", h.r.Site.App, h.r.From) }

func (h headline) tell() string {
	switch {
	case h.r.Queues():
		return h.queued()
	case h.r.Kind == Back:
		return h.way()
	case h.r.Outcome == Failed, h.r.Outcome == Aborted && h.r.FirstTraffic.IsZero():
		return h.noTraffic()
	case h.r.Outcome == RolledBack, h.r.Outcome == Aborted:
		return h.wentBack()
	case h.r.Outcome == Promoted:
		return h.promoted()
	case h.r.FirstTraffic.IsZero():
		return h.before()
	}
	return h.moving()
}

// way tells of a release that gets its traffic back.
func (h headline) way() string {
	switch {
	case h.r.Outcome == Promoted:
		return fmt.Sprintf("%s has all traffic again, %s after it was asked for", h.new(), figures.Elapsed(h.r.Decided.Sub(h.r.Began)))
	case h.r.Outcome == Failed:
		return h.noTraffic()
	case h.r.Outcome != "":
		return fmt.Sprintf("a person stopped the way back to %s; %s keeps the traffic", h.new(), h.old())
	case h.r.Held != "":
		return fmt.Sprintf("the way back to %s is held: %s; %s keeps the traffic meanwhile", h.new(), h.held(), h.old())
	}
	return fmt.Sprintf("%s gets all traffic back from %s when its instances are ready", h.new(), h.old())
}

// noTraffic tells of a release that ended before its first request.
func (h headline) noTraffic() string {
	keeps := ""
	switch {
	case h.r.Replaces() && !h.r.StepBegan.IsZero():
		keeps = fmt.Sprintf("; %s has the traffic again", h.old())
	case h.r.From > 0 && h.r.From != h.r.To:
		keeps = fmt.Sprintf("; %s keeps the traffic", h.old())
	}
	because, _ := h.r.Because()
	if h.r.Outcome == Aborted {
		return fmt.Sprintf("a person stopped %s before it took traffic%s", h.new(), keeps)
	}
	return because.Text + keeps
}

// before tells of a release that waits for its first request.
func (h headline) before() string {
	takes := "it takes no traffic yet"
	if h.r.From == 0 {
		takes = "it is the first release in " + h.r.Site.Env
	}
	switch {
	case h.r.Held != "":
		return fmt.Sprintf("%s is held: %s; it takes no traffic yet", h.new(), h.held())
	case h.r.Phase == Gating:
		return fmt.Sprintf("%s waits until every gate holds; %s", h.new(), takes)
	}
	return fmt.Sprintf("instances of %s are starting; %s", h.new(), takes)
}

// moving tells of a release that earns its traffic.
func (h headline) moving() string {
	text := h.new() + " has " + h.r.Weight.String() + " of the traffic"
	if h.r.Weight == 0 && h.r.Mirroring() {
		text = fmt.Sprintf("copies of %s of the requests go to %s, which no client meets", h.r.Strategy.Mirror.Share.Weight(), h.new())
	}
	switch {
	case h.s.Tally.Canary.Requests > 0:
		text += " and " + h.compared("fails")
	case h.r.Weight > 0:
		text += ", and no request has come to it yet"
	}
	if h.r.Held != "" {
		return text + "; held: " + h.held()
	}
	return text + h.outlook()
}

// outlook says what comes next.
func (h headline) outlook() string {
	switch {
	case h.r.Phase == Starting && h.r.Step >= len(h.r.Weights):
		return "; its instances for " + h.r.Final().String() + " are starting"
	case h.r.Phase == Starting:
		return "; its instances for " + h.r.Weights[max(h.r.Step, 1)-1].String() + " are starting"
	case h.judged && h.report.Shared:
		return "; both fail far more than before, so nothing can be proven safe"
	case h.judged && h.report.Blocked != "":
		return "; it cannot be proven safe: " + h.report.Blocked
	case h.judged && h.report.Verdict.Finding == fairlead.Safe:
		return "; it is proven safe at this step"
	case !h.judged:
		return ""
	}
	if left := Left(h.report); left != nil {
		return "; about " + figures.Left(*left) + " to the next verdict"
	}
	return "; no verdict is in sight yet"
}

// held says why the rollout does not go on by itself, for somebody who has to do
// something about it.
func (h headline) held() string {
	if guard, ok := strings.CutPrefix(h.r.Held, HeldGuard); ok {
		return "guard " + guard + " is not good"
	}
	switch h.r.Held {
	case HeldPaused:
		return "a person paused it"
	case HeldInconclusive:
		return "neither safety nor harm was proven in its time"
	case HeldLease:
		return "nobody attended the gateway until its lease ran out"
	case HeldMismatch:
		return "its share of the users is not as it was told"
	case HeldMachine:
		return "this machine cannot start its instances"
	case HeldHarm:
		return "it looks worse, and no holdback remains to prove it"
	}
	return h.r.Held
}

// promoted tells of a release that has, or had, earned its traffic.
func (h headline) promoted() string {
	switch {
	case h.r.From == h.r.To:
		return fmt.Sprintf("%s was live in %s already; its replicas and route follow the file", h.new(), h.r.Site.Env)
	case h.r.From == 0:
		return fmt.Sprintf("%s has all traffic: it is the first release in %s, with nothing to compare it with", h.new(), h.r.Site.Env)
	}
	if h.r.Replaces() {
		return h.tookPlace()
	}
	text := h.new() + " was promoted"
	if h.blindly() {
		text += " " + withoutEvidence
	}
	text += " after " + figures.Elapsed(h.r.Decided.Sub(h.r.FirstTraffic))
	if h.r.Phase == Ended {
		return text + h.then("failed", "; it ")
	}
	return text + fmt.Sprintf(" with %s of the traffic", h.r.Weight) + h.then("fails", " and ") + h.watch()
}

// watch says how long a release is still watched, or why somebody should look at it.
func (h headline) watch() string {
	switch left := h.r.Strategy.RollbackWindow.D() - h.now.Sub(h.r.Decided); {
	case h.r.Held != "":
		return "; it should be looked at: " + h.held()
	case left > 0:
		return "; it is watched for another " + figures.Left(left.Seconds())
	}
	return ""
}

// blindly reports whether a step was left without evidence of safety.
func (h headline) blindly() bool {
	return slices.ContainsFunc(h.r.Notes, func(n Note) bool { return strings.Contains(n.Text, withoutEvidence) })
}

// wentBack tells of a release whose traffic goes, or went, back.
func (h headline) wentBack() string {
	took := "after " + figures.Elapsed(h.r.Decided.Sub(h.r.FirstTraffic))
	if h.r.Phase == Returning {
		took += ", and its traffic is going back"
	}
	because, _ := h.r.Because()
	switch {
	case because.Text == stoppedByPerson && h.r.Outcome == Aborted:
		return h.new() + " was aborted by a person " + took + h.then("failed", "; it ") + h.hurt()
	case because.Text == stoppedByPerson:
		return h.new() + " was rolled back by a person " + took + h.then("failed", "; it ") + h.hurt()
	case h.r.Verdict.Finding != fairlead.Harmful && strings.HasPrefix(because.Text, h.new()):
		return because.Text + "; rolled back " + took + h.hurt()
	case h.r.Verdict.Finding != fairlead.Harmful:
		return h.new() + " was rolled back " + took + ": " + because.Text + h.hurt()
	}
	return h.worse() + "; rolled back " + took + h.hurt()
}

// hurt counts the requests that failed on the new release.
func (h headline) hurt() string {
	switch n := h.s.Tally.Canary.Failed; {
	case h.r.unmet():
		return "; no client met it"
	case n == 0:
		return "; no request was hurt"
	case n == 1:
		return "; 1 request was hurt"
	default:
		return "; " + figures.Count(n) + " requests were hurt"
	}
}

// then compares both releases' requests after a link such as " and "; "" before the
// first request of the new one.
func (h headline) then(verb, link string) string {
	if h.s.Tally.Canary.Requests == 0 {
		return ""
	}
	return link + h.compared(verb)
}

// compared says which share of both releases' requests failed.
func (h headline) compared(verb string) string {
	t := h.s.Tally
	if t.Stable.Requests == 0 {
		return fmt.Sprintf("%s %s of its requests", verb, figures.Percent(t.Canary.share()))
	}
	return fmt.Sprintf("%s %s where %s %s %s", verb, figures.Percent(t.Canary.share()), h.old(), verb, figures.Percent(t.Stable.share()))
}

// share returns the part of the requests that failed; 0 without requests.
func (t ArmTally) share() float64 {
	if t.Requests == 0 {
		return 0
	}
	return float64(t.Failed) / float64(t.Requests)
}
