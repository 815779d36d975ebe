package rollout

import (
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
)

// course is a whole rollout at block level: a machine with its judge, and one block
// of simulated traffic a second.
type course struct {
	strategy fairlead.Strategy
	rate     float64    // requests a second, each of a unit of its own
	fails    [2]float64 // chance that a request fails, by release
	quiet    bool       // latency is not judged

	rng     *rand.Rand
	machine *Machine
	second  int64
	seq     uint64
}

// ran is how a course ended.
type ran struct {
	promoted, rolledBack bool
	seconds              int
	excess               float64 // failures of the new release beyond those that the old one would have had
	rollout              Rollout
}

// strategyOf returns a strategy with the defaults of an App file.
func strategyOf(steps ...fairlead.Percent) fairlead.Strategy {
	holdback := fairlead.Percent(5)
	return fairlead.Strategy{
		Type: fairlead.Canary, Alpha: 1.0 / 300, Beta: 1.0 / 20, Tolerance: 1, Holdback: &holdback, Steps: steps,
		Margin: fairlead.Margin{Ratio: 2, Absolute: 0.01}, Warmup: fairlead.Duration(5 * time.Second),
		MinStep: fairlead.Duration(5 * time.Second), MaxStep: fairlead.Duration(1000 * time.Hour), RollbackWindow: fairlead.Duration(30 * time.Minute),
	}
}

// run lets the course go until the release is promoted or back, most seconds at most.
func (c course) run(seed uint64, most int) ran {
	c.rng, c.second = rand.New(rand.NewPCG(seed, 11)), epochStart.Unix()
	site := fairlead.Site{App: "triage", Env: "production"}
	env := fairlead.Environment{Name: site.Env, Replicas: 1, Strategy: c.strategy}
	c.machine = NewMachine(newRollout(Beginning{Site: site, Release: 2, Environment: env, Kind: Forward}, Live{Stable: 1, Replicas: 1}, epochStart,
		rand.NewChaCha8([32]byte{byte(seed)})))
	var result ran
	c.feed(nil)
	for result.seconds < most {
		result.seconds++
		c.second++
		b, failed, requests := c.block()
		result.excess += failed - requests*c.fails[0]
		c.feed([]fairlead.Block{b})
		r := c.machine.Rollout()
		result.promoted, result.rolledBack = r.Outcome == Promoted, r.Outcome == RolledBack
		if r.Outcome != "" {
			break
		}
	}
	result.rollout = c.machine.Rollout()
	return result
}

func (c *course) feed(blocks []fairlead.Block) {
	in := Input{Now: time.Unix(c.second, 0).UTC(), Blocks: blocks, New: Group{Ready: 1}, Old: Group{Ready: 1}, Gates: GateState{Satisfied: true}}
	if !c.quiet {
		in.Frozen = [3]float64{10, 20, 40}
	}
	for {
		d, _, err := c.machine.Take(in)
		if err != nil {
			panic(err)
		}
		if d.Kind == "" {
			return
		}
		in.Blocks = nil
	}
}

// block returns the next second's, and how the new release fared in it.
func (c *course) block() (b fairlead.Block, failed, requests float64) {
	r := c.machine.Rollout()
	cell := fairlead.Cell{Second: c.second, Epoch: r.Epoch, Complete: true}
	for at := c.rng.ExpFloat64(); at < c.rate; at += c.rng.ExpFloat64() {
		arm, risk := &cell.Stable, c.fails[0]
		if c.rng.IntN(10000) < int(r.Weight) {
			arm, risk = &cell.Canary, c.fails[1]
			requests++
		}
		unit := c.rng.Uint64()
		arm.Requests++
		arm.Units = append(arm.Units, unit)
		if c.rng.Float64() < risk {
			arm.Failed[fairlead.ServerError]++
			arm.Hits[fairlead.Failures] = append(arm.Hits[fairlead.Failures], unit)
			if arm == &cell.Canary {
				failed++
			}
		}
		slow := c.rng.Float64()
		for s, chance := range c.slow() {
			if slow < chance {
				arm.Hits[s] = append(arm.Hits[s], unit)
			}
		}
	}
	c.seq++
	return fairlead.Block{Gateway: "g", Seq: c.seq, Site: r.Site, Rollout: r.ID, At: c.second*1000 + 999, Cells: []fairlead.Cell{cell}}, failed, requests
}

