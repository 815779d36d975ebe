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
