package sim_test

import (
	"flag"
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

// TestEveryPromiseHoldsInEveryWorld runs worlds until enough rollouts were made.
func TestEveryPromiseHoldsInEveryWorld(t *testing.T) {
	if *seed != 0 {
		t.Skip("one world alone")
	}
	total := run(t)
	t.Logf("%d rollouts, %d decisions, %d requests, %d crashes, %d entries, %s simulated; sound %d, wronged %d, worse %d, wrongly out %d, unserved %d, cut %d",
		total.Rollouts, total.Decisions, total.Requests, total.Crashes, total.Entries, total.Simulated.Round(time.Second),
		total.Sound, total.Wronged, total.Worse, total.WronglyOut, total.Unserved, total.Cut)
}

func run(t *testing.T) sim.Report {
	defer debug.SetGCPercent(debug.SetGCPercent(800))
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
		return next - 1, total.Rollouts < *least && !t.Failed()
	}
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for n, more := take(); more; n, more = take() {
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
