package rollout

import (
	"time"

	"github.com/fairlead/fairlead/workload"
)

// counters add up restarts and replica-seconds of a site's releases while a
// rollout lasts, whatever instances come and go.
type counters struct {
	at     time.Time
	seen   map[string]int // restarts and OOM kills of an instance already counted
	oom    map[string]int // OOM kills of it already counted
	groups map[int]Group
	falls  map[int]falls
}

// newCounters goes on from the newest recorded totals: what happened since then, when
// no control plane was there, counts too. What happened before the rollout does not.
func newCounters(state State, here []workload.Status) *counters {
	r := state.Rollout
	c := &counters{
		at: state.Counted, seen: map[string]int{}, oom: map[string]int{}, groups: map[int]Group{r.From: state.Old, r.To: state.New},
		falls: map[int]falls{r.From: fallsOf(state.Old.Falls), r.To: fallsOf(state.New.Falls)},
	}
	for _, s := range here {
		c.oom[s.ID] = c.falls[s.Release][s.ID].OOMKills
		if s.Started.Before(r.Began) {
			c.oom[s.ID] = s.OOMKills // how many of them are of this rollout is not known
		}
		switch {
		case !state.Counted.IsZero():
			c.seen[s.ID] = state.Ends[s.ID]
		case s.Started.Before(r.Began):
			c.seen[s.ID] = ends(s)
		}
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
		fell, killed := max(0, ends(s)-c.seen[s.ID]), max(0, s.OOMKills-c.oom[s.ID])
		g.Restarts += fell
		g.OOMKills += killed
		c.seen[s.ID], c.oom[s.ID] = ends(s), s.OOMKills
		if c.falls[s.Release] == nil {
			c.falls[s.Release] = falls{}
		}
		c.falls[s.Release].add(s, fell, killed)
		lasted := min(elapsed, max(0, now.Sub(s.Started).Seconds()))
		if s.State == workload.Unready {
			g.Unready += lasted
		}
		if s.State == workload.Ready || s.State == workload.Unready || s.State == workload.Backoff {
			g.Seconds += lasted
		}
		c.groups[s.Release] = g
	}
}

// ends returns how often instances ended by themselves, without zeroes.
func (c *counters) ends(here []workload.Status) map[string]int {
	all := map[string]int{}
	for _, s := range here {
		if n := c.seen[s.ID]; n > 0 {
			all[s.ID] = n
		}
	}
	return all
}

// ends is how often an instance ended by itself; an OOM kill that led to a restart
// is in both counts.
func ends(s workload.Status) int { return max(s.Restarts, s.OOMKills) }

func (c *counters) of(release int) Group {
	g := c.groups[release]
	g.Falls = c.falls[release].recorded()
	return g
}

// take adds the totals of a counter to what is seen now.
func (g *Group) take(total Group) {
	g.Restarts, g.Seconds = total.Restarts, total.Seconds
	g.OOMKills, g.Unready, g.Falls = total.OOMKills, total.Unready, total.Falls
}
