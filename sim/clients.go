package sim

import (
	"math"
	"strconv"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
	"github.com/fairlead/fairlead/workload"
)

// call is one request of a client on its way.
type call struct {
	n        uint64
	universe *universe
	site     *site
	ticket   *gateway.Ticket
	tallies  []*tally // where it counts
	failed   bool
	instance *instance
	began    time.Duration
	over     bool
}

// clients send a site's requests, at random moments, until the world ends.
func (u *universe) clients(s *site) {
	gap := time.Duration(-math.Log(1-u.world.chance.Float64()) / s.rate * float64(time.Second))
	u.world.after(gap, func() {
		if u.over {
			return
		}
		u.request(s)
		u.clients(s)
	})
}

// unit returns who asks: mostly somebody new, sometimes one who was here lately.
func (u *universe) unit() string {
	u.units++
	if u.world.likely(0.2) {
		return "unit" + strconv.FormatUint(u.units-min(u.units, uint64(u.world.chance.IntN(200))), 10)
	}
	return "unit" + strconv.FormatUint(u.units, 10)
}

func (u *universe) request(s *site) {
	u.report.Requests++
	g := u.gate
	if g.core == nil {
		return // the machine's own fault: see promises.gatewayDied
	}
	unit := u.unit()
	_ = g.alive(func() error {
		t := g.core.Admit(s.id, unit, g.now())
		if t == nil {
			u.promises.unrouted(s)
			return nil
		}
		c := &call{universe: u, site: s, ticket: t, began: u.world.now}
		if t.Waits() {
			u.report.Waited++
			u.await(c, unit)
			return nil
		}
		u.enter(c, unit)
		return nil
	})
}

// enter notes where a request was assigned, and brings it there.
func (u *universe) enter(c *call, unit string) {
	u.promises.admitted(c.site, unit, c.ticket)
	c.tallies = u.promises.asked(c.site, c.ticket)
	u.place(c)
}

// patience is how long a client waits until a release has taken the place of another.
const patience = time.Minute

// waiter is a request that waits in the line of its site.
type waiter struct {
	*call
	unit string
}

// await lets a request wait whose site queues, behind those that wait already.
func (u *universe) await(c *call, unit string) {
	g, at := u.gate, c.site.id
	g.lines[at] = append(g.lines[at], waiter{c, unit})
	if len(g.lines[at]) > 1 {
		return
	}
	boot := g.boot
	u.world.every(100*time.Millisecond, func() bool {
		if u.over || g.core == nil || g.boot != boot {
			return false // they died with their gateway
		}
		_ = g.alive(func() error { u.let(at); return nil })
		return len(g.lines[at]) > 0
	})
}

// let lets those in whose turn it is, and gives up on those who have no patience left.
func (u *universe) let(at fairlead.Site) {
	g := u.gate
	for g.core != nil && len(g.lines[at]) > 0 {
		first := g.lines[at][0]
		waits := !first.ticket.Again(g.now()) && first.ticket.Waits()
		if waits && u.world.now-first.began < patience {
			return
		}
		g.lines[at] = g.lines[at][1:]
		if !waits {
			u.enter(first.call, first.unit)
			continue
		}
		first.ticket.GiveUp(g.now())
		first.tallies = u.promises.asked(first.site, first.ticket)
		u.promises.inVain(first.site)
		first.fail(fairlead.Reset)
		first.ticket.End(g.now())
	}
}

// place brings a request to an instance that can be reached.
func (u *universe) place(c *call) {
	g, t := u.gate, c.ticket
	for t.Instance() != "" {
		i := u.machine.instances[t.Instance()]
		if i != nil && (i.status.State == workload.Ready || i.status.State == workload.Unready) {
			t.Reached(g.now())
			u.promises.reached(c, i)
			u.calls++
			c.n, c.instance = u.calls, i
			i.calls[c], g.calls[c] = true, true
			c.serve()
			return
		}
		u.promises.unreached(t.Instance())
		if !t.Unreachable(g.now()) {
			break
		}
	}
	u.promises.unserved(c.site)
	c.fail(fairlead.Reset)
	t.End(g.now())
}

// fail counts a failure, with the gateway and with those that watch it.
func (c *call) fail(class fairlead.Class) {
	c.ticket.Fail(class)
	c.lost()
}

// lost notes that the client got no good answer.
func (c *call) lost() {
	for _, t := range c.tallies {
		if !c.failed {
			t.failed[arm(c.ticket)]++
		}
	}
	c.failed = true
}

// serve answers after a while, as the release's script says.
func (c *call) serve() {
	w := c.universe.world
	script := c.instance.script
	took := time.Duration(float64(c.site.latency) * script.slow * (0.5 + w.chance.ExpFloat64()))
	if w.likely(0.01) {
		took = w.between(time.Second, 12*time.Second) // a stream
	}
	fails := w.likely(script.failing)
	w.after(took, func() {
		if c.over {
			return
		}
		_ = c.universe.gate.alive(func() error {
			if fails {
				c.fail(fairlead.ServerError)
			}
			c.finish()
			return nil
		})
	})
}

// finish ends a call that was answered.
func (c *call) finish() {
	if c.over {
		return
	}
	now := c.universe.gate.now()
	c.ticket.FirstByte(now, false)
	c.ticket.End(now)
	c.leave()
}

// cut ends a call whose instance ended.
func (c *call) cut() {
	if c.over {
		return
	}
	c.universe.promises.cut(c)
	c.fail(fairlead.Reset)
	c.ticket.End(c.universe.gate.now())
	c.leave()
}

func (c *call) leave() {
	c.over = true
	delete(c.instance.calls, c)
	delete(c.universe.gate.calls, c)
}
