package gateway

import (
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway/trace"
)

// Ticket is one request on its way, whatever carries it: assigned to a release,
// counted there, and in flight at an instance. Its owner ends it. It is not safe
// for concurrent use.
type Ticket struct {
	proxy    *proxy
	site     fairlead.Site
	at       place
	backend  *backend
	instance *instance // nil when nothing is ready
	tried    []*instance
	up       *atomic.Int64 // see siteState
	observed *observation  // nil when the request is not evidence
	record   observation
	reading  reading           // of what its answer reports
	traces   func() *trace.Key // nil when it is not evidence of a rollout
	nonce    uint64            // of its trace

	waiter     *waiter       // its place in the line of a site that queues; nil when it never waited
	queued     time.Duration // how long it waited there
	turnedAway bool          // it waited in vain, or there was no room
}

// Admit assigns a request's unit to a release of the site's route, counts it, and
// chooses an instance, all by one snapshot. It returns nil when the site has no
// route.
func (c *Core) Admit(site fairlead.Site, unit string, now time.Time) *Ticket {
	p := c.proxy
	p.requests.Add(1)
	t := p.pin()
	defer t.unpin()
	r := t.sites[site]
	if r == nil {
		p.refused.Add(1)
		return nil
	}
	x := &Ticket{proxy: p, site: site}
	x.enter(r, unit, false, now)
	return x
}

// enter admits the ticket, or lets it wait where the site queues. It runs under a
// pinned table. A fresh unit is the request's own: no other will have it.
func (x *Ticket) enter(r *route, unit string, fresh bool, now time.Time) {
	x.up = r.up
	if r.queues() && !x.serves(r, unit, now) {
		x.await(r, unit, fresh, now)
		return
	}
	x.admit(r, unit, fresh, now)
}

// admit assigns, counts and places the ticket. It runs under a pinned table.
func (x *Ticket) admit(r *route, unit string, fresh bool, now time.Time) {
	if r.assignment.By == fairlead.ByRun && !fresh {
		x.at = r.placeRun(unit, now)
	} else {
		x.at = r.placeUnit(unit)
	}
	if x.at.counted {
		x.observed = &x.record
		r.book.arrive(x.observed, now, arrivalOf(r, x.at, unit))
		if r.split != nil {
			x.traces, x.nonce = r.split.traces, x.proxy.nonce()
		}
	}
	x.place(r, now)
}

// arrivalOf returns whose evidence a request is.
func arrivalOf(r *route, at place, unit string) arrival {
	a := arrival{deadline: r.timeout}
	if s := r.split; s != nil {
		a.rollout, a.epoch, a.canary, a.limits = s.rollout, s.epoch, at.canary, s.limits
		a.unit, a.hasUnit = s.keys.id(unit), true
	}
	return a
}

// place chooses an instance that was not tried: of the assigned release, or of the
// other arm when none of it is left, which is a failure of the assigned release.
// It leaves instance nil when there is none. It runs under a pinned table.
func (x *Ticket) place(r *route, now time.Time) {
	x.backend, x.instance = r.of(x.at.release), nil
	if x.backend != nil {
		x.instance = x.backend.pick(x.tried, now, x.proxy.draw())
	}
	if x.instance == nil {
		x.observed.fail(fairlead.Reset)
		if x.backend = r.other(x.at.release); x.backend != nil {
			x.instance = x.backend.pick(x.tried, now, x.proxy.draw())
		}
	}
	if x.instance != nil {
		x.instance.inFlight.Add(1)
	}
}

// Release returns the release that the request is assigned to.
func (x *Ticket) Release() int { return x.at.release }

// Canary reports whether that is the canary of a rollout.
func (x *Ticket) Canary() bool { return x.at.canary }

// Instance returns the id of the instance that serves the request: of another
// release when none of the assigned one is left, "" when nothing is ready.
func (x *Ticket) Instance() string {
	if x.instance == nil {
		return ""
	}
	return x.instance.id
}

// Fail counts a failure, once a request.
func (x *Ticket) Fail(class fairlead.Class) { x.observed.fail(class) }

// Report counts what the answer reports: the lines of a Fairlead-Signal header or
// trailer, which may come after everything else. What is of no use is left out and
// counted in the metrics.
func (x *Ticket) Report(lines []string) {
	if x.observed == nil || len(lines) == 0 {
		return
	}
	fresh, ignored := x.reading.take(lines)
	for _, s := range fresh {
		switch {
		case s.name == fairlead.ErrorSignal:
			if s.value == 1 {
				x.observed.fail(fairlead.Declared)
			}
		case !x.observed.report(s):
			ignored++
		}
	}
	x.proxy.signals.Add(uint64(len(fresh)))
	x.proxy.ignored.Add(uint64(ignored))
}

// Trace returns the receipt for late reports on the request's answer; "" when it is
// not evidence of a rollout.
func (x *Ticket) Trace() string { return x.traceOf(x.at.canary, false) }

// traceOf returns the receipt for one release's answer to the request. It is the same
// each time.
func (x *Ticket) traceOf(canary, mirrored bool) string {
	if x.traces == nil {
		return ""
	}
	return x.traces().Seal(trace.Trace{
		Second: x.record.cell.second, Epoch: x.record.cell.epoch,
		Canary: canary, Mirrored: mirrored, Unit: x.record.unit, Nonce: x.nonce,
	})
}

// FirstByte notes the first byte of the answer. That of a stream is its latency: from
// here on it may last.
func (x *Ticket) FirstByte(now time.Time, stream bool) { x.observed.firstByte(now, stream) }

// Reached notes that a connection to the instance could be had.
func (x *Ticket) Reached(now time.Time) {
	x.up.Store(now.UnixNano())
	if x.instance.reached() {
		x.proxy.note(Event{Time: now, Kind: eventRestored, Site: x.site, Text: x.instance.id + " can be reached again"})
		x.instance.restore()
	}
}

// Unreachable notes that no connection to the instance could be had, so that no
// byte was sent, and chooses another instance by the snapshot in force. It reports
// whether there is one.
func (x *Ticket) Unreachable(now time.Time) bool {
	x.proxy.unreachable(x.site, x.backend, x.instance, now)
	x.tried = append(x.tried, x.instance)
	x.leave()
	return x.choose(now)
}

// Again chooses an instance by the snapshot in force for a request that found
// none, also one that could not be reached before, or that waits in line. It reports
// whether there is one.
func (x *Ticket) Again(now time.Time) bool {
	if x.Waits() {
		return x.enters(now) && x.instance != nil
	}
	x.tried = nil
	return x.choose(now)
}

func (x *Ticket) choose(now time.Time) bool {
	t := x.proxy.pin()
	defer t.unpin()
	r := t.sites[x.site]
	if r == nil {
		x.observed.fail(fairlead.Reset)
		return false
	}
	x.place(r, now)
	return x.instance != nil
}

// End counts the request as ended, then gives up its place in flight: who sees
// nothing in flight sees all outcomes.
func (x *Ticket) End(now time.Time) {
	if x.instance == nil {
		x.proxy.refused.Add(1)
	}
	x.waiter.leave()
	x.observed.end(now)
	x.leave()
}

func (x *Ticket) leave() {
	if x.instance != nil {
		x.instance.inFlight.Add(-1)
		x.instance = nil
	}
}
