package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/atomicfile"
	"github.com/fairlead/fairlead/internal/disk"
)

// Core is the whole gateway less its sockets: what it keeps on disk, what it
// decides and what it counts. [Run] serves one; a simulation drives one by hand.
//
// It starts no goroutine, reads no clock and draws nothing by chance but from its
// boot id: the same calls have the same results. Whoever owns it calls Expire
// several times a second, Tidy every few seconds, and WriteBlocks just after each
// full second. Times follow one clock that does not go back. It is safe for
// concurrent use.
type Core struct {
	boot    string
	started time.Time
	log     *slog.Logger
	proxy   *proxy
	keeper  *keeper
	journal *journal
	spool   *spool
	lost    struct{ dropped, unwritten atomic.Uint64 } // blocks
	elders  elders

	blocks sync.Mutex       // held while blocks are on their way to a spool
	away   bool             // another gateway has the spool
	outbox []fairlead.Block // for its spool
}

// OpenCore opens the gateway whose state is in dir on d, and puts its snapshot in
// force. Nobody attends its leases, so they have run out. boot names this start:
// it is new with each one. Only one core may be open in a directory. The caller
// closes it.
func OpenCore(d disk.Disk, dir, boot string, now time.Time, log *slog.Logger) (*Core, error) {
	return openCore(d, dir, boot, now, log, nil)
}

// openCore opens the core; with a legacy it goes on where the gateway before left off.
func openCore(d disk.Disk, dir, boot string, now time.Time, log *slog.Logger, before *legacy) (*Core, error) {
	const op = "open gateway"
	if err := d.MkdirAll(dir, 0o700); err != nil {
		return nil, fairlead.Errorf(fairlead.Unavailable, op, "%w", err)
	}
	if err := atomicfile.Sweep(d, dir); err != nil {
		return nil, fairlead.Errorf(fairlead.Unavailable, op, "%w", err)
	}
	c := &Core{boot: boot, started: now, log: log, elders: elders{known: map[string]elderState{}}}
	if err := c.open(d, dir, before); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Core) open(d disk.Disk, dir string, before *legacy) (err error) {
	if c.journal, err = openJournal(d, filepath.Join(dir, "journal")); err != nil {
		return err
	}
	text := "boot " + c.boot
	if before != nil {
		text += ", in place of boot " + before.Boot
	}
	c.proxy = newProxy(c.boot, c.journal, c.log)
	c.proxy.note(Event{Time: c.started, Kind: eventStarted, Text: text}) // with a full disk it serves all the same
	c.spool, err = openSpool(d, filepath.Join(dir, "spool"), spoolPrefix(c.started.UnixNano(), c.boot), spoolMost)
	if err != nil {
		return err
	}
	if c.keeper, err = newKeeper(d, dir, c.proxy, c.started, before); err != nil {
		return err
	}
	if before != nil {
		c.elders.expect(before.Boot, c.keeper.snapshot, c.started)
		err = c.proxy.registry.inheritRuns(before)
	}
	for _, state := range c.proxy.registry.states() {
		state.up.Store(c.started.UnixNano()) // what had a route before this start is likely to be there
	}
	return err
}

// Close closes the files. It writes nothing: see WriteBlocks for final blocks.
func (c *Core) Close() (err error) {
	if c.spool != nil {
		err = c.spool.close()
	}
	if c.journal != nil {
		err = errors.Join(err, c.journal.close())
	}
	return err
}

// Apply puts s in force. When it returns nil, s is on disk, new requests follow
// it, and Status counts every request that chose its instance before. An order
// that is not newer is code conflict. The core owns s from here on.
func (c *Core) Apply(now time.Time, s *Snapshot) error { return c.keeper.apply(now, s) }

// Renew renews the leases that have not run out. An order that is not newer is
// code conflict.
func (c *Core) Renew(now time.Time, order fairlead.Order) error { return c.keeper.renew(now, order) }

// Expire puts splits whose lease has run out at now on their fallback weights.
func (c *Core) Expire(now time.Time) { c.keeper.expire(now) }

// Tidy forgets what is over: instances that left and have nothing in flight, and
// runs that are idle.
func (c *Core) Tidy(now time.Time) {
	if err := c.journal.retry(); err != nil {
		c.log.Error("the journal cannot be written", "error", err)
	}
	c.keeper.tidy(now)
	c.elders.tidy(now)
}

// Status returns what the gateway says of itself, but for its process.
func (c *Core) Status() Status {
	applied, expired, weights := c.keeper.status()
	flight, ejected := c.proxy.registry.inFlight()
	c.elders.add(flight)
	return Status{
		Boot: c.boot, Started: c.started, Applied: applied, InFlight: flight,
		Expired: expired, Fallback: weights, Ejected: ejected, Runs: c.proxy.registry.runCounts(), Waiting: c.proxy.registry.waitCounts(),
		Requests: c.proxy.requests.Load(), Refused: c.proxy.refused.Load(),
	}
}

// Blocks returns the oldest blocks that are not acknowledged, at most limit.
func (c *Core) Blocks(limit int) ([]fairlead.Block, error) {
	raw, _, err := c.spool.read(limit, blocksBytes)
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Unavailable, "read blocks", "%w", err)
	}
	blocks := make([]fairlead.Block, len(raw))
	for i, data := range raw {
		if err := json.Unmarshal(data, &blocks[i]); err != nil {
			return nil, fairlead.Errorf(fairlead.Corrupt, "read blocks", "%w", err)
		}
	}
	return blocks, nil
}

// Ack forgets blocks that are stored elsewhere. One by a control plane of an older
// term than the newest that gave an order or acknowledged is code conflict, so that
// it cannot take blocks away from its successor; a newer one is in charge from here
// on.
func (c *Core) Ack(acks []Ack) error {
	for _, a := range acks {
		if err := c.keeper.attend("acknowledge blocks", a.Term); err != nil {
			return err
		}
	}
	if err := c.spool.ack(acks); err != nil {
		return fairlead.Errorf(fairlead.Unavailable, "acknowledge blocks", "%w", err)
	}
	return nil
}

// Events returns the events with numbers after n that are kept (the newest 2000 at
// least), oldest first.
func (c *Core) Events(n uint64) []Event { return c.journal.after(n) }

// WriteBlocks spools what is new. A block that cannot be written is a gap. final
// ends the blocks of this boot: nothing may be admitted after it.
func (c *Core) WriteBlocks(now time.Time, final bool) {
	c.blocks.Lock()
	defer c.blocks.Unlock()
	for _, state := range c.proxy.registry.states() {
		for _, block := range state.book.close(now, final) {
			block.Gateway = c.boot
			if c.away {
				c.outbox = append(c.outbox, block)
			} else if err := c.keep(block, now); err != nil {
				c.lost.unwritten.Add(1)
				c.log.Error("a block is lost", "site", block.Site.String(), "seq", block.Seq, "error", err)
			}
		}
	}
}

// keep spools a block.
func (c *Core) keep(block fairlead.Block, now time.Time) error {
	dropped, err := c.spool.add(block)
	if dropped > 0 {
		c.lost.dropped.Add(uint64(dropped))
		c.proxy.note(Event{Time: now, Kind: eventSpoolFull, Text: fmt.Sprintf("%d blocks that no one took were dropped", dropped)})
	}
	return err
}
