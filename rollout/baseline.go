package rollout

import (
	"maps"

	"github.com/fairlead/fairlead"
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
	baselineSlack   = 2.0  // milliseconds; less is the machine's: a process with fewer requests wakes up more slowly
)

// baselines are those of the releases that have traffic.
type baselines map[armKey]*baseline

// learn takes the latencies of blocks, and forgets releases without traffic.
func (all baselines) learn(states []State, blocks []fairlead.Block) {
	releases := map[fairlead.Site][2]int{}
	for _, state := range states {
		stable, canary := arms(state)
		releases[state.Live.Site] = [2]int{stable, canary}
	}
	for _, b := range blocks {
		arms := releases[b.Site]
		for _, c := range b.Cells {
			all.of(armKey{b.Site, arms[0]}).add(c.Second, c.Stable.Latency)
			all.of(armKey{b.Site, arms[1]}).add(c.Second, c.Canary.Latency)
		}
	}
	maps.DeleteFunc(all, func(k armKey, _ *baseline) bool {
		arms, known := releases[k.site]
		return !known || k.release != arms[0] && k.release != arms[1]
	})
}

func (all baselines) of(k armKey) *baseline {
	if all[k] == nil {
		all[k] = &baseline{}
	}
	return all[k]
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
// bounds of buckets with baselineSlack; zeroes when it had too little traffic.
func (all baselines) frozen(k armKey) [3]float64 {
	b := all[k]
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
	var limits [3]float64
	for i, share := range []float64{0.5, 0.9, 0.99} {
		limits[i] = quantile(sum, share*total) + baselineSlack
	}
	return limits
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
