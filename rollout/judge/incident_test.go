package judge

import (
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead"
)

// Both arms fail 30 % of their requests for five minutes, because of something that
// they share, be it that the new release broke it.
func TestAFaultOfBothArmsHoldsAndRollsNothingBack(t *testing.T) {
	for _, c := range []struct {
		rate   float64
		weight fairlead.Weight
		seen   float64 // least share; at 1 request a second the canary has 30 requests in that time
	}{{1, 1000, 0.6}, {10, 1000, 0.9}, {100, 1000, 0.9}} {
		var seen, safe atomic.Int32
		runs := scaled(20)
		o := many(runs, fairlead.Harmful, func(seed uint64) (fairlead.Verdict, int) {
			w := newWorld(seed, c.rate, c.weight)
			w.fails = risks(0.005, 0.005)
			config := defaults
			config.MarginRatio, config.MarginAbsolute = 1.0001, 1e-9 // nothing is proven before
			j := New(config)
			j.Step(1, c.weight, 0)
			w.run(j, 600)
			w.fails = risks(0.3, 0.3)
			shared := false
			for range 300 {
				j.Observe(w.block())
				r := j.Report()
				shared = shared || r.Shared
				if r.Verdict.Finding == fairlead.Safe {
					safe.Add(1)
				}
			}
			if shared {
				seen.Add(1)
			}
			w.fails = risks(0.005, 0.005)
			v, n := w.run(j, 600)
			if j.Report().Shared {
				t.Errorf("at %g rps, seed %d: the incident is not over after ten minutes", c.rate, seed)
			}
			return v, n
		})
		t.Logf("both arms 0.5 -> 30 %% for 300 s at %g rps: seen in %d of %d, called harmful in %d, safe in %d", c.rate, seen.Load(), runs, o.reached, safe.Load())
		o.atMost(t, defaults.Alpha)
		if float64(seen.Load()) < c.seen*float64(runs) || safe.Load() > 0 {
			t.Errorf("at %g rps: seen in %d of %d, safe in %d", c.rate, seen.Load(), runs, safe.Load())
		}
	}
}
