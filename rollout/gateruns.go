package rollout

import (
	"context"
	"sync"
	"time"
)

// gateRuns are the gates being proven beside a loop, and what they said.
type gateRuns struct {
	l       *Loop
	mu      sync.Mutex
	states  map[string]GateState // by rollout
	running map[string]bool
}

func newGateRuns(l *Loop) *gateRuns {
	return &gateRuns{l: l, states: map[string]GateState{}, running: map[string]bool{}}
}

func (g *gateRuns) state(id string) GateState {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.states[id]
}

// forget lets go of a rollout that has ended.
func (g *gateRuns) forget(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.states, id)
}

// begin runs a rollout's gates when it waits for them.
func (g *gateRuns) begin(ctx context.Context, r Rollout, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	state := g.states[r.ID]
	waits := r.Phase == Gating || r.Phase == Starting
	if !waits || r.Kind == Back || state.holds(now) || state.Failed != "" || g.running[r.ID] {
		return
	}
	g.running[r.ID] = true
	g.l.actions.spawn(func() { g.run(ctx, r) })
}

func (g *gateRuns) run(ctx context.Context, r Rollout) {
	state, err := g.prove(ctx, r)
	g.mu.Lock()
	delete(g.running, r.ID)
	if err == nil {
		g.states[r.ID] = state
	}
	g.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		g.l.Log.Warn("gates could not be run; they are tried again", "rollout", r.ID, "error", err)
		g.l.Sleep(ctx, time.Second)
	}
	g.l.poke()
}

func (g *gateRuns) prove(ctx context.Context, r Rollout) (GateState, error) {
	release, err := g.l.Releases(ctx, r.Site.App, r.To)
	if err != nil {
		return GateState{}, err
	}
	return g.l.Gates.Prove(ctx, release, r.Site.Env)
}
