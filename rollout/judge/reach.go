package judge

import (
	"math"

	"github.com/fairlead/fairlead"
)

// reachBounds are the rises of a risk that reach tests, each some 2.5 times finer.
var reachBounds = [...]float64{0.25, 0.1, 0.04}

// reach is evidence, in one step, that no protected signal of requests is worse by
// more than a bound: of the same kind as safety against the absolute margin, but
// coarse, and so there after some tens of units. An adaptive weight follows it;
// nothing is promoted by it.
type reach struct {
	bounds [len(reachBounds)][fairlead.Signals]*absoluteSafety
}

func newReach() *reach {
	r := &reach{}
	for b, delta := range reachBounds {
		for s := range r.bounds[b] {
			r.bounds[b][s] = newAbsoluteSafety(delta)
		}
	}
	return r
}

func (r *reach) tables(t tables) {
	for b := range r.bounds {
		for s := range t {
			r.bounds[b][s].table(t[s])
		}
	}
}

// Bound returns the greatest rise of a protected signal's risk, as a share, that this
// step's evidence has not excluded at beta: 1 until there is some, and where the
// configuration is not adaptive.
func (j *Judge) Bound() float64 {
	if j.reach == nil || j.blocked() != "" {
		return 1
	}
	bound := 1.0
	for b, delta := range reachBounds {
		for s, test := range j.reach.bounds[b] {
			if j.judged(fairlead.Signal(s)) && test.logE < -math.Log(j.config.Beta) {
				return bound
			}
		}
		bound = delta
	}
	return bound
}
