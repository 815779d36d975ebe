package sim_test

import (
	"flag"
	"math"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/sim"
)

var (
	seed  = flag.Uint64("seed", 0, "run this world alone and print everything that happens in it")
	first = flag.Uint64("first", 1, "the first seed")
	least = flag.Int("rollouts", 10_000, "how many rollouts to run")
	tight = flag.Bool("tight", false, "run only worlds in which two releases have no room beside each other")
	soak  = flag.Duration("soak", 0, "run for this long instead, from a first seed of the day")
)

// TestSeed runs one world and prints it.
func TestSeed(t *testing.T) {
	if *seed == 0 {
		t.Skip("no -seed")
	}
	report, err := sim.Run(*seed, func(line string) { t.Log(line) })
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", report)
}

// TestOneSeedMakesOneWorld is what makes a failure seen again.
func TestOneSeedMakesOneWorld(t *testing.T) {
	for n := range uint64(4) {
		one, err := sim.Run(n+1, nil)
		if err != nil {
			t.Fatal(err)
		}
		again, err := sim.Run(n+1, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		if one != again {
			t.Errorf("seed %d: %+v, and again %+v", n+1, one, again)
		}
	}
}

// TestEveryPromiseHoldsInEveryWorld runs worlds until enough rollouts were made.
func TestEveryPromiseHoldsInEveryWorld(t *testing.T) {
	if *seed != 0 {
		t.Skip("one world alone")
	}
	began := time.Now()
	total := run(t, enough(began))
	t.Logf("%d rollouts with %d decisions in %s: %s of simulated time, %d requests, %d ends of control planes, %d entries",
		total.Rollouts, total.Decisions, time.Since(began).Round(time.Second), total.Simulated.Round(time.Second),
		total.Requests, total.Crashes, total.Entries)
	t.Logf("of %d sound releases that were judged %d were rolled back as worse; of %d worse ones %d were promoted",
		total.Sound, total.Wronged, total.Worse, total.Missed)
	t.Logf("%d releases took the place of another and %d came in beside fewer of its instances; %d requests waited, %d of them in vain",
		total.Replaced, total.Shrunk, total.Waited, total.InVain)
	if !testing.Short() && (total.Replaced == 0 || total.Shrunk == 0 || total.Waited == 0) {
		t.Error("no release took the place of another, or none shrank it: nothing of that was checked")
	}
	if excess(total.Wronged, total.Sound, sim.Alpha) {
		t.Errorf("stated error: %d of %d sound releases were rolled back as worse; alpha is %.3f", total.Wronged, total.Sound, sim.Alpha)
	}
	if excess(total.Missed, total.Worse, sim.Beta) {
		t.Errorf("stated error: %d of %d worse releases were promoted; beta is %.3f", total.Missed, total.Worse, sim.Beta)
	}
}

// enough says when no more worlds are needed.
func enough(began time.Time) func(sim.Report) bool {
	switch {
	case *soak > 0:
		*first = uint64(began.Unix()/86400) * 1_000_000
		return func(sim.Report) bool { return time.Since(began) > *soak }
	case testing.Short():
		return func(r sim.Report) bool { return r.Rollouts >= 200 }
	}
	return func(r sim.Report) bool { return r.Rollouts >= *least }
}

// run runs worlds on all processors, until it is enough or one breaks a promise.
func run(t *testing.T, enough func(sim.Report) bool) sim.Report {
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // worlds are small and short
	var (
		mu    sync.Mutex
		next  = *first
		total sim.Report
		wg    sync.WaitGroup
	)
	take := func() (uint64, bool) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next - 1, !enough(total) && !t.Failed()
	}
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for n, more := take(); more; n, more = take() {
				if *tight && !sim.Tight(n) {
					continue
				}
				report, err := sim.Run(n, nil)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				total.Add(report)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return total
}

// excess reports whether k of n is more than chance explains where the share is at
// most p: whether that many or more have a probability under one in a million.
func excess(k, n int, p float64) bool {
	tail := 0.0
	for i := k; i <= n; i++ {
		a, _ := math.Lgamma(float64(n + 1))
		b, _ := math.Lgamma(float64(i + 1))
		c, _ := math.Lgamma(float64(n - i + 1))
		tail += math.Exp(a - b - c + float64(i)*math.Log(p) + float64(n-i)*math.Log(1-p))
	}
	return k > 0 && tail < 1e-6
}