// slow returns how likely a request is beyond the old release's quantiles.
func (c course) slow() map[fairlead.Signal]float64 {
	return map[fairlead.Signal]float64{fairlead.SlowP50: 0.5, fairlead.SlowP90: 0.1, fairlead.SlowP99: 0.01}
}

// summary is many runs of a course.
type summary struct {
	runs, promoted, rolledBack int
	seconds                    int     // median
	excess                     float64 // mean
}

func (c course) many(runs, most int) summary {
	all := make([]ran, runs)
	var workers sync.WaitGroup
	count := runtime.GOMAXPROCS(0)
	for first := range count {
		workers.Go(func() {
			for seed := first; seed < runs; seed += count {
				all[seed] = c.run(uint64(seed), most)
			}
		})
	}
	workers.Wait()
	s := summary{runs: runs}
	var seconds []int
	for _, r := range all {
		seconds = append(seconds, r.seconds)
		s.excess += r.excess / float64(runs)
		if r.promoted {
			s.promoted++
		}
		if r.rolledBack {
			s.rolledBack++
		}
	}
	slices.Sort(seconds)
	s.seconds = seconds[runs/2]
	return s
}

// courses is a number of runs: few in ordinary tests, more with ROLLOUT_RUNS=10.
func courses(runs int) int {
	if times, err := strconv.Atoi(os.Getenv("ROLLOUT_RUNS")); err == nil && times > 0 {
		return times * runs
	}
	return runs
}

// TestAnAdaptiveReleaseIsSoonerThereAndHarmsLittleMore compares adaptive shares with
// the steps 10/50, four signals protected. ROLLOUT_RUNS=10 gives the figures of
// docs/design/steps.md.
func TestAnAdaptiveReleaseIsSoonerThereAndHarmsLittleMore(t *testing.T) {
	adaptive := strategyOf()
	adaptive.Adaptive = &fairlead.Adaptive{First: 5, Most: 50}
	for _, rate := range paceRates() {
		steps := course{strategy: strategyOf(10, 50), rate: rate, fails: [2]float64{0.005, 0.005}}
		follows := steps
		follows.strategy = adaptive
		a, b := steps.tell(t, "steps 10/50", 15), follows.tell(t, "adaptive 5 to 50", 15)
		if a.promoted < a.runs*9/10 || b.promoted < b.runs*9/10 || 2*b.seconds > a.seconds {
			t.Errorf("at %g rps adaptive shares take %d s, steps %d s: want half or less", rate, b.seconds, a.seconds)
		}
		for _, risk := range []float64{0.015, 0.05, 0.5} {
			steps.fails[1], follows.fails[1] = risk, risk
			a, b := steps.tell(t, "steps 10/50", 15), follows.tell(t, "adaptive 5 to 50", 15)
			if b.rolledBack < b.runs*9/10 || b.excess > 4*a.excess+10 {
				t.Errorf("at %g rps a release with %g failures: %d of %d back after %.0f too many, by steps after %.0f", rate, risk, b.rolledBack, b.runs, b.excess, a.excess)
			}
		}
	}
}

func paceRates() []float64 {
	if courses(1) > 1 {
		return []float64{1, 10, 100}
	}
	return []float64{20}
}

func (c course) tell(t *testing.T, name string, runs int) summary {
	t.Helper()
	s := c.many(courses(runs), 100_000)
	t.Logf("%-17s %4g rps, %.1f -> %.1f %%: promoted %d, rolled back %d of %d, median %d s, %.1f failures too many (mean)",
		name, c.rate, 100*c.fails[0], 100*c.fails[1], s.promoted, s.rolledBack, s.runs, s.seconds, s.excess)
	return s
}
