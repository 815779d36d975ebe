package judge

import (
	"math"
	"testing"

	"github.com/fairlead/fairlead"
)

// found runs worlds with a fault of the canary's failures and returns how often,
// and after how many seconds, it is found. Latency is judged, so that failures
// have a half of alpha.
func found(runs int, rate float64, quiet, most int, risk func(w *world, second float64) float64) outcome {
	return many(runs, fairlead.Harmful, func(seed uint64) (fairlead.Verdict, int) {
		w := newWorld(seed, rate, 1000)
		w.fails = risks(0.005, 0.005)
		j := New(latencyOnly())
		j.config.Latency = true
		j.Step(1, 1000, 0)
		w.run(j, quiet)
		begin := w.now
		w.fails = func(w *world, arm int, _ uint64) float64 {
			if arm == stable {
				return 0.005
			}
			return risk(w, float64(w.now-begin))
		}
		return w.run(j, most)
	})
}

func TestAReleaseThatIsWhollyBrokenIsFoundAtOnce(t *testing.T) {
	for _, c := range []struct {
		rate   float64
		runs   int
		median int
	}{{1, 100, 60}, {10, 100, 6}, {100, 60, 3}, {500, 20, 3}} {
		for _, quiet := range []int{0, 600} {
			o := found(c.runs, c.rate, quiet, 600, func(*world, float64) float64 { return 1 })
			t.Logf("0.5 %% -> 100 %% at %g rps, 10 %%, after %d s: harmful in %d of %d, median %d s", c.rate, quiet, o.reached, o.runs, o.median)
			if o.reached < o.runs || quiet == 0 && o.median > c.median {
				t.Errorf("at %g rps after %d s: %+v", c.rate, quiet, o)
			}
		}
	}
}

// No test with 1/300 false alarms can have found half of these ramps at 10 requests a
// second before 840 s, even one that knows the base rate and the ramp: until then the
// canary's failures are expected to say too little (docs/design/judge-figures.md).
func TestAFaultThatGrowsForAnHourIsFoundWhileItIsSmall(t *testing.T) {
	for _, c := range []struct {
		rate   float64
		median int // must not be above
	}{{10, 1900}, {100, 800}} {
		o := found(scaled(20), c.rate, 0, 3600, func(_ *world, second float64) float64 { return 0.005 + 0.045*math.Min(1, second/3600) })
		t.Logf("0.5 %% -> 5 %% in an hour at %g rps, 10 %%: harmful in %d of %d, median %d s", c.rate, o.reached, o.runs, o.median)
		if o.reached < o.runs*95/100 || o.median > c.median {
			t.Errorf("%+v", o)
		}
	}
}

func TestAFaultThatBeginsLaterIsFoundSoon(t *testing.T) {
	for _, quiet := range []int{0, 300, 1800} {
		o := found(scaled(60), 10, quiet, 3600, func(*world, float64) float64 { return 0.05 })
		t.Logf("0.5 %% -> 5 %% at 10 rps, 10 %%, after %d s: harmful in %d of %d, median %d s", quiet, o.reached, o.runs, o.median)
		if o.reached < o.runs*95/100 || o.median > 330 {
			t.Errorf("after %d s: %+v", quiet, o)
		}
	}
}
