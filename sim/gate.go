package sim

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
	"github.com/fairlead/fairlead/internal/disk/crashdisk"
)

// gate is the gateway's process: the real core on a disk that can lose what was
// not synced. It dies and starts again beside the control plane.
type gate struct {
	universe *universe
	disk     *crashdisk.Disk
	core     *gateway.Core // nil while it is down
	boots    int
	boot     string
	since    time.Duration // when this boot began
	calls    map[*call]bool
	lines    map[fairlead.Site][]waiter // requests that wait at sites that are held, in their order
}

const gateDir = "/gateway"

func newGate(u *universe) *gate {
	g := &gate{universe: u, disk: crashdisk.New(), calls: map[*call]bool{}, lines: map[fairlead.Site][]waiter{}}
	g.disk.Fail(g.fault)
	return g
}

// died unwinds the gateway out of the disk operation in which it died.
type died struct{ power bool }

// fault lets the gateway die in the middle of what it writes, or finds the disk full.
func (g *gate) fault(op crashdisk.Op, path string) error {
	u := g.universe
	if u.world.likely(u.faults.gatewayCrash) {
		panic(died{power: u.world.likely(0.3)})
	}
	if u.diskFull && op != crashdisk.OpRemove && op != crashdisk.OpSyncDir {
		u.world.say("the disk is full: %s %s", op, path)
		return &crashdisk.Short{Bytes: u.world.chance.IntN(3), Err: errDiskFull}
	}
	return nil
}

// now is the gateway's clock: the wall clock when it started, and steady from there.
func (g *gate) now() time.Time { return g.universe.world.time() }

// start boots the gateway.
func (g *gate) start() {
	w := g.universe.world
	g.boots++
	boot := fmt.Sprintf("boot%d", g.boots)
	err := g.alive(func() (err error) {
		core, err := gateway.OpenCore(g.disk, gateDir, boot, g.now(), slog.New(slog.DiscardHandler))
		if err == nil {
			g.core, g.boot, g.since, g.lines = core, boot, w.now, map[fairlead.Site][]waiter{}
		}
		return err
	})
	if errors.Is(err, errSilence) {
		return // it died as it started, and is started again
	}
	if err != nil {
		if !errors.Is(err, errDiskFull) {
			g.universe.promises.breaks("recovery", "the gateway does not start: %v", err)
		}
		w.say("the gateway does not start: %v", err)
		w.after(w.between(100*time.Millisecond, 2*time.Second), g.start)
		return
	}
	w.say("the gateway is up: %s", boot)
	g.universe.promises.restarted(g.core.Status(), g.core.Events(0))
	g.universe.promises.found(g.unacknowledged())
	g.universe.promises.refuses(g.core.Renew(g.now(), g.universe.promises.order))
	g.live(boot, 200*time.Millisecond, func(c *gateway.Core) { c.Expire(g.now()) })
	g.live(boot, 10*time.Second, func(c *gateway.Core) { c.Tidy(g.now()) })
	g.live(boot, time.Second, func(c *gateway.Core) { g.writeBlocks(c, false) })
}

// live does something again and again while a boot lasts.
func (g *gate) live(boot string, every time.Duration, do func(*gateway.Core)) {
	g.universe.world.every(every, func() bool {
		if g.core == nil || g.boot != boot {
			return false
		}
		_ = g.alive(func() error { do(g.core); return nil })
		return g.core != nil && g.boot == boot
	})
}

func (g *gate) writeBlocks(c *gateway.Core, final bool) {
	c.WriteBlocks(g.now(), final)
}

// alive does something in the gateway's process, which may die at it.
func (g *gate) alive(do func() error) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case died:
			err = errSilence
			g.die("in the middle of a write", r.power)
			if r.power {
				g.universe.losePower()
			}
		default:
			panic(r)
		}
	}()
	return do()
}

// ask does something in the gateway if it is up.
func (g *gate) ask(do func(c *gateway.Core) error) error {
	if g.core == nil {
		return errSilence
	}
	return g.alive(func() error { return do(g.core) })
}

// die ends the process; its shim starts it again after a while.
func (g *gate) die(why string, power bool) {
	w := g.universe.world
	w.say("the gateway dies: %s (power %t)", why, power)
	g.universe.promises.leaves(g.unacknowledged(), power)
	g.core = nil
	if power {
		g.disk.Crash(w.chance)
	} else {
		g.disk.Kill()
	}
	g.universe.promises.gatewayDied()
	g.dropCalls()
	w.after(w.between(50*time.Millisecond, 3*time.Second), g.start)
}

// unacknowledged returns the blocks that the gateway keeps.
func (g *gate) unacknowledged() []fairlead.Block {
	if g.core == nil {
		return nil
	}
	blocks, err := g.core.Blocks(1 << 20)
	if err != nil {
		g.universe.promises.breaks("evidence is not lost", "the gateway cannot read its blocks: %v", err)
	}
	return blocks
}

// replace stops the gateway in order and starts it again at once.
func (g *gate) replace() {
	if g.core == nil || g.universe.diskFull {
		return
	}
	g.universe.world.say("the gateway is replaced")
	err := g.alive(func() error {
		g.finish()
		g.writeBlocks(g.core, true)
		return g.core.Close()
	})
	if err == nil {
		g.core = nil
		g.universe.promises.unattended()
		g.start()
	}
}

// finish ends the calls in flight, which a gateway that stops in order waits for.
func (g *gate) finish() {
	for _, c := range g.sorted() {
		c.finish()
	}
}

// dropCalls forgets the calls in flight in a gateway that died.
func (g *gate) dropCalls() {
	for _, c := range g.sorted() {
		c.leave()
	}
}

func (g *gate) sorted() []*call {
	return slices.SortedFunc(maps.Keys(g.calls), func(a, b *call) int { return int(a.n) - int(b.n) })
}

func (g *gate) apply(s gateway.Snapshot) error {
	return g.ask(func(c *gateway.Core) error {
		g.universe.promises.ordered = s
		err := c.Apply(g.now(), &s)
		if err == nil {
			g.universe.promises.applied(s)
		}
		return err
	})
}

func (g *gate) renew(order fairlead.Order) error {
	return g.ask(func(c *gateway.Core) error {
		err := c.Renew(g.now(), order)
		if err == nil {
			g.universe.promises.renewed(order)
		}
		return err
	})
}

func (g *gate) status() (s gateway.Status, err error) {
	err = g.ask(func(c *gateway.Core) error { s = c.Status(); return nil })
	return s, err
}

func (g *gate) blocks() (blocks []fairlead.Block, err error) {
	err = g.ask(func(c *gateway.Core) error { blocks, err = c.Blocks(50); return err })
	g.universe.promises.gave(blocks)
	return blocks, err
}

func (g *gate) ack(acks []gateway.Ack) error {
	return g.ask(func(c *gateway.Core) error {
		if g.universe.world.likely(0.1) { // to look takes long
			kept, err := c.Blocks(1 << 20)
			if err != nil {
				return err
			}
			g.universe.promises.acknowledges(acks, kept)
		}
		err := c.Ack(acks)
		if err == nil && len(acks) > 0 {
			g.universe.promises.obeysTerm(acks[0].Term)
		}
		return err
	})
}

func (g *gate) events(after uint64) (events []gateway.Event, err error) {
	err = g.ask(func(c *gateway.Core) error { events = c.Events(after); return nil })
	g.universe.promises.heard(events)
	return events, err
}
