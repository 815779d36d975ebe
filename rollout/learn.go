package rollout

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// armKey is one release at a site.
type armKey struct {
	site    fairlead.Site
	release int
}

// baseline is a release's latency in the newest minutes, so that its quantiles
// can be frozen when another release comes beside it.
type baseline struct {
	minutes [baselineMinutes]fairlead.LatencyBuckets
	at      [baselineMinutes]int64 // Unix minute of each
}

const (
	baselineMinutes = 5
	baselineLeast   = 1000 // requests that a 99th percentile needs at least
)

// learn takes the latencies of blocks into the baselines.
func (l *Loop) learn(s scene) {
	releases := map[fairlead.Site][2]int{}
	for _, state := range l.Engine.Sites() {
		stable, canary := arms(state)
		releases[state.Live.Site] = [2]int{stable, canary}
	}
	for _, b := range s.blocks {
		arms := releases[b.Site]
		for _, c := range b.Cells {
			l.baseline(armKey{b.Site, arms[0]}).add(c.Second, c.Stable.Latency)
			l.baseline(armKey{b.Site, arms[1]}).add(c.Second, c.Canary.Latency)
		}
	}
	maps.DeleteFunc(l.baselines, func(k armKey, _ *baseline) bool {
		arms, known := releases[k.site]
		return !known || k.release != arms[0] && k.release != arms[1]
	})
}

func (l *Loop) baseline(k armKey) *baseline {
	if l.baselines[k] == nil {
		l.baselines[k] = &baseline{}
	}
	return l.baselines[k]
}

func (b *baseline) add(second int64, latency fairlead.LatencyBuckets) {
	minute := second / 60
	slot := int(minute % baselineMinutes)
	if b.at[slot] != minute {
		b.at[slot], b.minutes[slot] = minute, fairlead.LatencyBuckets{}
	}
	for i, n := range latency {
		b.minutes[slot][i] += n
	}
}

// frozen returns the p50, p90 and p99 of a release in milliseconds, as upper
// bounds of buckets; zeroes when it had too little traffic.
func (l *Loop) frozen(k armKey) [3]float64 {
	b := l.baselines[k]
	if b == nil {
		return [3]float64{}
	}
	var sum fairlead.LatencyBuckets
	total := 0.0
	for _, minute := range b.minutes {
		for i, n := range minute {
			sum[i] += n
			total += float64(n)
		}
	}
	if total < baselineLeast {
		return [3]float64{}
	}
	return [3]float64{quantile(sum, 0.5*total), quantile(sum, 0.9*total), quantile(sum, 0.99*total)}
}

func quantile(h fairlead.LatencyBuckets, rank float64) float64 {
	seen := 0.0
	for i, n := range h {
		if seen += float64(n); seen >= rank {
			return fairlead.BucketBound(i)
		}
	}
	return fairlead.BucketBound(len(h) - 1)
}

// counters add up restarts and replica-seconds of a site's releases while a
// rollout lasts, whatever instances come and go.
type counters struct {
	at     time.Time
	seen   map[string]int // restarts and OOM kills of an instance already counted
	groups map[int]Group
}

// newCounters goes on from the newest recorded totals.
func newCounters(state State, here []workload.Status) *counters {
	r := state.Rollout
	c := &counters{seen: map[string]int{}, groups: map[int]Group{r.From: state.Old, r.To: state.New}}
	for _, s := range here {
		c.seen[s.ID] = ends(s)
	}
	return c
}

func (c *counters) update(now time.Time, here []workload.Status) {
	elapsed := 0.0
	if !c.at.IsZero() {
		elapsed = max(0, now.Sub(c.at).Seconds())
	}
	c.at = now
	for _, s := range here {
		g := c.groups[s.Release]
		g.Restarts += max(0, ends(s)-c.seen[s.ID])
		c.seen[s.ID] = ends(s)
		if s.State == workload.Ready || s.State == workload.Unready || s.State == workload.Backoff {
			g.Seconds += elapsed
		}
		c.groups[s.Release] = g
	}
}

// ends is how often an instance ended by itself; an OOM kill that led to a restart
// is in both counts.
func ends(s workload.Status) int { return max(s.Restarts, s.OOMKills) }

func (c *counters) of(release int) Group { return c.groups[release] }

// take adds the totals of a counter to what is seen now.
func (g *Group) take(total Group) { g.Restarts, g.Seconds = total.Restarts, total.Seconds }

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
	l.actions.wg.Go(func() { l.prove(ctx, r) })
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
		pause(ctx, time.Second)
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
