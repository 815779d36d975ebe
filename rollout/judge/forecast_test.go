package judge

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/fairlead/fairlead"
)

// TestAForecastOfAStepsFirstTenthIsWithinAFactorOfTwo compares, for good releases
// with four protected signals, the forecast made after a tenth of the usual time
// with the usual time. JUDGE_RUNS=3 takes all cells, and a minute or two.
func TestAForecastOfAStepsFirstTenthIsWithinAFactorOfTwo(t *testing.T) {
	for _, c := range []struct {
		rate   float64
		weight fairlead.Weight
		base   float64
		pool   int  // sessions that come back
		long   bool // only with JUDGE_RUNS
	}{
		{1, 1000, 0.005, 0, true}, {1, 5000, 0.005, 0, true}, {1, 5000, 0.05, 0, true},
		{10, 500, 0.005, 0, true}, {10, 1000, 0.005, 0, false}, {10, 5000, 0.005, 0, false}, {10, 1000, 0.03, 0, true}, {10, 1000, 0, 0, false},
		{100, 100, 0.005, 0, true}, {100, 1000, 0.005, 0, false}, {100, 5000, 0.005, 0, false}, {100, 1000, 0.03, 0, false}, {100, 1000, 0.005, 5000, false},
	} {
		t.Run(fmt.Sprintf("%g rps, %s, %g failures, %d sessions", c.rate, c.weight, c.base, c.pool), func(t *testing.T) {
			if c.long && scaled(1) == 1 {
				t.Skip("takes long: JUDGE_RUNS=3 runs it")
			}
			step := func(seed uint64, at int) (took, said float64) {
				w := newWorld(seed, c.rate, c.weight)
				w.fails, w.late, w.pool = risks(c.base, c.base), lates(1), c.pool
				return foresee(w, at)
			}
			runs := scaled(10)
			var took, said []float64
			for seed := range uint64(runs) {
				n, _ := step(seed, 0)
				took = append(took, n)
			}
			median, good := middle(took), 0
			for seed := range uint64(runs) {
				_, s := step(seed+1000, max(1, int(median/10)))
				if said = append(said, s); s > median/2 && s < 2*median {
					good++
				}
			}
			t.Logf("%.0f s (median); by the forecast of its first tenth %.0f (%.0f to %.0f), %d of %d within a factor of 2",
				median, middle(said), slices.Min(said), slices.Max(said), good, runs)
			if good < runs/2 || middle(said) > 2*median || middle(said) < median/2 {
				t.Errorf("the forecast is not to be relied on")
			}
		})
	}
}

// foresee runs a step and returns the seconds that it took, and how many it was to
// take by the forecast after at of them: infinitely many where that saw no end.
func foresee(w *world, at int) (took, said float64) {
	c := onlySafety()
	c.Latency = true
	j := New(c)
	j.Step(1, w.weight, 0)
	said = math.Inf(1)
	for i := 1; i <= 40_000; i++ {
		j.Observe(w.block())
		if i == at {
			if f := j.Forecast(); f.Seconds != nil {
				said = float64(i) + *f.Seconds
			}
		}
		if j.Verdict().Finding == fairlead.Safe {
			return float64(i), said
		}
	}
	return 40_000, said
}

func middle(x []float64) float64 {
	x = slices.Clone(x)
	slices.Sort(x)
	return x[len(x)/2]
}

func TestAForecastNamesTheSignalThatTakesLongestAndEndsWithTheStep(t *testing.T) {
	w := newWorld(3, 200, 5000)
	w.fails, w.late = risks(0.005, 0.005), lates(1)
	c := onlySafety()
	c.Latency = true
	j := New(c)
	j.Step(1, 5000, 60e9) // a minute of warm-up, in which latency is not judged
	for range 10 {
		j.Observe(w.block())
	}
	r := j.Report()
	if r.Expected == nil || r.Forecast.Signal == "failures" || *r.Expected < 50 || *r.Expected > 300 {
		t.Errorf("in the warm-up the forecast is %+v, want latency after the rest of it", r.Forecast)
	}
	for _, s := range r.Signals {
		if s.Expected != nil && *s.Expected > *r.Expected {
			t.Errorf("%s takes %g s, the whole step %g s", s.Name, *s.Expected, *r.Expected)
		}
	}
	for range 600 {
		j.Observe(w.block())
	}
	if f := j.Forecast(); f.Seconds == nil || *f.Seconds != 0 {
		t.Errorf("once all is proven the forecast is %+v, want none left", f)
	}
}

