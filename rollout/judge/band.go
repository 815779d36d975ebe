package judge

import (
	"math"
	"sort"

	"github.com/fairlead/fairlead"
)

// BandError is the highest probability with which a band ever misses what it estimates,
// half of it on each side.
const BandError = 0.05

// Band is an estimate with an interval that holds at all times at once, however often
// it is looked at: a confidence sequence. docs/design/course.md has what it promises
// and how wide it is.
//
// It is the set of values that no wealth speaks against. For outcomes X of 0 or 1 and
// any tilt t, each factor exp(tX) / E[exp(tX) | past] has mean 1 given the past, so that
// the product over outcomes is an e-process, and so is a mixture over tilts. With
// z = exp(t) - 1 the denominators are 1 + p z for the conditional means p; the log is
// concave, so that n outcomes whose conditional means average m multiply to at most
// (1 + m z)^n. Hence
//
//	E(m) = sum over tilts of weight * exp(t y) / (1 + m z)^n
//
// for y ones is at most an e-process at the true running average m, whatever the means
// do in between; that it ever reaches 2/BandError has probability BandError/2 (Ville).
// Positive tilts bound m from below, negative ones from above. The state is n and y.
//
// The sub-Bernoulli process and mixtures of it: Howard, Ramdas, McAuliffe, Sekhon,
// "Time-uniform, nonparametric, nonasymptotic confidence sequences" (Annals of
// Statistics 2021), after Robbins (1970).
type Band struct {
	Estimate float64
	Low      float64
	High     float64
	Open     bool // of a quantile: nothing bounds it from above yet, and High is the highest that is told apart
}

// The tilts of the mixture: bandTop, and each half of the one before. The best one for n
// outcomes of share p is about sqrt(2 log(40) / (n p (1-p))): that covers all from a few
// outcomes up to some 10^11 of them, and between two tilts no more than a seventh
// of the width is lost. Early ones weigh more, as 1/(k+2): there the bands are widest.
const (
	bandTop   = 4.0
	bandTilts = 20
)

// tilt is an alternative of the mixture with its weight.
type tilt struct{ by, z, logWeight float64 }

// tilts returns those that speak against values that are too low, with sign 1, or too
// high, with sign -1.
func tilts(sign float64) [bandTilts]tilt {
	var all [bandTilts]tilt
	total := 0.0
	for k := range all {
		by := sign * bandTop / float64(int(1)<<k)
		all[k] = tilt{by: by, z: math.Expm1(by), logWeight: -math.Log(float64(k + 2))}
		total += 1 / float64(k+2)
	}
	for k := range all {
		all[k].logWeight -= math.Log(total)
	}
	return all
}

// against returns the log of the e-value against the value m, where y of n outcomes are
// ones. Risks are as for [RiskBand].
func against(all *[bandTilts]tilt, n, y, m float64, risks bool) float64 {
	sum := math.Inf(-1)
	for _, t := range all {
		each := m * t.z
		if !risks {
			each = math.Log1p(each)
		}
		sum = logAddExp(sum, t.logWeight+t.by*y-n*each)
	}
	return sum
}

// bandNeeded is the log e-value at which a value is excluded.
var bandNeeded = -math.Log(BandError / 2)

// ShareBand returns the band of the share of n outcomes of which y are ones, each known
// when it comes: of the average over the outcomes of their chances, given what came
// before each. They may change, and depend on the past. It is nil for n of 0.
func ShareBand(n, y uint64) *Band { return band(n, y, false) }

// RiskBand returns the band of the share of n units of which y have failed by now. Units
// fail some time after they came, or never; those that may still fail count as not
// failed yet. It is of the average over the units of their risk by now: of the sum of
// hazards that they were under, given the past, over their number. A sum of hazards has
// exp(m z) in the place of 1 + m z, so that the band is wider than ShareBand's where
// failures are frequent, a fifth at 30 %, and as narrow where they are rare. It is
// nil for n of 0.
func RiskBand(n, y uint64) *Band { return band(n, y, true) }

func band(units, ones uint64, risks bool) *Band {
	if units == 0 {
		return nil
	}
	n, y := float64(units), float64(min(ones, units))
	low, high := tilts(1), tilts(-1)
	b := &Band{Estimate: y / n}
	b.Low = edge(b.Estimate, 0, func(m float64) bool { return against(&low, n, y, m, risks) >= bandNeeded })
	b.High = edge(b.Estimate, 1, func(m float64) bool { return against(&high, n, y, m, risks) >= bandNeeded })
	return b
}

// edge returns the first value from inside towards outside that is excluded, or outside
// where none is.
func edge(inside, outside float64, excluded func(float64) bool) float64 {
	if !excluded(outside) {
		return outside
	}
	for range 40 { // to a part in 10^12
		middle := (inside + outside) / 2
		if excluded(middle) {
			outside = middle
		} else {
			inside = middle
		}
	}
	return outside
}

// Quantiles returns the bands of quantiles of a histogram of latencies, in
// milliseconds; nil where it is empty. shares are between 0 and 1.
//
// A value x is in the band of the p-quantile if p is in the [ShareBand] of F(x), the
// share of latencies up to x, looked at for the bounds of buckets: the band goes from
// the lower bound of one bucket to the upper bound of another. Only one bound can make
// it miss the quantile on a side: that of the bucket in which the quantile lies, above
// it, and of the bucket below. For F(x) grows with x, and with it both ends of its band
// for equal n. So the error needs no union over the buckets, as long as the latencies
// come from one distribution. Where that drifts, the quantile of its running average may
// wander over several bounds, and the error is that of one bound at any one time.
// Requests are taken as independent, and come when they end: slow ones last.
func Quantiles(h *[len(fairlead.LatencyBuckets{})]uint64, shares [3]float64) *[3]Band {
	var upTo [len(h)]uint64
	n := uint64(0)
	for i, count := range h {
		n += count
		upTo[i] = n
	}
	if n == 0 {
		return nil
	}
	low, high := tilts(1), tilts(-1)
	var bands [3]Band
	for i, p := range shares {
		excludes := func(all *[bandTilts]tilt, bucket int) bool {
			return against(all, float64(n), float64(upTo[bucket]), p, false) >= bandNeeded
		}
		first := sort.Search(len(h), func(b int) bool { return !excludes(&high, b) }) // p may be reached in it
		last := sort.Search(len(h), func(b int) bool { return excludes(&low, b) })    // p is surely reached in it
		bands[i] = Band{
			Estimate: within(h, p*float64(n)), Low: bucketFloor(first), High: fairlead.BucketBound(min(last, len(h)-1)), Open: last >= len(h)-1,
		}
	}
	return &bands
}

// within returns the value of a rank, as if a bucket's latencies were spread evenly.
func within(h *[len(fairlead.LatencyBuckets{})]uint64, rank float64) float64 {
	seen := 0.0
	for i, count := range h {
		if n := float64(count); seen+n >= rank && n > 0 {
			below := bucketFloor(i)
			return below + (fairlead.BucketBound(i)-below)*max(0, rank-seen)/n
		}
		seen += float64(count)
	}
	return fairlead.BucketBound(len(h) - 1)
}

func bucketFloor(bucket int) float64 {
	if bucket == 0 {
		return 0
	}
	return fairlead.BucketBound(min(bucket, len(fairlead.LatencyBuckets{})-1) - 1)
}
