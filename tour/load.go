package tour

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	workers  = 128  // connections, each kept alive
	waiting  = 4096 // requests that may wait for a connection; more are lost
	pulse    = 2 * time.Millisecond
	patience = 45 * time.Second // for one answer, longer than the application's own limit
	releases = 64               // numbers of releases that are counted
	examples = 5                // reasons of losses that are kept
)

// load sends requests on a fixed schedule, whether or not answers come (an open
// loop): a slow server makes requests wait, not fewer. Every request is counted
// once: answered by the application, or lost. Its methods may be called from one
// goroutine while it runs.
type load struct {
	address string
	host    string
	queue   chan job
	quit    chan struct{}
	stopped sync.Once
	workers sync.WaitGroup
	source  sync.WaitGroup
	counts  counts
}

// job is one request to send.
type job struct {
	seq     uint64
	session uint32
	kind    kind
	ticket  uint8
}

// counts is what came of the requests.
type counts struct {
	sent     atomic.Uint64 // scheduled
	answered atomic.Uint64 // by the application, whatever it said
	failed   atomic.Uint64 // answered by the application with 5xx
	lost     atomic.Uint64
	requests [releases]atomic.Uint64 // by the release that answered
	failures [releases]atomic.Uint64

	mu      sync.Mutex
	reasons []string // of the first losses
}

// startLoad starts the traffic to a host behind the gateway at address.
func startLoad(address, host string) *load {
	l := &load{address: address, host: host, queue: make(chan job, waiting), quit: make(chan struct{})}
	l.source.Go(l.schedule)
	for range workers {
		l.workers.Go(l.work)
	}
	return l
}

// schedule queues each request when it is due.
func (l *load) schedule() {
	defer close(l.queue)
	random := rand.New(rand.NewPCG(1, 2))
	began := time.Now()
	ticker := time.NewTicker(pulse)
	defer ticker.Stop()
	for seq := uint64(0); ; {
		select {
		case <-l.quit:
			return
		case <-ticker.C:
		}
		for due := uint64(time.Since(began).Seconds() * rate); seq < due; seq++ {
			j := job{seq: seq, session: random.Uint32N(sessions), kind: kindOf(random.Uint32N(100)), ticket: uint8(random.Uint32N(uint32(len(tickets))))}
			l.counts.sent.Add(1)
			select {
			case l.queue <- j:
			default:
				l.counts.lose("the server is so slow that the request could not be sent")
			}
		}
	}
}

// work sends requests over one connection until the queue is closed and empty.
func (l *load) work() {
	c := &connection{address: l.address, host: l.host}
	defer c.close()
	for j := range l.queue {
		a, err := c.do(j)
		l.counts.take(j, a, err)
	}
}

// stop ends the schedule and waits for the answers under way, at most within.
func (l *load) stop(within time.Duration) {
	l.stopped.Do(func() { close(l.quit) })
	l.source.Wait()
	done := make(chan struct{})
	go func() {
		l.workers.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(within): // what has not been answered is lost, see totals
	}
}

// take counts what came of a request.
func (n *counts) take(j job, a answer, err error) {
	if why := lossOf(j, a, err); why != "" {
		n.lose(why)
		return
	}
	n.answered.Add(1)
	slot := min(a.release, releases-1)
	n.requests[slot].Add(1)
	if a.status >= 500 {
		n.failed.Add(1)
		n.failures[slot].Add(1)
	}
}

func (n *counts) lose(why string) {
	n.lost.Add(1)
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.reasons) < examples {
		n.reasons = append(n.reasons, why)
	}
}

// lossOf says why a request counts as lost by Fairlead, or "" if the application
// answered it. What the application itself answers, also with 5xx, is no loss.
func lossOf(j job, a answer, err error) string {
	switch {
	case err != nil:
		return fmt.Sprintf("request %d: %v", j.seq, err)
	case a.release == 0:
		return fmt.Sprintf("request %d: the gateway answered %d itself", j.seq, a.status)
	case a.id != requestID(j.seq):
		return fmt.Sprintf("request %d: the answer is to %q", j.seq, a.id)
	case j.kind == stream && a.status == 200 && !a.done:
		return fmt.Sprintf("request %d: its stream ended early", j.seq)
	}
	return ""
}

func requestID(seq uint64) string { return "tour-" + strconv.FormatUint(seq, 10) }

// release returns how many requests a release answered, and with 5xx.
func (l *load) release(number int) (requests, failures uint64) {
	slot := min(max(number, 0), releases-1)
	return l.counts.requests[slot].Load(), l.counts.failures[slot].Load()
}

// totals returns the requests and the losses. After stop, what was never
// answered is a loss.
func (l *load) totals() (requests, lost uint64, reasons []string) {
	n := &l.counts
	requests, lost = n.sent.Load(), n.lost.Load()
	n.mu.Lock()
	reasons = append(reasons, n.reasons...)
	n.mu.Unlock()
	if open := requests - lost - n.answered.Load(); open > 0 {
		lost += open
		reasons = append(reasons, fmt.Sprintf("%d requests were not answered", open))
	}
	return requests, lost, reasons
}

// dial connects to the gateway.
func dial(address string) (net.Conn, error) { return net.DialTimeout("tcp", address, 5*time.Second) }
