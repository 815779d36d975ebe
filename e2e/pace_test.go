package e2e

import (
	"sync"
	"time"
)

const (
	rate        = 200 // requests/s
	connections = 24
)

// pace has requests sent on a fixed schedule over kept connections, until it is ended.
type pace struct {
	queue chan int
	quit  chan struct{}
	done  sync.WaitGroup
}

// startPace tells begin the number of each request that is due. Those of which it says
// true go to send, or to late while too many wait for a connection to address.
func startPace(address string, begin func(seq int) bool, send func(c *connection, seq int), late func(seq int)) *pace {
	p := &pace{queue: make(chan int, 1000), quit: make(chan struct{})}
	p.done.Go(func() { p.schedule(begin, late) })
	for range connections {
		p.done.Go(func() {
			c := &connection{address: address}
			defer c.close()
			for seq := range p.queue {
				send(c, seq)
			}
		})
	}
	return p
}

func (p *pace) schedule(begin func(seq int) bool, late func(seq int)) {
	defer close(p.queue)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for seq := 0; ; {
		select {
		case <-p.quit:
			return
		case <-tick.C:
		}
		for due := int(time.Since(began).Seconds() * rate); seq < due; seq++ {
			if !begin(seq) {
				continue
			}
			select {
			case p.queue <- seq:
			default:
				late(seq)
			}
		}
	}
}

// end waits until what was begun is answered. It may be called more than once.
func (p *pace) end() {
	select {
	case <-p.quit:
	default:
		close(p.quit)
	}
	p.done.Wait()
}
