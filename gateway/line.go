package gateway

import (
	"container/list"
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead"
)

// Requests of a site that queues them ([Route.Queue]) wait in a line: the old release's
// instances end before the new one's start, and nobody serves meanwhile. Who came
// first goes first when the site is served again. A request waits at most for the route's
// timeout, and begins its own then. No body is read while it waits, so that one
// costs little more than its connection.
const (
	lineMost = 4096 // requests of one site that wait at once
	lineAll  = 8192 // and of all sites
)

// queuedHeader tells a client how long its request waited, in seconds.
const queuedHeader = "Fairlead-Queued"

var (
	errLineFull = errors.New("too many requests wait already")
	errLineLong = errors.New("it waited for its whole time")
)

// line is where the requests of a site wait, in the order in which they came. It is
// safe for concurrent use.
type line struct {
	mu      sync.Mutex
	waiting list.List    // of *waiter
	length  atomic.Int64 // of waiting, for who only wants to know whether it is empty
	all     *lines
}

// lines counts the requests that wait in the lines of all sites.
type lines struct {
	waiting atomic.Int64
	entered atomic.Uint64 // since the start
	refused atomic.Uint64 // that there was no room for, or whose time was over
}

// waiter is a request's place in a line.
type waiter struct {
	line  *line
	at    *list.Element // nil when it is not in the line
	turn  chan struct{} // has an element when it may be its turn
	unit  string
	fresh bool
	since time.Time
}

// join puts a request at the end. It reports whether there is room.
func (l *line) join(w *waiter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting.Len() >= lineMost {
		return false
	}
	if l.all.waiting.Add(1) > lineAll {
		l.all.waiting.Add(-1)
		return false
	}
	w.line, w.turn = l, make(chan struct{}, 1)
	w.at = l.waiting.PushBack(w)
	l.length.Add(1)
	l.all.entered.Add(1)
	return true
}

// first reports whether a waiter is the first of its line.
func (w *waiter) first() bool {
	w.line.mu.Lock()
	defer w.line.mu.Unlock()
	return w.at != nil && w.line.waiting.Front() == w.at
}

// leave takes a waiter out of its line, and tells who is first now.
func (w *waiter) leave() {
	if w == nil {
		return
	}
	w.line.mu.Lock()
	if w.at != nil {
		w.line.waiting.Remove(w.at)
		w.at = nil
		w.line.length.Add(-1)
		w.line.all.waiting.Add(-1)
	}
	w.line.mu.Unlock()
	w.line.wake()
}

// wake tells the first that it may be its turn. To be told without reason does no harm.
func (l *line) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if front := l.waiting.Front(); front != nil {
		select {
		case front.Value.(*waiter).turn <- struct{}{}:
		default:
		}
	}
}

// wake tells every line that a table came in force, which may have ended its wait.
func (g *registry) wake() {
	for _, state := range g.states() {
		if state.line.length.Load() > 0 {
			state.line.wake()
		}
	}
}

// queues reports whether a request has to wait: its site is not served, or others wait
// still.
func (r *route) queues() bool { return r.queue || r.line.length.Load() > 0 }

// serves reports whether a site that queues has something for a request: a run goes on at the
// release on which it began, as long as that has instances. A fresh unit has none.
func (x *Ticket) serves(r *route, unit string, now time.Time) bool {
	if !r.queue || r.assignment.By != fairlead.ByRun {
		return false
	}
	b := r.goesOnAt(unit, now)
	return b != nil && len(b.instances) > 0
}

// Waits reports whether the request waits in its site's line: [Ticket.Again] tries
// whether it is its turn.
func (x *Ticket) Waits() bool { return x.waiter != nil && x.waiter.at != nil }

// await puts a request into its site's line. One that finds no room is lost.
func (x *Ticket) await(r *route, unit string, fresh bool, now time.Time) {
	x.waiter = &waiter{unit: unit, fresh: fresh, since: now}
	if !r.line.join(x.waiter) {
		x.waiter = nil
		x.giveUp(r, unit, now)
	}
}

// giveUp counts a request that waited in vain: as one of the release that had the
// traffic, for users were hurt.
func (x *Ticket) giveUp(r *route, unit string, now time.Time) {
	x.turnedAway = true
	r.line.all.refused.Add(1)
	x.at = place{release: r.stable.release, counted: true}
	x.observed = &x.record
	r.book.arrive(x.observed, now, arrivalOf(r, x.at, unit))
	x.observed.fail(fairlead.Reset)
}

// enters lets the first of a line in when its site is served again. It reports whether it did.
func (x *Ticket) enters(now time.Time) bool {
	w := x.waiter
	if !w.first() {
		return false
	}
	t := x.proxy.pin()
	r := t.sites[x.site]
	if r == nil || r.queue {
		t.unpin()
		return false
	}
	x.queued = now.Sub(w.since)
	x.admit(r, w.unit, w.fresh, now)
	t.unpin()
	w.leave()
	return true
}

// GiveUp ends the wait of a request that waited for its whole time.
func (x *Ticket) GiveUp(now time.Time) {
	w := x.waiter
	t := x.proxy.pin()
	defer t.unpin()
	if r := t.sites[x.site]; r != nil {
		x.giveUp(r, w.unit, now)
	}
	x.queued = now.Sub(w.since)
	w.leave()
}

// wait waits in the line until the request may go on, for at most its timeout. An
// error says why it may not. One whose client goes away leaves the line with its end.
func (x *exchange) wait(ctx context.Context) error {
	timer := time.NewTimer(x.timeout)
	defer timer.Stop()
	for !x.enters(time.Now()) {
		select {
		case <-x.waiter.turn:
		case <-timer.C:
			x.GiveUp(time.Now())
			return errLineLong
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// queuedFor is how long a request waited in the line, as its answer tells it; "" for one
// that did not.
func (x *Ticket) queuedFor() string {
	if x.queued == 0 {
		return ""
	}
	return strconv.FormatFloat(x.queued.Seconds(), 'f', 3, 64)
}
