package judge

import "math"

// rollbackRatios are the odds (or rate) ratios against which harm is tested.
// Those not above the tolerance are left out.
var rollbackRatios = [...]float64{1.25, 1.5, 2, 3, 5, 10, 20, 50}

// harm is the e-process of one signal for "the canary is worse than the
// tolerance allows". For an alternative w and block i, with the block's margins
// given,
//
//	e_i(w) = likelihood at w / likelihood at w0
//
// has mean 1 when the true odds ratio is w0, and at most 1 when it is lower,
// because e_i rises with the canary's hits and these fall (stochastically) with
// the odds ratio. So the product is a supermartingale whatever the base rate and
// the traffic do between blocks.
//
// A product from the start is slow to see a fault that begins late: each quiet
// hour speaks for the canary. So the process is a mixture over the block j from
// which evidence counts,
//
//	M_t = sum over j <= t of omega_j e_j ... e_t  +  the mass not yet placed,
//
// which costs O(1) a block: A <- (A + omega) e. Half of the mass stands on the
// start, so that a fault from the first request is delayed by a factor of 2
// only; the rest follows 1/((j+1) log^2(j+1)), the slowest decay (up to
// iterated logs) that has a finite sum, so that a late start costs little more
// than log j. Only blocks with hits count as j: the others have e = 1.
//
// Mass is placed only while the canary is not clearly ahead (score at least one
// standard deviation below zero stops it). Which mass is placed depends on the
// past alone, so M stays a supermartingale. Without it an improvement could be
// called harm: sessions that are bound to fail fail sooner on the old release,
// are then no longer at risk, and for a while only the canary has any left; a
// process that starts counting then sees the canary failing alone. Counting from
// the start, or from a moment of balance, it has failed less.
type harm struct {
	tolerance float64
	ratios    []float64
	logA      []float64 // by ratio
	rest      float64   // mass not placed yet
	starts    int       // late starts placed
	score     float64   // canary's hits less those expected if the arms were alike
	variance  float64   // of the score
}

func newHarm(tolerance float64) *harm {
	h := &harm{tolerance: tolerance, rest: 0.5}
	for _, w := range rollbackRatios {
		if w > tolerance {
			h.ratios = append(h.ratios, w)
		}
	}
	if h.ratios == nil {
		h.ratios = []float64{2 * tolerance}
	}
	for range h.ratios {
		h.logA = append(h.logA, math.Log(0.5))
	}
	return h
}

// table takes a test block.
func (h *harm) table(t table) {
	if !t.informs() {
		return
	}
	base := t.logLikelihood(h.tolerance)
	mean, variance := t.expected()
	h.multiply(float64(t.y[canary])-mean, variance, func(w float64) float64 {
		return t.logLikelihood(w) - base
	})
}

// counts takes events without denominators, such as restarts: given their
// number, the canary's are binomial with its share of the exposure.
func (h *harm) counts(events [2]int, share float64) {
	n, nc := float64(events[stable]+events[canary]), float64(events[canary])
	if n == 0 || !(share > 0 && share < 1) {
		return
	}
	h.multiply(nc-n*share, n*share*(1-share), func(w float64) float64 {
		return nc*math.Log(w/h.tolerance) - n*math.Log((1-share+share*w)/(1-share+share*h.tolerance))
	})
}

// multiply goes on by a block with hits, given its e-values.
func (h *harm) multiply(score, variance float64, logE func(w float64) float64) {
	start := math.Inf(-1)
	if h.score >= -math.Sqrt(h.variance) {
		h.starts++
		omega := lateStart(h.starts)
		h.rest = max(0, h.rest-omega)
		start = math.Log(omega)
	}
	for i, w := range h.ratios {
		h.logA[i] = logAddExp(h.logA[i], start) + logE(w)
	}
	h.score += score
	h.variance += variance
}

// lateStart returns the mass of the j-th late start, from 1. The sum over all j
// of 1/((j+1) log^2(j+1)) is 2.1097..., so that the masses sum to less than 1/2.
func lateStart(j int) float64 {
	log := math.Log(float64(j + 1))
	return 0.5 / (2.11 * float64(j+1) * log * log)
}

// log returns the log of the e-value.
func (h *harm) log() float64 {
	return logAddExp(logMeanExp(h.logA), math.Log(h.rest))
}
