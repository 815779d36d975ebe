package sim

import (
	"context"
	"slices"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/workload"
)

// fleet is a control plane's way to the machine.
type fleet struct{ control *control }

// List implements rollout.Fleet.
func (f fleet) List(context.Context) ([]workload.Status, error) {
	var all []workload.Status
	err := f.control.call("list", func() error {
		all = f.control.universe.machine.list()
		return nil
	})
	return all, err
}

// Start implements rollout.Fleet. A start is a child of the control plane, so its
// order is never late.
func (f fleet) Start(_ context.Context, order fairlead.Order, id string, p rollout.Place) error {
	c := f.control
	c.point("before start")
	c.world.sleep(c.world.between(0, 300*time.Millisecond))
	c.universe.promises.starts(id, p)
	err := c.universe.machine.start(order, id, p, c.clock.Now())
	c.point("after start")
	return err
}

// Stop implements rollout.Fleet.
func (f fleet) Stop(_ context.Context, order fairlead.Order, id string, _ time.Duration) error {
	u := f.control.universe
	if i := u.machine.instances[id]; i != nil && i.lingers { // what outlived its shim takes a while to be found and ended
		u.world.sleep(u.world.between(0, 2*time.Second))
	}
	return f.control.call("stop "+id, func() error {
		if order.Term >= u.machine.term {
			u.promises.stops(id)
		}
		return u.machine.stop(order, id)
	})
}

// Remove implements rollout.Fleet.
func (f fleet) Remove(_ context.Context, order fairlead.Order, id string) error {
	return f.control.call("remove "+id, func() error { return f.control.universe.machine.remove(order, id) })
}

// gates run the gates of releases as their scripts say.
type gates struct{ control *control }

// Prove implements rollout.Gates.
func (g gates) Prove(_ context.Context, r fairlead.Release, env string) (rollout.GateState, error) {
	c := g.control
	s := c.universe.siteOf(fairlead.Site{App: r.App, Env: env}).script(r.Number)
	c.point("before gates")
	c.world.sleep(c.world.between(10*time.Millisecond, 2*time.Second))
	switch {
	case c.universe.faulty() && c.world.likely(s.gateErrs):
		return rollout.GateState{}, errSilence
	case s.gateFails:
		return rollout.GateState{Failed: "gate smoke failed: exit status 1"}, nil
	}
	state := rollout.GateState{Satisfied: true}
	if s.evidence > 0 {
		state.Until = c.clock.Now().Add(s.evidence)
	}
	c.universe.promises.proven(r, env, state.Until)
	return state, nil
}

// traffic is a control plane's way to the gateway.
type traffic struct{ control *control }

func (t traffic) call(what string, deliver func() error) error {
	if t.control.universe.cut {
		t.control.world.sleep(2 * time.Second)
		return errSilence
	}
	return t.control.call(what, deliver)
}

// Apply implements rollout.Traffic.
func (t traffic) Apply(_ context.Context, s gateway.Snapshot) error {
	return t.call("snapshot "+s.Order.String(), func() error { return t.control.universe.gate.apply(s) })
}

// Renew implements rollout.Traffic.
func (t traffic) Renew(_ context.Context, order fairlead.Order) error {
	return t.call("renewal "+order.String(), func() error { return t.control.universe.gate.renew(order) })
}

// Status implements rollout.Traffic.
func (t traffic) Status(context.Context) (status gateway.Status, err error) {
	err = t.call("status", func() error {
		status, err = t.control.universe.gate.status()
		return err
	})
	return status, err
}

// Blocks implements rollout.Traffic.
func (t traffic) Blocks(context.Context, time.Duration) (blocks []fairlead.Block, err error) {
	err = t.call("blocks", func() error {
		blocks, err = t.control.universe.gate.blocks()
		return err
	})
	return blocks, err
}

// Ack implements rollout.Traffic.
func (t traffic) Ack(_ context.Context, acks []gateway.Ack) error {
	return t.call("ack", func() error {
		return t.control.universe.gate.ack(slices.Clone(acks))
	})
}

// Events implements rollout.Traffic.
func (t traffic) Events(_ context.Context, after uint64) (events []gateway.Event, err error) {
	err = t.call("events", func() error {
		events, err = t.control.universe.gate.events(after)
		return err
	})
	return events, err
}
