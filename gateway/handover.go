package gateway

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/disk"
)

// A gateway is replaced without a pause. Its successor starts beside it, on the same
// listeners, and asks it for the directory: the one before gives what it holds in
// memory (legacy), takes no more commands, and lets go of the directory. It serves
// until it is told to end, and then as an elder until its last request has ended.

// handoverWithin is how long a successor waits for the directory.
const handoverWithin = 10 * time.Second

// legacy is what a gateway knows beside the files in its directory.
type legacy struct {
	Boot    string            `json:"boot"`
	Order   fairlead.Order    `json:"order"`   // newest taken
	Renewed bool              `json:"renewed"` // whether the leases were, in that boot
	Age     fairlead.Duration `json:"age"`     // since then
	Expired []fairlead.Site   `json:"expired"` // sites on their fallback weights
	Runs    []bornRun         `json:"runs"`

	asked time.Time // when the successor asked, on its own clock
}

// bornRun is a run and where it was born.
type bornRun struct {
	Site    fairlead.Site `json:"site"`
	Key     string        `json:"key"` // hex
	Release int           `json:"release"`
	Rollout string        `json:"rollout,omitempty"`
	Epoch   uint32        `json:"epoch,omitempty"`
	Canary  bool          `json:"canary,omitempty"`
	Seen    time.Time     `json:"seen"`
	Left    time.Time     `json:"left,omitzero"`
}

// takeOver asks the gateway in dir for the directory. It asks only when this one can
// serve what is there.
func takeOver(ctx context.Context, dir string) (*legacy, error) {
	if _, err := readSnapshot(disk.OS{}, dir); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, handoverWithin)
	defer cancel()
	before := NewClient(filepath.Join(dir, ControlSocket))
	defer before.Close()
	l := &legacy{asked: time.Now()}
	if err := before.call(ctx, "take over from the gateway before", http.MethodPost, "/handover", nil, l); err != nil {
		return nil, err
	}
	return l, nil
}

// retire makes the core take no more commands, spools what it counted so far, and
// returns what its successor needs to know. The files can then be closed.
func (c *Core) retire(now time.Time) (*legacy, error) {
	l, err := c.keeper.retire(now)
	if err != nil {
		return nil, err
	}
	l.Boot = c.boot
	for _, state := range c.proxy.registry.states() {
		l.Runs = append(l.Runs, state.runs.list(state.book.site)...)
	}
	c.WriteBlocks(now, false)
	c.blocks.Lock()
	defer c.blocks.Unlock()
	c.away = true
	return l, nil
}

func (k *keeper) retire(now time.Time) (*legacy, error) {
	k.orders.Lock()
	defer k.orders.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.proxy.retired.Swap(true) {
		return nil, fairlead.Errorf(fairlead.Conflict, "hand over", "another gateway has taken over")
	}
	l := &legacy{Order: k.newest, Renewed: !k.renewed.IsZero()}
	if l.Renewed {
		l.Age = fairlead.Duration(now.Sub(k.renewed))
	}
	for site := range k.expired {
		l.Expired = append(l.Expired, site)
	}
	return l, nil
}

// inherit goes on where the gateway before left off: its leases run on.
func (k *keeper) inherit(l *legacy) {
	if l.Order.After(k.newest) {
		k.newest = l.Order
	}
	if l.Renewed {
		k.renewed = l.asked.Add(-l.Age.D())
	}
	for _, site := range l.Expired {
		k.expired[site] = true
	}
}

// inheritRuns remembers the runs of the gateway before.
func (g *registry) inheritRuns(l *legacy) error {
	for _, b := range l.Runs {
		key, err := hex.DecodeString(b.Key)
		if err != nil || len(key) != 16 {
			return fairlead.Errorf(fairlead.Corrupt, "take over", "run %q is no key", b.Key)
		}
		known := &run{release: b.Release, rollout: b.Rollout, epoch: b.Epoch, canary: b.Canary, seen: b.Seen, left: b.Left}
		g.site(b.Site).runs.inherit([16]byte(key), known)
	}
	return nil
}

// list returns all runs of a site.
func (s *runs) list(site fairlead.Site) []bornRun {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []bornRun
	for key, n := range s.known {
		all = append(all, bornRun{Site: site, Key: hex.EncodeToString(key[:]), Release: n.release,
			Rollout: n.rollout, Epoch: n.epoch, Canary: n.canary, Seen: n.seen, Left: n.left})
	}
	return all
}

// handOver answers a successor, and makes Run let go of the directory.
func (s *server) handOver() (*legacy, error) {
	if s.proxy.stopping.Load() {
		return nil, fairlead.Errorf(fairlead.Conflict, "hand over", "the gateway is stopping")
	}
	l, err := s.retire(time.Now())
	if err == nil {
		close(s.retired)
	}
	return l, err
}

// linger is how long the clients of kept connections get to see that they close.
func (s *server) linger() time.Duration {
	if s.proxy.retired.Load() {
		return elderLinger
	}
	return lingerMost
}

// grace is how long requests in flight get: with a successor that serves, as long
// as a stream or run may keep its place.
func (s *server) grace() time.Duration {
	if s.proxy.retired.Load() {
		return max(s.Grace, s.proxy.table.Load().longest())
	}
	return s.Grace
}

// giveUp lets go of the directory once the successor has its answer, and serves on
// until ctx ends. An error means that the successor is gone: who keeps this process
// starts another one.
func (s *server) giveUp(ctx context.Context, unlock func()) error {
	last, cancel := context.WithTimeout(context.Background(), handoverWithin)
	defer cancel()
	err := s.control.Shutdown(last)
	err = errors.Join(err, s.Core.Close())
	unlock()
	s.Log.Info("gateway hands over", "boot", s.boot, "error", err)
	if err := s.successorLives(ctx); err != nil {
		return fmt.Errorf("the gateway that took over is gone: %w", err)
	}
	return nil
}

// successorLives returns nil when ctx ends, and an error when nobody has the
// directory though it was given up.
func (s *server) successorLives(ctx context.Context) error {
	began, taken := time.Now(), false
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		unlock, err := tryLock(s.Dir)
		switch {
		case errors.Is(err, errLocked):
			taken = true
		case err != nil:
			return err
		case taken || time.Since(began) > handoverWithin:
			unlock()
			return errors.New("nobody has its directory")
		default:
			unlock() // it is about to take it
		}
	}
}