func TestAForecastSeesNoEndForAReleaseAtTheMarginsNorWithoutTraffic(t *testing.T) {
	w := newWorld(5, 300, 5000)
	w.fails = risks(0.05, 0.11)
	j := New(onlySafety())
	j.Step(1, 5000, 0)
	if f := j.Forecast(); f.Seconds != nil || f.Units != 0 {
		t.Errorf("before any block the forecast is %+v, want none", f)
	}
	for range 120 {
		j.Observe(w.block())
	}
	if f := j.Forecast(); f.Seconds != nil || f.Signal != "failures" || math.Abs(f.Requests-300) > 30 {
		t.Errorf("the forecast is %+v, want that failures never come to be proven at 300 requests a second", f)
	}
}

func TestAForecastWaitsForWhatIsReportedSeldom(t *testing.T) {
	w := newWorld(7, 100, 5000)
	w.fails = risks(0.005, 0.005)
	c := onlySafety()
	c.Reported = []Reported{{Name: "refusal", Kind: fairlead.KindFailure, Protected: true, MarginRatio: 2, MarginAbsolute: 0.05}}
	j := New(c)
	j.Step(1, 5000, 0)
	took, said := 0, 0.0
	for i := 1; j.Verdict().Finding != fairlead.Safe && i < 3000; i++ {
		b := w.block()
		for _, arm := range []*fairlead.Arm{&b.Cells[0].Stable, &b.Cells[0].Canary} {
			if len(arm.Units) > 0 { // one answer of each release is looked at in a second
				refused := 0.0
				if w.rng.IntN(10) == 0 {
					refused = 1
				}
				arm.Reports = map[string]fairlead.Reports{"refusal": {{Unit: arm.Units[0], Value: refused}}}
			}
		}
		j.Observe(b)
		if f := j.Forecast(); i == 60 {
			if f.Signal != "refusal" || f.Seconds == nil {
				t.Fatalf("the forecast is %+v, want that it waits for refusal", f)
			}
			said = 60 + *f.Seconds
		}
		took = i
	}
	if t.Logf("took %d s, said %.0f s after a minute", took, said); said < float64(took)/3 || said > 3*float64(took) {
		t.Errorf("the forecast after a minute is %.0f s, and it took %d s", said, took)
	}
}

func BenchmarkForecast(b *testing.B) {
	w := newWorld(1, 100, 1000)
	w.fails, w.late = risks(0.005, 0.005), lates(1)
	c := onlySafety()
	c.Latency = true
	j := New(c)
	j.Step(1, 1000, 0)
	for range 20 {
		j.Observe(w.block())
	}
	for b.Loop() {
		j.Forecast()
	}
}

func TestAProtectedSignalThatNobodyReportsHasNoForecastAndIsNamed(t *testing.T) {
	for _, kind := range []string{fairlead.KindFailure, fairlead.KindSuccess, fairlead.KindScore, fairlead.KindAmount} {
		config := defaults
		config.Reported = []Reported{{Name: "quality", Kind: kind, Protected: true, MarginRatio: 1.25, MarginAbsolute: 0.05, Thresholds: [3]float64{1, 2, 3}}}
		w := newWorld(1, 200, 5000)
		w.fails = risks(0.005, 0.005)
		j := New(config)
		j.Step(1, 5000, 0)
		for range 60 {
			j.Observe(w.block())
			name := "quality"
			if kind == fairlead.KindAmount {
				name = "quality p50"
			}
			if f := j.Forecast(); f.Seconds != nil || f.Signal != name {
				t.Fatalf("%s: the forecast is %+v, want none, of %s", kind, f, name)
			}
		}
	}
}

func TestAFewLuckyScoresAreNoForecast(t *testing.T) {
	config := defaults
	config.Reported = []Reported{{Name: "quality", Kind: fairlead.KindScore, Protected: true, MarginAbsolute: 0.05}}
	w := newWorld(1, 200, 5000)
	j := New(config)
	j.Step(1, 5000, 0)
	for range 80 {
		b := w.block()
		for arm, value := range [2]float64{0.1, 1} {
			of := [2]*fairlead.Arm{&b.Cells[0].Stable, &b.Cells[0].Canary}[arm]
			of.Reports = map[string]fairlead.Reports{"quality": {{Unit: of.Units[0], Value: value}}}
		}
		j.Observe(b)
		units := j.reports.declared[0].readings[0].units
		f := j.Forecast()
		if units[stable]+units[canary] < learning && (f.Seconds != nil || f.Signal != "quality") {
			t.Fatalf("after %v reports the forecast is %+v", units, f)
		}
	}
	if f := j.Forecast(); f.Seconds == nil {
		t.Errorf("after 160 reports there is no forecast: %+v", f)
	}
}
