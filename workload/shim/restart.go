package shim

import "time"

// The restart policy. An app that ends by itself is started again after a wait
// that doubles from FirstBackoff to MaxBackoff, and begins afresh once the app
// has run for StableAfter. CrashLoopExits ends in a row, each within CrashWindow
// of its start, are a crash loop: it is not started again.
const (
	FirstBackoff   = 250 * time.Millisecond
	MaxBackoff     = 30 * time.Second
	StableAfter    = 60 * time.Second
	CrashWindow    = 10 * time.Second
	CrashLoopExits = 5
)

// restarts is the policy's memory. The zero value is an app that never ended.
type restarts struct {
	wait  time.Duration // before the newest restart; 0 when none is counted
	quick int           // ends in a row within CrashWindow
}

// ended decides what follows an end after the app ran for ran: the wait before
// the next start, or a crash loop.
func (r restarts) ended(ran time.Duration) (next restarts, crashLoop bool) {
	next.quick = r.quick + 1
	if ran >= CrashWindow {
		next.quick = 0
	}
	next.wait = min(MaxBackoff, 2*r.wait)
	if ran >= StableAfter || r.wait == 0 {
		next.wait = FirstBackoff
	}
	return next, next.quick >= CrashLoopExits
}
