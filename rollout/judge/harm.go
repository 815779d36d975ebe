package judge

import "math"

// rollbackRatios are the odds (or rate) ratios against which harm is tested.
// Those not above the tolerance are left out.
var rollbackRatios = [...]float64{1.25, 1.5, 2, 3, 5, 10, 20, 50}

// harm is the e-process of one signal, from one moment on, for "the canary is
// worse than the tolerance allows". For an alternative w and block i, with the
// block's margins given,
//
//	e_i(w) = likelihood at w / likelihood at the tolerance
//
// has mean 1 when the true odds ratio is the tolerance, and at most 1 when it is
// lower, because e_i rises with the canary's hits and these fall
// (stochastically) with the odds ratio. So the product is a supermartingale
// whatever the base rate and the traffic do between blocks, and so is the mean
// of the products over the alternatives.
type harm struct {
	tolerance float64
	ratios    []float64
	logE      []float64 // by ratio
	mean      float64   // log of the mean of the e-values
}

func newHarm(tolerance float64) *harm { return newHarmAgainst(tolerance, rollbackRatios[:]) }

// newHarmAgainst returns one for other ratios.
func newHarmAgainst(tolerance float64, ratios []float64) *harm {
	h := &harm{tolerance: tolerance}
	for _, w := range ratios {
		if w > tolerance {
			h.ratios = append(h.ratios, w)
		}
	}
	if h.ratios == nil {
		h.ratios = []float64{2 * tolerance}
	}
	h.logE = make([]float64, len(h.ratios))
	return h
}

// table takes a test block.
func (h *harm) table(t table) {
	if !t.informs() {
		return
	}
	t.compare(h.tolerance, h.ratios, h.logE)
	h.mean = logMeanExp(h.logE)
}

// counts takes events without denominators, such as restarts: given their
// number, the canary's are binomial with its share of the exposure.
func (h *harm) counts(events [2]int, share float64) {
	n, nc := float64(events[stable]+events[canary]), float64(events[canary])
	if n == 0 || !(share > 0 && share < 1) {
		return
	}
	for i, w := range h.ratios {
		h.logE[i] += nc*math.Log(w/h.tolerance) - n*math.Log((1-share+share*w)/(1-share+share*h.tolerance))
	}
	h.mean = logMeanExp(h.logE)
}

// log returns the log of the e-value.
func (h *harm) log() float64 { return h.mean }

// secondMost bounds what the failures of one second say: with it alone a release is
// never rolled back, with two such seconds it is.
var secondMost = math.Log(67)

// secondsHarm is [harm] of failures, of which one second may say only so much. An
// instance that is killed from outside, or stands still, fails all its requests in
// flight together: that is one event, which a test of independent units takes for
// many. So for each alternative what is concluded in a second multiplies the wealth by
// 67 at most, or by a power of that where a test block's failures came in several
// seconds. Whatever takes wealth away leaves a supermartingale one.
type secondsHarm struct {
	*harm          // of the seconds before
	second *harm   // of this one
	came   int     // seconds in which the failures came
	mean   float64 // log of the mean of the e-values
}

func newSecondsHarm(tolerance float64) *secondsHarm {
	return &secondsHarm{harm: newHarm(tolerance), second: newHarm(tolerance)}
}

// table takes a test block's new outcomes, which came in so many seconds.
func (h *secondsHarm) table(t table, seconds int) {
	if !t.informs() {
		return
	}
	h.came = max(h.came, seconds)
	h.second.table(t)
	logs := make([]float64, len(h.logE))
	for i := range logs {
		logs[i] = h.logE[i] + h.gain(i)
	}
	h.mean = logMeanExp(logs)
}

// gain returns what this second adds to an alternative's log wealth.
func (h *secondsHarm) gain(i int) float64 { return min(h.second.logE[i], float64(h.came)*secondMost) }

// next ends a second.
func (h *secondsHarm) next() {
	for i := range h.logE {
		h.logE[i] += h.gain(i)
		h.second.logE[i] = 0
	}
	h.came = 0
}

// log returns the log of the e-value.
func (h *secondsHarm) log() float64 { return h.mean }
