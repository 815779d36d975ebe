package judge

import "math"

// stakes are the shares of the wealth that are bet on a difference, a bet each.
var stakes = [...]float64{0.1, 0.2, 0.4, 0.7, 0.95}

// stakeMasses are their parts of the wealth at the start. A release that is much
// slower is found by the largest stake, in a minute or so, where each part of the
// wealth that is elsewhere costs seconds; one that is a little slower takes long
// enough to wait for a small part to grow.
var stakeMasses = [len(stakes)]float64{0.1, 0.1, 0.15, 0.15, 0.5}

// bets is the e-process of one latency signal, from one moment on, for "the
// canary is worse than the tolerance allows" (betting on a bounded mean:
// Waudby-Smith & Ramdas, JRSS B 2024). A block of about a second is one
// observation, however many requests it has: with the shares ac and as of the
// units at risk that hit the signal, and w the tolerance,
//
//	X = (ac - w as) / w	in [-1, 1/w],
//
// and the wealth is multiplied by 1 + stake X, which is positive. If the mean of
// X given earlier blocks is at most 0, so is that of the bet's gain: the wealth
// is a supermartingale whatever makes the hits of a block come together, and so
// is their mean over the stakes by their masses. A test that takes units as
// independent mistakes one stall of the canary's only instance for much evidence.
// A block here multiplies the wealth by less than 2.
//
// A tolerance below 1 bounds the odds, not the shares; the bet is then against 1.
type bets struct {
	tolerance float64
	logE      [len(stakes)]float64 // by stake, plus the log of its mass over the mean mass
}

func newBets(tolerance float64) *bets {
	b := &bets{tolerance: max(1, tolerance)}
	for i, mass := range stakeMasses {
		b.logE[i] = math.Log(float64(len(stakes)) * mass)
	}
	return b
}

// table takes a block.
func (b *bets) table(t table) {
	if !t.informs() {
		return
	}
	share := func(arm int) float64 { return float64(t.y[arm]) / float64(t.n[arm]) }
	b.difference(share(canary)/b.tolerance - share(stable))
}

// difference takes what is observed of X.
func (b *bets) difference(x float64) {
	for i, stake := range stakes {
		b.logE[i] += math.Log1p(stake * x)
	}
}

// log returns the log of the e-value.
func (b *bets) log() float64 { return logMeanExp(b.logE[:]) }
