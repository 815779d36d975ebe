package judge

import (
	"math"

	"github.com/fairlead/fairlead"
)

// The arms index every pair of counts in this package.
const (
	stable = 0 // the old release
	canary = 1 // the new one
)

// table is what one test block says of one signal: units at risk and units that
// hit the signal for the first time, by arm.
type table struct {
	n [2]int // units at risk
	y [2]int // first hits, at most n
}

// tables holds one table for each signal of a request.
type tables [fairlead.Signals]table

// informs reports whether the table can tell the arms apart: an odds ratio of a
// table with an empty arm or without hits has a likelihood of 1 everywhere.
func (t table) informs() bool {
	return t.n[canary] > 0 && t.n[stable] > 0 && t.y[canary]+t.y[stable] > 0
}

// logLikelihood returns the log probability of the canary's hits given all the
// margins when the odds ratio canary:stable is w, up to a term without w:
// Fisher's noncentral hypergeometric distribution.
func (t table) logLikelihood(w float64) float64 {
	if !t.informs() {
		return 0
	}
	y := t.y[canary] + t.y[stable]
	return float64(t.y[canary])*math.Log(w) - logZ(t.n[canary], t.n[stable], y, w)
}

// logZ returns the log of
//
//	Z(w) = sum over k of C(nc,k) C(ns,y-k) w^k,
//
// the normalising sum of Fisher's noncentral hypergeometric distribution. The
// ratio of successive terms falls with k, so the terms have one mode; the sum
// starts there and goes outwards until the terms no longer count. That takes
// about sqrt(n) steps and neither overflows nor cancels.
func logZ(nc, ns, y int, w float64) float64 {
	switch y {
	case 0:
		return 0
	case 1:
		return math.Log(float64(ns) + float64(nc)*w)
	}
	lo, hi := max(0, y-ns), min(nc, y)
	ratio := func(k int) float64 { // term k+1 over term k
		return w * (float64(nc-k) / float64(k+1)) * (float64(y-k) / float64(ns-y+k+1))
	}
	mode := lo
	for low, high := lo, hi; low < high; mode = low {
		if mid := low + (high-low)/2; ratio(mid) >= 1 {
			low = mid + 1
		} else {
			high = mid
		}
	}
	const small = 1e-18 // of the sum: lost in its rounding
	sum, term := 1.0, 1.0
	for k := mode; k < hi && term > small*sum; k++ {
		term *= ratio(k)
		sum += term
	}
	term = 1
	for k := mode; k > lo && term > small*sum; k-- {
		term /= ratio(k - 1)
		sum += term
	}
	return logChoose(nc, mode) + logChoose(ns, y-mode) + float64(mode)*math.Log(w) + math.Log(sum)
}

// logChoose returns the log of the binomial coefficient n over k.
func logChoose(n, k int) float64 {
	if k == 0 || k == n {
		return 0
	}
	return logGamma(float64(n+1)) - logGamma(float64(k+1)) - logGamma(float64(n-k+1))
}

// logGamma returns the log of the gamma function of x > 0.
func logGamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}

// logMeanExp returns the log of the mean of exp(x), without overflow.
func logMeanExp(x []float64) float64 {
	most := math.Inf(-1)
	for _, v := range x {
		most = max(most, v)
	}
	if math.IsInf(most, 0) {
		return most
	}
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(v - most)
	}
	return most + math.Log(sum/float64(len(x)))
}

// logAddExp returns log(exp(a) + exp(b)), without overflow.
func logAddExp(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if math.IsInf(a, -1) {
		return a
	}
	return a + math.Log1p(math.Exp(b-a))
}
