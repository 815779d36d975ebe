package judge

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/fairlead/fairlead"
)

const (
	tick       = 5 // ms, the resolution of stalls
	stallTicks = 1000 / tick
	allSlow    = 1<<fairlead.SlowP50 | 1<<fairlead.SlowP90 | 1<<fairlead.SlowP99
)

// stalls says when the instances of each arm stand still, by tick. All requests
// that arrive at an instance in a stall are slow together.
type stalls struct {
	begin int64
	arms  [2][][]bool
}

// newStalls gives each arm so many instances. Each stalls by itself once in
// every seconds, for least to most milliseconds, and all together once in shared
// seconds; 0 is never.
func newStalls(w *world, seconds int, instances [2]int, every, shared, least, most float64) *stalls {
	rng := rand.New(rand.NewPCG(w.salt, 11))
	schedule := func(every float64, into []bool) {
		if every <= 0 {
			return
		}
		for t := rng.ExpFloat64() * every; t < float64(seconds); t += rng.ExpFloat64() * every {
			end := t + (least+(most-least)*rng.Float64())/1000
			for i := int(t * stallTicks); i < int(end*stallTicks) && i < len(into); i++ {
				into[i] = true
			}
			t = end
		}
	}
	s := &stalls{begin: w.now + 1}
	together := make([]bool, seconds*stallTicks)
	schedule(shared, together)
	for arm, n := range instances {
		for range n {
			own := append([]bool(nil), together...)
			schedule(every, own)
			s.arms[arm] = append(s.arms[arm], own)
		}
	}
	return s
}

// stalled says whether a request that arrives now, at some moment of this second
// and at some instance of its arm, meets a stall.
func (s *stalls) stalled(w *world, arm int) bool {
	at := int(w.now-s.begin)*stallTicks + w.rng.IntN(stallTicks)
	instance := s.arms[arm][w.rng.IntN(len(s.arms[arm]))]
	return at < len(instance) && instance[at]
}

// thresholds are the frozen p50, p90, p99 of log latencies with a median of 1
// and a log deviation of 0.5.
var thresholds = [fairlead.Signals]float64{math.Inf(1), 0, 0.5 * 1.2816, 0.5 * 2.3263}

// slowness is a latency's exceedances: log normal latencies, shift is added to
// the canary's logs, to all or to those of the slowest tenth only.
func slowness(shift float64, tail bool) func(*world, int, uint64) uint8 {
	return func(w *world, arm int, _ uint64) uint8 {
		latency := 0.5 * w.rng.NormFloat64()
		if arm == canary && (!tail || latency > thresholds[fairlead.SlowP90]) {
			latency += shift
		}
		return exceedances(latency)
	}
}

func exceedances(latency float64) uint8 {
	mask := uint8(0)
	for s := fairlead.SlowP50; s < fairlead.Signals; s++ {
		if latency > thresholds[s] {
			mask |= 1 << s
		}
	}
	return mask
}

// stalling adds stalls to what exceeds says.
func stalling(s *stalls, exceeds func(*world, int, uint64) uint8) func(*world, int, uint64) uint8 {
	return func(w *world, arm int, unit uint64) uint8 {
		if s.stalled(w, arm) {
			return allSlow
		}
		return exceeds(w, arm, unit)
	}
}

// frailty makes every tenth session slow at each of its requests.
func frailty(w *world, arm int, unit uint64) uint8 {
	if mix(unit, 5)%10 == 0 {
		return allSlow
	}
	return slowness(0, false)(w, arm, unit)
}

// latencyOnly is a configuration in which harm alone ends a run, latency judged.
func latencyOnly() Config {
	c := onlyHarm(defaults.Alpha)
	c.Latency = true
	return c
}

