package rollout

import (
	"fmt"
	"maps"
	"time"

	"github.com/fairlead/fairlead"
)

// armKey is one release at a site.
type armKey struct {
	site    fairlead.Site
	release int
}

// baseline is what a release showed in the newest minutes, so that its quantiles
// can be frozen when another release comes beside it.
type baseline struct {
	minutes [baselineMinutes]minute
}

// minute is one of them.
type minute struct {
	at      int64 // Unix minute
	latency fairlead.LatencyBuckets
	first   fairlead.LatencyBuckets // to the first byte
	amounts map[string]amounts      // reported at once, by signal
	ended   uint64                  // requests
	failed  uint64
}

const (
	baselineMinutes = 5
	baselineNames   = 64   // reported signals of a minute: a second may have other names than the one before
	baselineLeast   = 1000 // requests that a 99th percentile needs at least
	baselineSlack   = 2.0  // milliseconds; less is the machine's: a process with fewer requests wakes up more slowly
)

// baselines are those of the releases that have traffic.
type baselines map[armKey]*baseline

// learn takes what blocks show, and forgets releases without traffic.
func (all baselines) learn(states []State, blocks []fairlead.Block) {
	releases := map[fairlead.Site][2]int{}
	for _, state := range states {
		stable, canary := arms(state)
		releases[state.Live.Site] = [2]int{stable, canary}
	}
	for _, b := range blocks {
		arms := releases[b.Site]
		for _, c := range b.Cells {
			all.of(armKey{b.Site, arms[0]}).add(c.Second, c.Stable)
			all.of(armKey{b.Site, arms[1]}).add(c.Second, c.Canary)
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

func (b *baseline) add(second int64, arm fairlead.Arm) {
	at := second / 60
	m := &b.minutes[at%baselineMinutes]
	switch {
	case at < m.at && arm.Requests == 0:
		return // the trailer of a long stream, say: its minute is over
	case at != m.at: // also after a clock was set back
		*m = minute{at: at}
	}
	sum(&m.latency, arm.Latency)
	sum(&m.first, arm.First)
	m.ended += uint64(arm.Ended)
	for _, n := range arm.Failed {
		m.failed += uint64(n)
	}
	for name, reports := range arm.Reports {
		if m.amounts == nil {
			m.amounts = map[string]amounts{}
		}
		if m.amounts[name] == nil && len(m.amounts) < baselineNames {
			m.amounts[name] = amounts{}
		}
		if known := m.amounts[name]; known != nil {
			known.add(reports)
		}
	}
}

func sum(into *fairlead.LatencyBuckets, more fairlead.LatencyBuckets) {
	for i, n := range more {
		into[i] += n
	}
}

// frozen returns the p50, p90 and p99 of a release's latency, and of the time to
// its first byte, in milliseconds, as upper bounds of buckets with baselineSlack;
// zeroes where it had too little traffic.
func (all baselines) frozen(k armKey) (latency, first [3]float64) {
	b := all[k]
	if b == nil {
		return latency, first
	}
	var latencies, firsts fairlead.LatencyBuckets
	for _, m := range b.minutes {
		sum(&latencies, m.latency)
		sum(&firsts, m.first)
	}
	return limits(latencies), limits(firsts)
}

func limits(h fairlead.LatencyBuckets) [3]float64 {
	total := 0.0
	for _, n := range h {
		total += float64(n)
	}
	var limits [3]float64
	if total < baselineLeast {
		return limits
	}
	for i, share := range shares {
		limits[i] = quantile(h, share*total) + baselineSlack
	}
	return limits
}

// shares are of what is frozen: p50, p90 and p99.
var shares = [3]float64{0.5, 0.9, 0.99}

func quantile(h fairlead.LatencyBuckets, rank float64) float64 {
	seen := 0.0
	for i, n := range h {
		if seen += float64(n); seen >= rank {
			return fairlead.BucketBound(i)
		}
	}
	return fairlead.BucketBound(len(h) - 1)
}

// frozenAmounts returns the p50, p90 and p99 of the amounts that a release reported,
// for those signals of the strategy that had enough reports.
func (all baselines) frozenAmounts(k armKey, signals []fairlead.SignalSpec) map[string][3]float64 {
	b := all[k]
	if b == nil {
		return nil
	}
	var frozen map[string][3]float64
	for _, s := range signals {
		if s.Kind != fairlead.KindAmount {
			continue
		}
		whole := amounts{}
		for _, m := range b.minutes {
			whole.merge(m.amounts[s.Name])
		}
		if limits, enough := whole.limits(); enough {
			if frozen == nil {
				frozen = map[string][3]float64{}
			}
			frozen[s.Name] = limits
		}
	}
	return frozen
}

// own returns what a release showed in the newest minutes, or nil where no request to
// it ended.
func (all baselines) own(k armKey, now time.Time) *Own {
	b := all[k]
	if b == nil {
		return nil
	}
	var own Own
	var latency fairlead.LatencyBuckets
	total := 0.0
	for _, m := range b.minutes {
		if m.at <= now.Unix()/60-baselineMinutes {
			continue
		}
		own.Ended, own.Failed = own.Ended+m.ended, own.Failed+m.failed
		sum(&latency, m.latency)
	}
	for _, n := range latency {
		total += float64(n)
	}
	if own.Ended == 0 {
		return nil
	}
	if total > 0 {
		own.P50, own.P99 = quantile(latency, 0.5*total), quantile(latency, 0.99*total)
	}
	return &own
}

// failing returns the share of a release's requests that failed in the last minute or
// two, and an error where it had too few.
func (all baselines) failing(k armKey, now time.Time) (float64, error) {
	var ended, failed uint64
	if b := all[k]; b != nil {
		for _, m := range b.minutes {
			if m.at >= now.Unix()/60-1 {
				ended, failed = ended+m.ended, failed+m.failed
			}
		}
	}
	if ended < watchLeast {
		return 0, fmt.Errorf("only %d requests came in the last minute", ended)
	}
	return float64(failed) / float64(ended), nil
}
