package judge

import "math"

// estimateError is the error of the interval that a report gives.
const estimateError = 0.05

// estimate is what is known of the odds ratio canary:stable of a signal, if it
// is the same in all test blocks: the conditional likelihood on a grid of
// ratios, from which come the best value and an interval.
//
// The interval holds each ratio whose likelihood is more than estimateError
// times the mean over the grid. That mean over the likelihood at the true ratio
// is an e-process, so that the interval misses a true ratio of the grid with at
// most this probability however often it is looked at (Ville). It is widened by
// a grid step on each side for the ratios between.
type estimate struct {
	logL  [61]float64
	known bool
}

// estimateRatio returns the i-th ratio of the grid: 1/64 to 64, five to a doubling.
func estimateRatio(i int) float64 { return math.Exp2(float64(i-30) / 5) }

func (e *estimate) table(t table) {
	if !t.informs() {
		return
	}
	e.known = true
	p := polynomialOf(t)
	step, w := estimateRatio(31), estimateRatio(0)
	for i := range e.logL {
		e.logL[i] += p.at(t, w, float64(i-30)/5*math.Ln2)
		w *= step
	}
}

// ratio returns the best ratio and its interval, or nil without evidence.
func (e *estimate) ratio() *Interval {
	if !e.known {
		return nil
	}
	bound := logMeanExp(e.logL[:]) + math.Log(estimateError)
	best, low, high := 0, len(e.logL), 0
	for i, l := range e.logL {
		if l > e.logL[best] {
			best = i
		}
		if l > bound {
			low, high = min(low, i), i
		}
	}
	return &Interval{
		Estimate: estimateRatio(best),
		Low:      estimateRatio(max(low-1, 0)), LowOpen: low == 0,
		High: estimateRatio(min(high+1, len(e.logL)-1)), HighOpen: high == len(e.logL)-1,
		Error: estimateError,
	}
}
