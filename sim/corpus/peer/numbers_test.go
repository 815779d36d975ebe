package peer

import (
	"math"
	"slices"
	"testing"
	"time"
)

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if math.Abs(got-want) > within || math.IsNaN(got) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// Permeability of membranes, Hollander & Wolfe (1973), page 69: U = 35. R's
// wilcox.test(x, y, conf.int=TRUE) gives the 95 % interval -0.15 to 0.76 and the
// estimate 0.305; the 80 % one is of an independent search over all differences.
func TestMannWhitneyAgreesWithHollanderAndWolfe(t *testing.T) {
	x := []float64{0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46}
	y := []float64{1.15, 0.88, 0.90, 0.74, 1.21}
	slices.Sort(x)
	slices.Sort(y)
	if u, _ := rankSum(x, y, 0); u != 35 {
		t.Errorf("U is %v, want 35", u)
	}
	z, _ := rankStatistic(x, y, 0)
	near(t, "the statistic with continuity correction", z, 1.1635076, 1e-6)
	for _, c := range []struct{ level, low, high float64 }{{0.95, -0.15, 0.76}, {0.80, -0.01, 0.68}} {
		shift, err := mannWhitney(x, y, c.level)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "the lower end", shift.low, c.low, 1e-9)
		near(t, "the upper end", shift.high, c.high, 1e-9)
		near(t, "the estimate", shift.estimate, 0.305, 0.006)
	}
}

// By hand: ranks of 1 2 2 | 2 3 are 1 3 3 3 5, so U = 7 - 6 = 1; ties 3^3-3 = 24;
// variance 6/12 (6 - 24/20) = 2.4; (1 - 3 + 0.5) / sqrt(2.4).
func TestMannWhitneyCorrectsForTies(t *testing.T) {
	x, y := []float64{1, 2, 2}, []float64{2, 3}
	u, ties := rankSum(x, y, 0)
	if u != 1 || ties != 24 {
		t.Errorf("U is %v and the ties are %v, want 1 and 24", u, ties)
	}
	z, _ := rankStatistic(x, y, 0)
	near(t, "the statistic", z, -1.5/math.Sqrt(2.4), 1e-12)
	if _, err := mannWhitney([]float64{1, 1}, []float64{0, 0, 0}, 0.98); err == nil {
		t.Error("an interval was given although all observations of each release are the same")
	}
}

// Positions p(n+1)/100, as in the documentation of Apache Commons Math's Percentile.
func TestPercentilesAreThoseOfCommonsMath(t *testing.T) {
	values := []float64{10, 20, 30, 40}
	for p, want := range map[float64]float64{1: 10, 25: 12.5, 50: 25, 75: 37.5, 99: 40} {
		near(t, "the percentile", percentile(values, p), want, 1e-12)
	}
}

// Five looks, one-sided 0.025: Reboussin, DeMets, Kim & Lan (2000) print for two-sided
// 0.05 4.8769 3.3569 2.6803 2.2898 2.0310 and 2.4380 2.4268 2.4101 2.3966 2.3859.
func TestSpendingBoundsAgreeWithPublishedTables(t *testing.T) {
	for _, c := range []struct {
		spend spending
		want  []float64
	}{
		{obrienFleming, []float64{4.8769, 3.3569, 2.6803, 2.2898, 2.0310}},
		{pocock, []float64{2.4380, 2.4268, 2.4101, 2.3966, 2.3859}},
	} {
		for i, got := range spendingBounds(c.spend, 0.025, 5) {
			near(t, "the bound", got, c.want[i], 0.001)
		}
	}
	near(t, "a single look's bound", spendingBounds(obrienFleming, 0.025, 1)[0], 1.959964, 1e-5)
}

// Against direct numerical integration of the mixture (trapezoid rule, 400 000 steps).
func TestTheMixtureRatioIsItsIntegral(t *testing.T) {
	near(t, "L", mixtureRatio(140, 1000, 100, 1000, 0.01), 2.8025680, 1e-6)
	near(t, "L", mixtureRatio(25, 500, 45, 9000, 0.02), 2275.75653, 1e-3)
	near(t, "L", mixtureRatio(5, 100, 5, 1000, 0.01), 1.3087788, 1e-6)
	near(t, "L without events", mixtureRatio(0, 100, 0, 1000, 0.01), 1, 0)
}

// Computed from the printed formula in another language; at its tuned size the
// sequence is 2.78 standard errors wide, where a fixed one-sided test has 1.645.
func TestTheConfidenceSequenceHasThePrintedWidth(t *testing.T) {
	r := sequenceScale(0.05, 5000)
	near(t, "r", r, 0.0355776885, 1e-9)
	variance := 0.25/2500 + 0.25/2500
	near(t, "the halfwidth", halfwidth(variance, 5000, r, 0.05), 0.0393023276, 1e-9)
	near(t, "the halfwidth in standard errors", halfwidth(variance, 5000, r, 0.05)/math.Sqrt(variance), 2.7790943, 1e-6)
}

// By hand and independently: 10 of 100 against 30 of 900, then 4 of 50 against 40 of 450.
func TestStrataAreComparedByMantelAndHaenszel(t *testing.T) {
	of := func(n, y float64) counters {
		c := counters{total: n}
		c.signs[signFailed] = y
		return c
	}
	var table strata
	table.add([2]counters{of(900, 30), of(100, 10)})
	near(t, "z", table.z(signFailed), 3.2258720, 1e-6)
	table.add([2]counters{of(1350, 70), of(150, 14)})
	near(t, "z", table.z(signFailed), 2.1048739, 1e-6)
}

func TestAHistogramsQuantilesAreWithinThreePercent(t *testing.T) {
	var h histogram
	for i := 1; i <= 10000; i++ {
		h.add(time.Duration(i) * 100 * time.Microsecond)
	}
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 1} {
		near(t, "the quantile", h.quantile(q), q, 0.03*q)
	}
	var odd histogram
	odd.add(-time.Second)
	odd.add(0)
	odd.add(1000 * time.Hour)
	if odd.total != 3 {
		t.Errorf("%d latencies were counted, want 3", odd.total)
	}
}
