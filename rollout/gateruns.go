package rollout

import (
	"context"
	"sync"
	"time"
)

// gateRuns are the gates being proven, and what they said.
type gateRuns struct {
	mu      sync.Mutex
	states  map[string]GateState // by rollout
	running map[string]bool
}

func (g *gateRuns) state(id string) GateState {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.states[id]
}

// proveGates runs a rollout's gates beside the loop when it waits for them.
func (l *Loop) proveGates(ctx context.Context, r Rollout, now time.Time) {
	g := &l.gates
	g.mu.Lock()
	defer g.mu.Unlock()
	state := g.states[r.ID]
	waits := r.Phase == Gating || r.Phase == Starting
	if !waits || r.Kind == Back || state.holds(now) || state.Failed != "" || g.running[r.ID] {
		return
	}
	if g.running == nil {
		g.running = map[string]bool{}
	}
	g.running[r.ID] = true
	l.actions.spawn(func() { l.prove(ctx, r) })
}

func (l *Loop) prove(ctx context.Context, r Rollout) {
	state, err := l.provenState(ctx, r)
	l.gates.mu.Lock()
	delete(l.gates.running, r.ID)
	if err == nil {
		l.gates.states[r.ID] = state
	}
	l.gates.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		l.Log.Warn("gates could not be run; they are tried again", "rollout", r.ID, "error", err)
		l.Sleep(ctx, time.Second)
	}
	l.poke()
}

func (l *Loop) provenState(ctx context.Context, r Rollout) (GateState, error) {
	release, err := l.Releases(ctx, r.Site.App, r.To)
	if err != nil {
		return GateState{}, err
	}
	return l.Gates.Prove(ctx, release, r.Site.Env)
}
