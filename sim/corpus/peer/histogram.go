package peer

import (
	"math/bits"
	"time"
)

// histogram counts latencies in buckets that are at most 3 % wide: finer than the
// usual ones of a service mesh, which is better for the tools that read it.
type histogram struct {
	counts [48 * subBuckets]uint32
	total  uint32
}

// subBuckets divide each doubling of a latency.
const subBuckets = 32

// bucket returns the index of a latency: its power of two in microseconds, then the
// next five bits.
func bucket(latency time.Duration) int {
	micros := uint64(max(latency, 0) / time.Microsecond)
	if micros < subBuckets {
		return int(micros)
	}
	power := bits.Len64(micros) - 6 // micros>>power is in 32..63
	return min((power+1)*subBuckets+int(micros>>power)-subBuckets, 48*subBuckets-1)
}

// edge returns the least latency of a bucket, in seconds.
func edge(bucket int) float64 {
	if bucket < subBuckets {
		return float64(bucket) / 1e6
	}
	power := bucket/subBuckets - 1
	return float64(uint64(bucket%subBuckets+subBuckets)<<power) / 1e6
}

func (h *histogram) add(latency time.Duration) {
	h.counts[bucket(latency)]++
	h.total++
}

// quantile returns the q-th quantile in seconds, interpolated within its bucket.
func (h *histogram) quantile(q float64) float64 {
	rank := q * float64(h.total)
	below := 0.0
	for i, n := range h.counts {
		if n == 0 {
			continue
		}
		if within := float64(n); below+within >= rank {
			return edge(i) + (edge(i+1)-edge(i))*(rank-below)/within
		}
		below += float64(n)
	}
	return 0
}
