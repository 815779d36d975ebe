package judge

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// choose is the binomial coefficient by multiplication, for small numbers.
func choose(n, k int) float64 {
	if k < 0 || k > n {
		return 0
	}
	c := 1.0
	for i := range k {
		c = c * float64(n-i) / float64(i+1)
	}
	return c
}

// enumerate calls f with each possible table of the margins and its probability
// at odds ratio w.
func enumerate(nc, ns, y int, w float64, f func(t table, p float64)) {
	z := 0.0
	for k := range y + 1 {
		z += choose(nc, k) * choose(ns, y-k) * math.Pow(w, float64(k))
	}
	for k := range y + 1 {
		if p := choose(nc, k) * choose(ns, y-k) * math.Pow(w, float64(k)) / z; p > 0 {
			f(table{n: [2]int{ns, nc}, y: [2]int{y - k, k}}, p)
		}
	}
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b)) }

func TestLogZEqualsTheSumByDefinition(t *testing.T) {
	for nc := range 9 {
		for ns := range 9 {
			for y := range nc + ns + 1 {
				for _, w := range []float64{1.0 / 64, 0.7, 1, 2, 50} {
					sum := 0.0
					for k := range y + 1 {
						sum += choose(nc, k) * choose(ns, y-k) * math.Pow(w, float64(k))
					}
					if got := logZ(nc, ns, y, w); !near(got, math.Log(sum)) {
						t.Fatalf("log Z(%d,%d,%d; %g) = %v, by definition %v", nc, ns, y, w, got, math.Log(sum))
					}
				}
			}
		}
	}
}

// Vandermonde's identity gives Z(1) exactly for tables of any size.
func TestLogZOfLargeTablesIsExactAtRatioOne(t *testing.T) {
	for _, c := range [][3]int{{100_000, 900_000, 50_000}, {50_000, 50_000, 100_000}, {3, 100_000, 99_000}, {100_000, 100_000, 99_999}} {
		got, want := logZ(c[0], c[1], c[2], 1), logChoose(c[0]+c[1], c[2])
		if math.Abs(got-want) > 1e-8*want+1e-6 {
			t.Errorf("log Z%v = %v, want %v", c, got, want)
		}
	}
}

func TestLikelihoodsAreFiniteAtTheEdgesAndAtABillion(t *testing.T) {
	big := 1_000_000_000
	for _, c := range []table{
		{}, {n: [2]int{1, 1}, y: [2]int{1, 1}}, {n: [2]int{0, 5}, y: [2]int{0, 5}}, {n: [2]int{5, 0}, y: [2]int{5, 0}},
		{n: [2]int{big, big}}, {n: [2]int{big, big}, y: [2]int{1, 0}}, {n: [2]int{big, big}, y: [2]int{big, big}},
		{n: [2]int{big, 1}, y: [2]int{big / 2, 1}}, {n: [2]int{big, big}, y: [2]int{0, big}}, {n: [2]int{big, big}, y: [2]int{big, 0}},
	} {
		for _, w := range []float64{1e-6, 0.7, 1, 50, 1e6} {
			if l := c.logLikelihood(w); math.IsNaN(l) || math.IsInf(l, 0) {
				t.Errorf("likelihood of %v at %g is %v", c, w, l)
			}
		}
		h, s := newHarm(1), newSafety(defaults)
		h.table(c)
		s.table(table{n: [2]int{1000, 1000}, y: [2]int{5, 5}})
		s.table(c)
		for _, e := range []float64{capped(h.log()), capped(s.log())} {
			if math.IsNaN(e) || e < 0 || e > 1e300 {
				t.Errorf("e-value of %v is %v", c, e)
			}
		}
	}
}

// harmMean is the mean of a block's e-value for harm when the odds ratio is w.
func harmMean(nc, ns, y int, tolerance, w float64) float64 {
	mean := 0.0
	enumerate(nc, ns, y, w, func(t table, p float64) {
		h := newHarm(tolerance)
		h.table(t)
		mean += p * math.Exp(h.log())
	})
	return mean
}

func TestHarmHasMeanOneAtTheToleranceAndAtMostOneBelowIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nc, ns := rapid.IntRange(0, 25).Draw(t, "nc"), rapid.IntRange(0, 25).Draw(t, "ns")
		y := rapid.IntRange(0, nc+ns).Draw(t, "y")
		tolerance := rapid.SampledFrom([]float64{0.9, 1, 1.3, 2, 60}).Draw(t, "tolerance")
		if mean := harmMean(nc, ns, y, tolerance, tolerance); !near(mean, 1) {
			t.Fatalf("mean %v at the tolerance", mean)
		}
		if mean := harmMean(nc, ns, y, tolerance, tolerance*rapid.Float64Range(0.001, 1).Draw(t, "below")); mean > 1+1e-9 {
			t.Fatalf("mean %v below the tolerance", mean)
		}
	})
}

