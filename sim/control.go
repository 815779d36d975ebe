package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/steadyclock"
	"github.com/fairlead/fairlead/rollout"
)

// control is one start of the control plane: the real engine and loop.
type control struct {
	*process
	universe *universe
	term     uint64
	clock    *steadyclock.Clock
	engine   *rollout.Engine
	loop     *rollout.Loop
	ctx      context.Context // ends when the process is asked to end
	end      context.CancelFunc
}

// startControl starts a control plane.
func (u *universe) startControl() {
	u.controls++
	c := &control{process: &process{world: u.world, name: fmt.Sprintf("control plane %d", u.controls)}, universe: u}
	c.ctx, c.end = context.WithCancel(context.Background())
	u.control = c
	c.spawn(c.main)
}

// main is what the server does: it takes the next term, opens the engine, drives
// open intents and lets the loop run.
func (c *control) main() {
	u := c.universe
	started := u.world.now
	elapsed := func() time.Duration { return u.world.now - started }
	c.clock = steadyclock.New(u.wall, elapsed, u.newestEntry())
	if u.open != nil {
		var err error
		if u.store.real, err = u.open(); err != nil {
			c.fail(err)
		}
	}
	var err error
	if c.term, err = c.takeTerm(); err != nil {
		c.fail(err)
	}
	if c.engine, err = rollout.Open(c.ctx, u.store, c.clock.Now, u.world); err != nil {
		c.fail(err)
	}
	c.loop = rollout.NewLoop(rollout.Config{
		Engine: c.engine, Store: u.store, Term: c.term, Now: c.clock.Now,
		Fleet: fleet{c}, Traffic: traffic{c}, Gates: gates{c}, Releases: u.release,
		Go: c.spawn, Sleep: u.world.sleepUnder, Log: c.log(),
	})
	if err = c.loop.Recover(c.ctx); err != nil {
		c.fail(err)
	}
	c.world.say("%s is up, term %d", c.name, c.term)
	c.spawn(c.fetch)
	for c.ctx.Err() == nil {
		if err := c.loop.Round(c.ctx); err != nil {
			c.world.say("round: %v", err)
		}
		u.promises.memory(c)
		c.world.sleep(c.world.between(50*time.Millisecond, 600*time.Millisecond))
	}
}

func (c *control) fetch() {
	for c.ctx.Err() == nil {
		if err := c.loop.Fetch(c.ctx); err != nil {
			c.world.say("fetch: %v", err)
		}
		c.world.sleep(c.world.between(50*time.Millisecond, 400*time.Millisecond))
	}
}

// fail ends a start that cannot be: only a refused write may cause it.
func (c *control) fail(err error) {
	if !errors.Is(err, errDiskFull) {
		c.universe.promises.breaks("recovery", "%s does not start: %v", c.name, err)
	}
	c.kill(err.Error())
}

type term struct {
	Term uint64 `json:"term"`
}

func (c *control) takeTerm() (uint64, error) {
	last, _ := row[term](c.universe.store, "server", "term")
	last.Term++
	value, err := json.Marshal(last)
	if err != nil {
		return 0, err
	}
	_, err = c.universe.store.Commit(c.ctx, fairlead.Change{Entries: []fairlead.Entry{{
		Time: c.clock.Now(), Kind: "server.started", Principal: "system:server", Data: value,
		Rows: []fairlead.Row{{Kind: "server", Key: "term", Value: value}},
	}}})
	return last.Term, err
}

// log traces what the loop logs.
func (c *control) log() *slog.Logger {
	if c.world.trace == nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(writer{c.world}, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

type writer struct{ world *world }

var _ io.Writer = writer{}

// Write traces one line.
func (w writer) Write(line []byte) (int, error) {
	w.world.say("log: %s", line[:len(line)-1])
	return len(line), nil
}

// point is where the control plane touches the world: it may die here.
func (c *control) point(what string) {
	if c.world.likely(c.universe.faults.crash) {
		c.kill("at " + what)
	}
}

var (
	errDiskFull = errors.New("no space left on device")
	errSilence  = fairlead.Errorf(fairlead.Unavailable, "call", "no answer")
)

// call carries one command to another process and its answer back. It may be lost,
// come late, come twice, and its answer may be lost.
func (c *control) call(what string, deliver func() error) error {
	f := c.universe.faults
	c.point("before " + what)
	c.world.sleep(c.world.between(0, 5*time.Millisecond))
	switch {
	case c.world.likely(f.lost):
		c.world.say("%s is lost", what)
		c.world.sleep(2 * time.Second)
		return errSilence
	case c.world.likely(f.late):
		c.world.say("%s will be late", what)
		c.world.after(c.world.between(time.Second, 40*time.Second), func() {
			c.world.say("%s comes late: %v", what, deliver())
		})
		c.world.sleep(2 * time.Second)
		return errSilence
	}
	err := deliver()
	if c.world.likely(f.twice) {
		c.world.say("%s comes twice: %v", what, deliver())
	}
	c.point("after " + what)
	if c.world.likely(f.lost) {
		c.world.say("the answer to %s is lost", what)
		c.world.sleep(2 * time.Second)
		return errSilence
	}
	c.world.sleep(c.world.between(0, 5*time.Millisecond))
	return err
}
