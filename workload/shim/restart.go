package shim

import "time"

// The restart policy. An app that ends by itself is started again after a wait
// that doubles from firstBackoff to maxBackoff, and begins afresh once the app
// has run for stableAfter. crashLoopExits ends in a row, each within crashWindow
// of its start, are a crash loop: it is not started again.
const (
	firstBackoff   = 250 * time.Millisecond
	maxBackoff     = 30 * time.Second
	stableAfter    = 60 * time.Second
	crashWindow    = 10 * time.Second
	crashLoopExits = 5
)

// restarts is the policy's memory. The zero value is an app that never ended.
type restarts struct {
	wait  time.Duration // before the newest restart; 0 when none is counted
	quick int           // ends in a row within crashWindow
}

// ended decides what follows an end after the app ran for ran: the wait before
// the next start, or a crash loop.
func (r restarts) ended(ran time.Duration) (next restarts, crashLoop bool) {
	next.quick = r.quick + 1
	if ran >= crashWindow {
		next.quick = 0
	}
	next.wait = min(maxBackoff, 2*r.wait)
	if ran >= stableAfter || r.wait == 0 {
		next.wait = firstBackoff
	}
	return next, next.quick >= crashLoopExits
}
