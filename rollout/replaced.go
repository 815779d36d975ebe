package rollout

import (
	"fmt"

	"github.com/fairlead/fairlead/internal/figures"
)

// queued tells of a site whose requests wait.
func (h headline) queued() string {
	waits := ""
	switch h.s.Waiting {
	case 0:
	case 1:
		waits = "; 1 request waits"
	default:
		waits = "; " + figures.Count(uint64(h.s.Waiting)) + " requests wait"
	}
	because, _ := h.r.Because()
	switch h.r.Phase {
	case Clearing:
		return fmt.Sprintf("the traffic is queued while %s ends, and %s takes its place then%s", h.old(), h.new(), waits)
	case Starting:
		return fmt.Sprintf("the traffic is queued until %s is ready in the place of %s%s", h.new(), h.old(), waits)
	}
	return fmt.Sprintf("%s; the traffic is queued until %s is back%s", h.cause(because.Text), h.old(), waits)
}

// cause names the release in why it goes back.
func (h headline) cause(text string) string {
	if text == stoppedByPerson {
		return "a person stopped " + h.new()
	}
	return text
}

// tookPlace tells of a release that has, or had, taken the place of another.
func (h headline) tookPlace() string {
	if h.r.Replacement == nil {
		return h.new() + " has all traffic"
	}
	text := fmt.Sprintf("%s took the place of %s, for which requests waited %s; the two never ran at once, so nothing was compared",
		h.new(), h.old(), figures.Elapsed(h.r.Replacement.Ended.Sub(h.r.Replacement.Began)))
	if h.r.Phase == Ended {
		return text
	}
	return text + h.watch()
}

// replacement says how one release took another's place, and what either showed alone.
func (e *explanation) replacement() {
	if !e.r.Replaces() || e.r.Replacement == nil {
		return
	}
	p, old, new := e.r.Replacement, fmt.Sprintf("%s@%d", e.r.Site.App, e.r.From), fmt.Sprintf("%s@%d", e.r.Site.App, e.r.To)
	e.say("%s and %s never run at once, so nothing compares them: gates, readiness, crashes and guards decide, and no error is stated.", old, new)
	if e.r.Queues() {
		e.say("Requests have waited at the gateway for %s; %d wait now.", since(e.now, p.Began), e.s.Waiting)
	}
	if p.Before != nil {
		e.say("Before, %s.", p.Before.words(old))
	}
	if p.After != nil {
		e.say("At the end of its watch, %s. That is information, and no comparison.", p.After.words(new))
	}
}

// words says what a release showed alone.
func (o Own) words(name string) string {
	return fmt.Sprintf("%s failed in %s of its %s newest requests, with p50 %.3g ms and p99 %.3g ms",
		name, figures.Percent(float64(o.Failed)/float64(max(1, o.Ended))), figures.Count(o.Ended), o.P50, o.P99)
}
