package rollout

import (
	"maps"
	"math"
	"slices"

	"github.com/fairlead/fairlead"
)

// amounts counts reported amounts in buckets that are each a twentieth wider than
// the one before, so that a quantile is known to 5 %. The key is a bucket's number:
// bucket i holds amounts above amountGrowth^(i-1) and up to amountGrowth^i.
type amounts map[int]uint64

const (
	amountGrowth = 1.05
	amountFirst  = -425 // holds 1e-9 and everything below, zero among it
	amountLast   = 567  // holds 1e12 and everything above: at most 993 buckets
	amountLeast  = 200  // reports that quantiles need at least
)

func (a amounts) add(reports fairlead.Reports) {
	for _, r := range reports {
		a[amountBucket(r.Value)]++
	}
}

func amountBucket(v float64) int {
	if !(v > 0) {
		return amountFirst
	}
	return min(max(int(math.Ceil(math.Log(v)/math.Log(amountGrowth)-1e-9)), amountFirst), amountLast)
}

func (a amounts) merge(more amounts) {
	for bucket, n := range more {
		a[bucket] += n
	}
}

// limits returns the p50, p90 and p99 as upper bounds of buckets, and whether there
// are enough reports for them.
func (a amounts) limits() (limits [3]float64, enough bool) {
	total := uint64(0)
	for _, n := range a {
		total += n
	}
	if total < amountLeast {
		return limits, false
	}
	seen, next := uint64(0), 0
	for _, bucket := range slices.Sorted(maps.Keys(a)) {
		seen += a[bucket]
		for next < len(shares) && float64(seen) >= shares[next]*float64(total) {
			limits[next] = math.Pow(amountGrowth, float64(bucket))
			next++
		}
	}
	return limits, true
}
