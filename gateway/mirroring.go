package gateway

import (
	"context"
	"sync"
	"sync/atomic"
)

// skip is why a request that was chosen for a copy gave no pair.
type skip int

const (
	skipLarge    skip = iota // its body is longer than what is kept
	skipBusy                 // too many copies are on their way
	skipUpgrade              // it becomes a connection of its own
	skipUnread               // its body was not read to the end, or it was never sent
	skipNotReady             // no instance of the new release is there, or mirroring ended
	skipGivenUp              // the gateway stopped first
	skips                    // how many there are
)

// String returns the skip as metrics name it.
func (s skip) String() string {
	return [...]string{"large", "busy", "upgrade", "unread", "not_ready", "given_up"}[s]
}

// mirroring is all copies of requests that are on their way: it owns their goroutines
// and counts them. It is safe for concurrent use.
type mirroring struct {
	ctx    context.Context // of all copies
	cancel context.CancelFunc

	mu      sync.Mutex // guards closed, and begins that meet a stop
	closed  bool
	running sync.WaitGroup

	sent, failed atomic.Uint64
	skipped      [skips]atomic.Uint64
}

func newMirroring() *mirroring {
	g := &mirroring{}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g
}

// spawn runs a copy beside the request. It reports false when no more are taken.
func (g *mirroring) spawn(run func(context.Context)) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.running.Go(func() { run(g.ctx) })
	return true
}

// stop ends all copies, and returns when they have ended.
func (g *mirroring) stop() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.cancel()
	g.running.Wait()
}

func (g *mirroring) skip(why skip) { g.skipped[why].Add(1) }

// expose says how mirroring went.
func (g *mirroring) expose(e *exposition) {
	e.one("mirrored_total", "counter", "Copies of requests that were sent to a new release.", float64(g.sent.Load()))
	e.one("mirrored_failed_total", "counter", "Of these, those that failed there; and those for which no instance could be reached.", float64(g.failed.Load()))
	var skipped []sample
	for s := range skips {
		skipped = append(skipped, sample{`{reason="` + s.String() + `"}`, float64(g.skipped[s].Load())})
	}
	e.family("mirror_skipped_total", "counter", "Requests that were chosen for a copy but not compared, by reason.", skipped)
}
