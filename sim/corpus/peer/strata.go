package peer

import (
	"math"

	"github.com/fairlead/fairlead/sim/corpus"
)

// strata is the stratified comparison of two proportions (Cochran, Biometrics 10,
// 1954; Mantel & Haenszel, JNCI 22, 1959): each scrape is a stratum, so that a rate
// that drifts, or a changing weight, is no difference between the releases.
type strata struct {
	last     [2]counters
	excess   [allSigns]float64 // of the new release's events over what its share of the requests makes expected
	variance [allSigns]float64
}

// add takes the counters of a new scrape in.
func (t *strata) add(now [2]counters) {
	stable, canary := now[corpus.Stable].minus(t.last[corpus.Stable]), now[corpus.Canary].minus(t.last[corpus.Canary])
	t.last = now
	n := stable.total + canary.total
	if stable.total == 0 || canary.total == 0 {
		return
	}
	for i := range allSigns {
		events := stable.signs[i] + canary.signs[i]
		t.excess[i] += canary.signs[i] - canary.total*events/n
		t.variance[i] += canary.total * stable.total * events * (n - events) / (n * n * (n - 1))
	}
}

// z returns the standardised excess of a sign; 0 before anything can be said.
func (t *strata) z(s sign) float64 {
	if t.variance[s] == 0 {
		return 0
	}
	return t.excess[s] / math.Sqrt(t.variance[s])
}
