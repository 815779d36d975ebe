package judge

import "math"

// Tests of scores: "how bad" is a number between 0 and 1, and what is compared are
// means (betting on a bounded mean: Waudby-Smith & Ramdas, "Estimating means of
// bounded random variables by betting", JRSS B 2024).

// scoreHarm is the e-process for "the canary's scores are worse than the tolerance
// allows": bets on the difference of the means of a block, as [bets] are. The
// difference is linear in both means, so that nothing but the means matters.
type scoreHarm struct{ bets *bets }

func (h scoreHarm) take(s sample) {
	s.parts(func(m means) {
		h.bets.difference(m.bad[canary]/h.bets.tolerance - m.bad[stable])
	})
}

func (h scoreHarm) log() float64 { return h.bets.log() }

// marginBets is the e-process against "the mean of D is at least delta", for
// observations D in [-1, 1]:
//
//	Y = (delta - D) / (1 - delta)	at least -1,
//
// whose mean is at most 0 under that hypothesis, and the wealth is multiplied by
// 1 + stake Y.
type marginBets struct {
	delta float64
	logE  [len(stakes)]float64 // by stake
}

func newMarginBets(delta float64) *marginBets { return &marginBets{delta: min(max(delta, 0), 0.99)} }

func (b *marginBets) take(d float64) {
	y := (b.delta - d) / (1 - b.delta)
	for i, stake := range stakes {
		b.logE[i] += math.Log1p(stake * y)
	}
}

func (b *marginBets) log() float64 { return logMeanExp(b.logE[:]) }

// differences are the mean differences that an interval is made of: dense about 0.
var differences = [...]float64{
	-0.8, -0.6, -0.4, -0.3, -0.2, -0.14, -0.1, -0.07, -0.05, -0.04, -0.03, -0.02, -0.01, -0.005, 0,
	0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.14, 0.2, 0.3, 0.4, 0.6, 0.8,
}

// difference is what is known of the mean of differences D in [-1, 1], if it is the
// same in all test blocks: a betting confidence sequence (Waudby-Smith & Ramdas). For
// each mean m of the grid, bets that the mean is more and bets that it is less,
//
//	1 + stake (D-m)/(1+m)	and	1 + stake (m-D)/(1-m),
//
// are fair if it is m, and lose if it is less, or more. The interval goes from the
// greatest m that the first refute to the least that the second do, each at half of
// estimateError.
type difference struct {
	more, less  [len(differences)][len(stakes)]float64 // log wealth
	sum, weight float64
}

// take takes a block's difference; a block of two large arms weighs more in the best
// value.
func (d *difference) take(value, weight float64) {
	d.sum += weight * value
	d.weight += weight
	for i, m := range differences {
		up := (value - m) / (1 + m)
		down := (m - value) / (1 - m)
		for k, stake := range stakes {
			d.more[i][k] += math.Log1p(stake * up)
			d.less[i][k] += math.Log1p(stake * down)
		}
	}
}

// interval returns the best difference and its interval, or nil without evidence.
func (d *difference) interval() *Interval {
	if d.weight == 0 {
		return nil
	}
	refuted := func(logs [len(stakes)]float64) bool { return logMeanExp(logs[:]) >= math.Log(2/estimateError) }
	v := &Interval{Estimate: d.sum / d.weight, Low: -1, High: 1, Error: estimateError}
	for i, m := range differences {
		if refuted(d.more[i]) {
			v.Low = m
		}
		if back := len(differences) - 1 - i; refuted(d.less[back]) {
			v.High = differences[back]
		}
	}
	return v
}
