package gateway

import (
	"sync"
	"time"
)

// journalPatience is how long an ejection or the expiry of a lease waits for the
// journal. A disk that takes longer must not keep traffic where it is.
const journalPatience = 500 * time.Millisecond

// patience runs writes that may hang, and waits for each only so long. Its owner
// awaits the rest.
type patience struct {
	most    time.Duration
	slow    func() // told of a write that takes too long
	running sync.WaitGroup
}

// run runs write, and returns when it is done or has taken too long.
func (p *patience) run(write func()) {
	done := make(chan struct{})
	p.running.Go(func() { defer close(done); write() })
	timer := time.NewTimer(p.most)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		p.slow()
	}
}
