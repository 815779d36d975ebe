package gateway

import (
	"context"
	"maps"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
)

// The times of an elder, a gateway that has handed over and lets its requests end.
const (
	reportEvery = 50 * time.Millisecond
	elderLinger = 5 * time.Second  // for its clients to see that their connections close
	freshConns  = 6 * time.Second  // longest that a connection without a request outlives net/http's Shutdown, and some
	elderSilent = 10 * time.Second // an elder that does not report for so long is gone
	lastReport  = 5 * time.Second  // longest that it tries to hand over its last blocks
)

// elderReport is what an elder tells the gateway in charge: what is in flight in it,
// and the blocks that it has closed, which it may tell more than once.
type elderReport struct {
	Boot     string           `json:"boot"`
	InFlight map[string]int   `json:"inFlight"`
	Blocks   []fairlead.Block `json:"blocks,omitempty"`
	Gone     bool             `json:"gone,omitempty"` // the last report
}

// elderAnswer is what the gateway in charge goes by, for the elder to follow with the
// requests that still come to it on kept connections.
type elderAnswer struct {
	Order   fairlead.Order  `json:"order"`
	Expired []fairlead.Site `json:"expired,omitempty"`
}

// elders are the gateways before this one whose requests have not all ended. It is
// safe for concurrent use.
type elders struct {
	mu    sync.Mutex
	known map[string]elderState // by boot
}

type elderState struct {
	inFlight map[string]int
	heard    time.Time
}

// expect counts every instance of s in flight in the gateway before until it reports.
func (e *elders) expect(boot string, s *Snapshot, now time.Time) {
	all := map[string]int{}
	for _, r := range s.Routes {
		for _, b := range r.Backends() {
			for _, i := range b.Instances {
				all[i.ID] = 1
			}
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.known[boot] = elderState{all, now}
}

func (e *elders) hear(r elderReport, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r.Gone {
		delete(e.known, r.Boot)
		return
	}
	e.known[r.Boot] = elderState{r.InFlight, now}
}

// add adds what is in flight in elders to requests.
func (e *elders) add(requests map[string]int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, elder := range e.known {
		for id, n := range elder.inFlight {
			requests[id] += n
		}
	}
}

// tidy forgets elders that are silent: they were killed.
func (e *elders) tidy(now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	maps.DeleteFunc(e.known, func(_ string, elder elderState) bool { return now.Sub(elder.heard) > elderSilent })
}

// hear takes an elder's report: its blocks go to this gateway's spool.
func (c *Core) hear(r elderReport, now time.Time) (elderAnswer, error) {
	for _, block := range r.Blocks {
		if err := c.keep(block, now); err != nil {
			return elderAnswer{}, fairlead.Errorf(fairlead.Unavailable, "take an elder's blocks", "%w", err)
		}
	}
	c.elders.hear(r, now)
	order, expired, _ := c.keeper.status()
	return elderAnswer{order, expired}, nil
}

// follow goes by a newer snapshot of the gateway in charge, and by the leases that
// have run out there.
func (k *keeper) follow(a elderAnswer) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	expired := map[fairlead.Site]bool{}
	for _, site := range a.Expired {
		expired[site] = true
	}
	if !a.Order.After(k.snapshot.Order) && maps.Equal(expired, k.expired) {
		return nil
	}
	s, err := readSnapshot(k.disk, k.dir)
	if err != nil {
		return err
	}
	k.snapshot, k.expired = &s, expired
	k.proxy.install(newTable(k.snapshot, k.expired, k.proxy.registry))
	return nil
}

// attendSuccessor tells the gateway in charge of this one until ctx ends.
func (s *server) attendSuccessor(ctx context.Context) {
	successor := NewClient(filepath.Join(s.Dir, ControlSocket))
	defer successor.Close()
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.tell(ctx, successor, elderReport{InFlight: s.mayBeInFlight(time.Now())})
		}
	}
}

// leave gives the last blocks to the gateway in charge, and says that nothing is in
// flight here any more.
func (s *server) leave() {
	successor := NewClient(filepath.Join(s.Dir, ControlSocket))
	defer successor.Close()
	ctx, cancel := context.WithTimeout(context.Background(), lastReport)
	defer cancel()
	for !s.tell(ctx, successor, elderReport{Gone: true}) {
		select {
		case <-ctx.Done():
			s.Log.Error("the last blocks are lost: the gateway in charge does not take them", "boot", s.boot)
			return
		case <-time.After(reportEvery):
		}
	}
}

// tell sends a report with the blocks that were not taken yet, and reports whether it
// arrived.
func (s *server) tell(ctx context.Context, successor *Client, r elderReport) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	r.Boot, r.Blocks = s.boot, s.outgoing()
	var a elderAnswer
	err := successor.call(ctx, "report to the gateway in charge", http.MethodPost, "/elder", r, &a)
	if err != nil {
		s.Log.Debug("the gateway in charge was not reached", "error", err)
		return false
	}
	s.taken(len(r.Blocks))
	if err := s.keeper.follow(a); err != nil {
		s.Log.Error("the snapshot in force cannot be read", "error", err)
	}
	return true
}

// outgoing returns the blocks that the gateway in charge has not taken.
func (c *Core) outgoing() []fairlead.Block {
	c.blocks.Lock()
	defer c.blocks.Unlock()
	return c.outbox
}

func (c *Core) taken(n int) {
	c.blocks.Lock()
	defer c.blocks.Unlock()
	c.outbox = c.outbox[n:]
}

// mayBeInFlight counts the requests in flight here. While a request may still come on
// a kept connection, every instance that it may choose counts.
func (s *server) mayBeInFlight(now time.Time) map[string]int {
	counts, _ := s.proxy.registry.inFlight()
	if closing := s.closing.Load(); closing != 0 && now.Sub(time.Unix(0, closing)) > freshConns {
		return counts
	}
	for id := range s.proxy.table.Load().names() {
		counts[id] = max(1, counts[id])
	}
	return counts
}

// names are the ids of the instances that the table's requests may choose.
func (t *table) names() map[string]bool {
	names := map[string]bool{}
	for _, r := range t.sites {
		for _, b := range r.backends() {
			for _, i := range b.instances {
				names[i.id] = true
			}
		}
	}
	return names
}

// longest is the longest time that a stream or run keeps its place.
func (t *table) longest() (d time.Duration) {
	for _, r := range t.sites {
		d = max(d, r.runLimit)
	}
	return d
}
