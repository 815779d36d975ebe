package judge

import (
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/fairlead/fairlead"
)

// lowerBound is the lower Clopper-Pearson bound of 99 % for k of n: the share at
// which k or more would be seen in 1 % of cases.
func lowerBound(k, n int) float64 {
	atLeast := func(p float64) float64 {
		below := 0.0
		for i := range k {
			below += math.Exp(logChoose(n, i) + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
		}
		return 1 - below
	}
	low, high := 0.0, float64(k)/float64(n)
	for range 60 {
		if mid := (low + high) / 2; atLeast(mid) < 0.01 {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}

func TestLowerBoundIsClopperPearsons(t *testing.T) {
	for _, c := range []struct {
		k, n int
		want float64
	}{{0, 100, 0}, {1, 100, 1 - math.Pow(0.99, 0.01)}, {100, 100, math.Pow(0.01, 0.01)}} {
		if got := lowerBound(c.k, c.n); math.Abs(got-c.want) > 1e-6 {
			t.Errorf("%d of %d: %v, want %v", c.k, c.n, got, c.want)
		}
	}
}

// scaled is a number of runs: few in ordinary tests, more with JUDGE_RUNS=5 in
// the environment, say, for the figures of docs/design/judge-figures.md.
func scaled(runs int) int {
	if times, err := strconv.Atoi(os.Getenv("JUDGE_RUNS")); err == nil && times > 0 {
		return times * runs
	}
	return runs
}

// outcome is how often a finding was reached in runs, and the median of the
// blocks that it took.
type outcome struct{ reached, runs, median int }

// many runs worlds of different seeds, on all processors, and counts those that
// end with finding.
func many(runs int, finding fairlead.Finding, run func(seed uint64) (fairlead.Verdict, int)) outcome {
	o := outcome{runs: runs}
	took := make([]int, 0, runs)
	var mu sync.Mutex
	var workers sync.WaitGroup
	count := runtime.GOMAXPROCS(0)
	for first := range count {
		workers.Go(func() {
			for seed := first; seed < runs; seed += count {
				if v, n := run(uint64(seed)); v.Finding == finding {
					mu.Lock()
					took = append(took, n)
					mu.Unlock()
				}
			}
		})
	}
	workers.Wait()
	o.reached = len(took)
	if slices.Sort(took); len(took) > 0 {
		o.median = took[len(took)/2]
	}
	return o
}

// atMost fails if the share of the outcome is surely above the error. Simulations
// use larger errors than the defaults so that a few hundred runs can tell.
func (o outcome) atMost(t *testing.T, allowed float64) {
	t.Helper()
	t.Logf("%d of %d, at most %g allowed", o.reached, o.runs, allowed)
	if low := lowerBound(o.reached, o.runs); low > allowed {
		t.Errorf("%d of %d: the error is at least %.3g, more than %g", o.reached, o.runs, low, allowed)
	}
}

// onlyHarm is a configuration in which safety never ends a run.
func onlyHarm(alpha float64) Config {
	c := defaults
	c.Alpha, c.Beta = alpha, 1e-280
	return c
}

// onlySafety is one in which harm never does.
func onlySafety() Config {
	c := defaults
	c.Alpha = 1e-280
	return c
}

func TestReleasesThatAreNoWorseAreRarelyHarmful(t *testing.T) {
	const alpha = 0.05
	tests := map[string]func(w *world){
		"same release":                  func(w *world) { w.fails = risks(0.02, 0.02) },
		"sessions that fail often":      func(w *world) { w.pool, w.fails = 3000, frail(0.3, 0.3) },
		"the same, new sessions":        func(w *world) { w.fails = frail(0.3, 0.3) },
		"few sessions that fail often":  func(w *world) { w.pool, w.fails = 100, frail(0.3, 0.3) },
		"slow timeouts of both":         func(w *world) { w.pool, w.fails, w.slow = 3000, risks(0.01, 0.01), risks(0.05, 0.05) },
		"low traffic":                   func(w *world) { w.rate, w.fails = 3, risks(0.05, 0.05) },
		"base rate drifts in both arms": func(w *world) { w.fails = drifting },
		"an outage of both":             func(w *world) { w.fails = outage },
	}
	for name, set := range tests {
		t.Run(name, func(t *testing.T) {
			many(scaled(100), fairlead.Harmful, func(seed uint64) (fairlead.Verdict, int) {
				w := newWorld(seed, 60, 2500)
				set(w)
				c := onlyHarm(alpha)
				c.Latency = seed%2 == 0
				w.late = lates(1)
				j := New(c)
				j.Step(1, 2500, 0)
				if v, n := w.run(j, 40); v.Finding == fairlead.Harmful {
					return v, n
				}
				w.step(j, 2, 5000)
				return w.run(j, 60)
			}).atMost(t, alpha)
		})
	}
}

func drifting(w *world, _ int, _ uint64) float64 {
	return 0.05 + 0.045*math.Sin(float64(w.now)/17)
}

func outage(w *world, _ int, _ uint64) float64 {
	if w.now%80 > 50 {
		return 0.9
	}
	return 0.005
}

func TestAnImprovementIsNeverHarmful(t *testing.T) {
	tests := map[string]func(w *world){
		"half the failures":           func(w *world) { w.fails = risks(0.04, 0.02) },
		"sessions bound to fail":      func(w *world) { w.pool, w.fails = 2000, frailest(0.6, 0.3) },
		"sessions sure to fail":       func(w *world) { w.pool, w.fails = 2000, frailest(0.9, 0.3) },
		"while both arms drift apart": func(w *world) { w.fails = improvedDrift },
	}
	for name, set := range tests {
		t.Run(name, func(t *testing.T) {
			many(scaled(50), fairlead.Harmful, func(seed uint64) (fairlead.Verdict, int) {
				w := newWorld(seed, 80, 2500)
				set(w)
				j := New(onlyHarm(0.05))
				j.Step(1, 2500, 0)
				v, n := w.run(j, 60)
				for i, weight := range []fairlead.Weight{4000, 5000, 9500} {
					if v.Finding != fairlead.Harmful {
						w.step(j, uint32(i+2), weight)
						v, n = w.run(j, 80)
					}
				}
				return v, n
			}).atMost(t, 0.01)
		})
	}
}

// frailest makes every tenth session fail with its arm's probability.
func frailest(stable, canary float64) func(*world, int, uint64) float64 {
	return func(_ *world, arm int, unit uint64) float64 {
		if mix(unit, 5)%10 == 0 {
			return [2]float64{stable, canary}[arm]
		}
		return 0.0002
	}
}

func improvedDrift(w *world, arm int, unit uint64) float64 {
	return drifting(w, arm, unit) * [2]float64{1, 0.7}[arm]
}

func TestSlowTimeoutsReportedLateAreNeverSafe(t *testing.T) {
	for _, c := range []struct {
		rate     float64
		weight   fairlead.Weight
		deadline int64 // at 600 none of the timeouts is known yet
		blocks   int
	}{{30, 1000, 30, 120}, {500, 1000, 30, 60}, {20, 5000, 600, 400}} {
		many(60, fairlead.Safe, func(seed uint64) (fairlead.Verdict, int) {
			w := newWorld(seed, c.rate, c.weight)
			w.deadline, w.fails, w.slow = c.deadline, risks(0.005, 0.005), risks(0, 0.1)
			j := New(onlySafety())
			j.Step(1, c.weight, 0)
			return w.run(j, c.blocks)
		}).atMost(t, 0)
	}
}

func TestTenTimesTheFailuresAreFoundSoon(t *testing.T) {
	for _, c := range []struct {
		rate   float64
		runs   int
		blocks int // the median must not be above
	}{{1, 60, 1800}, {10, 100, 180}, {100, 200, 20}} {
		o := many(c.runs, fairlead.Harmful, func(seed uint64) (fairlead.Verdict, int) {
			w := newWorld(seed, c.rate, 1000)
			w.fails = risks(0.005, 0.05)
			j := New(defaults)
			j.Step(1, 1000, 0)
			return w.run(j, 6000)
		})
		t.Logf("0.5 %% -> 5 %% at %g rps, 10 %%: harmful in %d of %d, median %d blocks", c.rate, o.reached, o.runs, o.median)
		if o.median > c.blocks || float64(o.reached) < 0.97*float64(o.runs) {
			t.Errorf("at %g rps: %+v", c.rate, o)
		}
	}
}

func TestALateFaultIsFoundAlmostAsSoon(t *testing.T) {
	o := many(30, fairlead.Harmful, func(seed uint64) (fairlead.Verdict, int) {
		w := newWorld(seed, 10, 1000)
		w.fails = risks(0.005, 0.005)
		j := New(onlyHarm(1.0 / 300))
		j.Step(1, 1000, 0)
		w.run(j, 3600)
		w.fails = risks(0.005, 0.05)
		return w.run(j, 3600)
	})
	t.Logf("after an hour without a fault, 10 rps: harmful in %d of %d, median %d blocks", o.reached, o.runs, o.median)
	if o.reached < 29 || o.median > 300 {
		t.Errorf("%+v", o)
	}
}

func TestALatencyRegressionIsFound(t *testing.T) {
	o := many(50, fairlead.Harmful, func(seed uint64) (fairlead.Verdict, int) {
		w := newWorld(seed, 100, 1000)
		w.fails, w.late = risks(0.005, 0.005), lates(3)
		c := defaults
		c.Latency = true
		j := New(c)
		j.Step(1, 1000, 0)
		return w.run(j, 600)
	})
	t.Logf("latency odds times 3 at 100 rps, 10 %%: harmful in %d of %d, median %d blocks", o.reached, o.runs, o.median)
	if o.reached < 49 || o.median > 80 {
		t.Errorf("%+v", o)
	}
}

// promote runs the steps of a rollout until all are safe, and returns the blocks
// that each took.
func promote(w *world, c Config, most int, weights ...fairlead.Weight) (v fairlead.Verdict, took []int) {
	j := New(c)
	for i, weight := range weights {
		w.step(j, uint32(i+1), weight)
		var n int
		v, n = w.run(j, most)
		took = append(took, n)
		if v.Finding != fairlead.Safe {
			break
		}
	}
	return v, took
}

func TestAGoodReleaseIsPromoted(t *testing.T) {
	var first, second, all []int
	const runs = 60
	c := defaults
	c.Latency = true
	harmful := 0
	for seed := range uint64(runs) {
		w := newWorld(seed, 500, 2500)
		w.fails, w.late, w.pool = risks(0.005, 0.005), lates(1), 5000
		v, took := promote(w, c, 600, 2500, 5000)
		switch {
		case v.Finding == fairlead.Harmful:
			harmful++
		case len(took) == 2:
			first, second, all = append(first, took[0]), append(second, took[1]), append(all, took[0]+took[1])
		}
	}
	for _, s := range [][]int{first, second, all} {
		slices.Sort(s)
	}
	if len(all) < runs-3 {
		t.Fatalf("%d of %d promoted, %d rolled back", len(all), runs, harmful)
	}
	t.Logf("500 rps, 25/50 %%, latency judged: %d of %d promoted; median blocks %d + %d, all %d (p95 %d)",
		len(all), runs, first[len(first)/2], second[len(second)/2], all[len(all)/2], all[len(all)*95/100])
	if all[len(all)/2] > 40 {
		t.Errorf("the median is %d blocks", all[len(all)/2])
	}
}

func TestAReleaseAtTheMarginIsRarelySafe(t *testing.T) {
	tests := map[string]func(w *world, c *Config){
		"an odds ratio of 2 of failures": func(w *world, c *Config) {
			w.fails = risks(0.05, 2*0.05/1.05)
			c.MarginAbsolute = 2*0.05/1.05 - 0.05
		},
		"one point of failures": func(w *world, c *Config) {
			w.fails = risks(0.01, 0.02)
			c.MarginRatio = 0.02 * 0.99 / 0.98 / 0.01
		},
		"while the base rate drifts": func(w *world, c *Config) {
			w.fails = func(w *world, arm int, unit uint64) float64 { return drifting(w, arm, unit) + [2]float64{0, 0.06}[arm] }
			c.MarginRatio, c.MarginAbsolute = 1.5, 0.06
		},
		"latency": func(w *world, c *Config) { w.late, c.Latency = lates(2), true },
	}
	for name, set := range tests {
		t.Run(name, func(t *testing.T) {
			many(scaled(90), fairlead.Safe, func(seed uint64) (fairlead.Verdict, int) {
				w := newWorld(seed, 100, 5000)
				c := onlySafety()
				set(w, &c)
				j := New(c)
				j.Step(1, 5000, 0)
				return w.run(j, 100)
			}).atMost(t, defaults.Beta)
		})
	}
}

func TestTheIntervalOfTheOddsRatioHoldsAtAllTimes(t *testing.T) {
	const ratio = 2.0 // a ratio of the grid
	missed := 0
	for seed := range uint64(200) {
		w := newWorld(seed, 200, 2500)
		w.fails = risks(0.05, ratio*0.05/(1+0.05*(ratio-1)))
		j := New(onlyHarm(1e-280))
		j.Step(1, 2500, 0)
		for range 60 {
			j.Observe(w.block())
			if i := j.estimates[fairlead.Failures].ratio(); i != nil && (i.Low > ratio || i.High < ratio) {
				missed++
				break
			}
		}
	}
	if lowerBound(missed, 200) > estimateError {
		t.Errorf("%d of 200 intervals missed", missed)
	}
}