// The counts of instances are stable's and canary's; the canary has a quarter of
// the traffic. A test that took units as independent rolled back half of the first two.
func TestReleasesThatStallAlikeAreRarelyHarmful(t *testing.T) {
	type stall struct{ every, shared, least, most float64 }
	tests := map[string]struct {
		stalls    stall
		instances [2]int
		pool      int
		exceeds   func(*world, int, uint64) uint8
	}{
		"each instance by itself":              {stall{5, 0, 50, 300}, [2]int{2, 1}, 0, slowness(0, false)},
		"the same, returning sessions":         {stall{5, 0, 50, 300}, [2]int{2, 1}, 4000, slowness(0, false)},
		"the whole machine too":                {stall{5, 5, 50, 300}, [2]int{2, 1}, 4000, slowness(0, false)},
		"the whole machine only":               {stall{0, 5, 50, 300}, [2]int{2, 1}, 4000, slowness(0, false)},
		"more instances of the canary":         {stall{5, 0, 50, 300}, [2]int{1, 2}, 4000, slowness(0, false)},
		"no stalls, every tenth session slow":  {stall{}, [2]int{2, 1}, 4000, frailty},
		"stalls, and every tenth session slow": {stall{5, 0, 50, 300}, [2]int{2, 1}, 4000, frailty},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			many(scaled(24), fairlead.Harmful, func(seed uint64) (fairlead.Verdict, int) {
				w := newWorld(seed, 500, 2500)
				w.pool, w.fails = c.pool, risks(0.005, 0.005)
				w.exceeds = stalling(newStalls(w, 120, c.instances, c.stalls.every, c.stalls.shared, c.stalls.least, c.stalls.most), c.exceeds)
				j := New(latencyOnly())
				j.Step(1, 2500, 0)
				return w.run(j, 120)
			}).atMost(t, defaults.Alpha)
		})
	}
}

func TestSlowerReleasesAreFoundInManySeconds(t *testing.T) {
	for _, c := range []struct {
		tail   bool
		rate   float64
		runs   int
		median int // must not be above
	}{{false, 10, 60, 110}, {false, 100, 20, 60}, {false, 500, 6, 60}, {true, 10, 40, 700}, {true, 100, 10, 300}, {true, 500, 4, 300}} {
		o := many(c.runs, fairlead.Harmful, func(seed uint64) (fairlead.Verdict, int) {
			w := newWorld(seed, c.rate, 1000)
			w.fails, w.exceeds = risks(0.005, 0.005), slowness(math.Log(1.5), c.tail)
			j := New(latencyOnly())
			j.Step(1, 1000, 0)
			return w.run(j, 3000)
		})
		t.Logf("x1.5 (tail only: %v) at %g rps, 10 %%: harmful in %d of %d, median %d s", c.tail, c.rate, o.reached, o.runs, o.median)
		if o.reached < c.runs*9/10 || o.median > c.median {
			t.Errorf("at %g rps, tail only %v: %+v", c.rate, c.tail, o)
		}
	}
}

// The tour: 500 requests a second of 4000 sessions, steps of 25 and 50 %, for
// five minutes at most.
func TestAGoodReleaseIsPromotedWhileInstancesStall(t *testing.T) {
	for _, c := range []struct {
		name             string
		every, shared    float64
		within, promoted float64 // least share in 60 s, and at all
	}{{"each instance by itself", 5, 0, 0.8, 0.95}, {"the whole machine too", 5, 5, 0.85, 0.95}, {"seldom", 20, 0, 0.6, 0.85}} {
		t.Run(c.name, func(t *testing.T) {
			var mu sync.Mutex
			within, harmful, runs := 0, outcome{runs: scaled(50)}, scaled(50)
			config := defaults
			config.Latency = true
			o := many(runs, fairlead.Safe, func(seed uint64) (fairlead.Verdict, int) {
				w := newWorld(seed, 500, 2500)
				w.pool, w.fails = 4000, risks(0.005, 0.005)
				w.exceeds = stalling(newStalls(w, 300, [2]int{2, 1}, c.every, c.shared, 50, 300), slowness(0, false))
				v, took := promote(w, config, 150, 2500, 5000)
				n := 0
				for _, k := range took {
					n += k
				}
				mu.Lock()
				defer mu.Unlock()
				switch {
				case v.Finding == fairlead.Harmful:
					harmful.reached++
					t.Logf("seed %d: %+v", seed, v)
				case v.Finding == fairlead.Safe && n <= 60:
					within++
				}
				return v, n
			})
			t.Logf("promoted %d of %d, %d in 60 s, median %d s; rolled back %d", o.reached, o.runs, within, o.median, harmful.reached)
			harmful.atMost(t, defaults.Alpha)
			if float64(within) < c.within*float64(runs) || float64(o.reached) < c.promoted*float64(runs) {
				t.Errorf("%+v", o)
			}
		})
	}
}
