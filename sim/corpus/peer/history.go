package peer

import (
	"cmp"
	"slices"
	"time"

	"github.com/fairlead/fairlead/sim/corpus"
)

func latency(r *corpus.Request) time.Duration   { return r.Latency }
func firstByte(r *corpus.Request) time.Duration { return r.First }
func cost(r *corpus.Request) float32            { return r.Cost }

// quantile returns the q-th quantile (0 to 1) of a property of requests, or fallback
// where there are none.
func quantile[T cmp.Ordered](requests []corpus.Request, q float64, fallback T, of func(*corpus.Request) T) T {
	if len(requests) == 0 {
		return fallback
	}
	values := make([]T, len(requests))
	for i := range requests {
		values[i] = of(&requests[i])
	}
	slices.Sort(values)
	return values[min(int(q*float64(len(values))), len(values)-1)]
}

// slowBound returns the bound on the 99th percentile of latency that a team would set:
// the documented one if the old release keeps it, else times the old release's own. A
// bound that the old release breaks by itself would be of no use to anybody.
func slowBound(start corpus.Start, documented time.Duration, times float64) time.Duration {
	p99 := quantile(start.History, 0.99, documented, latency)
	if p99 <= documented {
		return documented
	}
	return time.Duration(times * float64(p99))
}