func TestHarmOfCountsHasMeanOneAtTheTolerance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 30).Draw(t, "events")
		share := rapid.Float64Range(0.01, 0.99).Draw(t, "share")
		for _, rate := range []float64{1, rapid.Float64Range(0.01, 1).Draw(t, "rate ratio")} {
			p := share * rate / (share*rate + 1 - share)
			mean := 0.0
			for k := range n + 1 {
				h := newHarm(1)
				h.counts([2]int{n - k, k}, share)
				mean += choose(n, k) * math.Pow(p, float64(k)) * math.Pow(1-p, float64(n-k)) * math.Exp(h.log())
			}
			if mean > 1+1e-9 || rate == 1 && !near(mean, 1) {
				t.Fatalf("mean %v at a rate ratio of %v", mean, rate)
			}
		}
	})
}

func TestRatioSafetyHasMeanAtMostOneAtAndBeyondTheMargin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nc, ns := rapid.IntRange(0, 25).Draw(t, "nc"), rapid.IntRange(0, 25).Draw(t, "ns")
		y := rapid.IntRange(0, nc+ns).Draw(t, "y")
		margin := rapid.SampledFrom([]float64{0.5, 1.1, 2, 5}).Draw(t, "margin")
		for _, times := range []float64{1, rapid.Float64Range(1, 100).Draw(t, "beyond")} {
			mean := 0.0
			enumerate(nc, ns, y, margin*times, func(t table, p float64) {
				r := newRatioSafety(margin)
				r.table(t)
				mean += p * math.Exp(r.log())
			})
			if mean > 1+1e-9 {
				t.Fatalf("mean %v at %v times the margin", mean, times)
			}
		}
	})
}

func TestAbsoluteSafetyHasMeanAtMostOneOnItsWholeNull(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nc, ns := rapid.IntRange(0, 12).Draw(t, "nc"), rapid.IntRange(0, 12).Draw(t, "ns")
		delta := rapid.SampledFrom([]float64{0, 0.001, 0.01, 0.1, 0.5}).Draw(t, "delta")
		unit := rapid.Float64Range(1e-4, 1-1e-4)
		pc, ps := unit.Draw(t, "pc"), unit.Draw(t, "ps")
		rs := rapid.Float64Range(0, 1-delta).Draw(t, "rs")
		rc := rapid.Float64Range(min(1, rs+delta), 1).Draw(t, "rc")
		binomial := func(n, y int, p float64) float64 {
			return choose(n, y) * math.Pow(p, float64(y)) * math.Pow(1-p, float64(n-y))
		}
		mean := 0.0
		for yc := range nc + 1 {
			for ys := range ns + 1 {
				e := math.Exp(logAbsolute(table{n: [2]int{ns, nc}, y: [2]int{ys, yc}}, pc, ps, delta))
				mean += binomial(nc, yc, rc) * binomial(ns, ys, rs) * e
			}
		}
		if math.IsNaN(mean) || mean > 1+1e-9 {
			t.Fatalf("mean %v at (%v, %v)", mean, rc, rs)
		}
	})
}

// The mixture over onsets is the sum that it stands for, and an e-process: its
// mean over all outcomes of some blocks is 1 at the tolerance.
func TestOnsetsHaveMeanOneAtTheTolerance(t *testing.T) {
	margins := [][3]int{{2, 3, 2}, {1, 4, 1}, {3, 3, 3}, {2, 2, 1}, {1, 2, 2}}
	var mean func(path []table, p float64) float64
	mean = func(path []table, p float64) float64 {
		if len(path) == len(margins) {
			o := newOnsets(1)
			for i, table := range path {
				o.begin(i, i)
				o.tick(int64(i + 1))
				for _, n := range o.alive {
					n.failures.table(table, 1)
				}
			}
			return p * math.Exp(o.log(0))
		}
		m, sum := margins[len(path)], 0.0
		enumerate(m[0], m[1], m[2], 1, func(t table, q float64) {
			sum += mean(append(path[:len(path):len(path)], t), p*q)
		})
		return sum
	}
	if got := mean(nil, 1); !near(got, 1) {
		t.Errorf("mean %v", got)
	}
}

func TestOnsetMassesSumToLessThanOneHalf(t *testing.T) {
	sum := 0.0
	for j := 1; j <= 1_000_000; j++ {
		sum += onsetMass(j)
	}
	// The tail of 1/((j+1) log^2(j+1)) beyond n is less than 1/log(n).
	if sum += 0.5 / 2.11 / math.Log(1_000_000); sum >= 0.5 {
		t.Errorf("the masses sum to %v", sum)
	}
}

func TestFewOnsetsAreAlive(t *testing.T) {
	o := newOnsets(1)
	for i := range 1000 {
		o.begin(i, i)
		if len(o.alive) > 12 {
			t.Fatalf("%d onsets are alive after %d", len(o.alive), i)
		}
		if newest := o.alive[len(o.alive)-1]; newest.group != i {
			t.Fatalf("the newest onset is of %d, not of %d", newest.group, i)
		}
	}
}

func TestCappedIsFiniteForAnyLog(t *testing.T) {
	for _, l := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e9, -1e9, logMost, 0} {
		if e := capped(l); math.IsNaN(e) || e < 0 || e > 1e300 {
			t.Errorf("capped(%v) = %v", l, e)
		}
	}
}
