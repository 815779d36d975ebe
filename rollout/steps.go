package rollout

import (
	"math"
	"slices"

	"github.com/fairlead/fairlead"
)

// widest is the largest share a partial step gives a release on widening: at one
// half both arms learn equally fast.
const widest = fairlead.Whole / 2

// stepWeights returns the weights that a rollout has to pass, the last of which
// is the promotion. A release with nothing beside it to compare with goes at once.
func stepWeights(s fairlead.Strategy, replicas, from int, kind Kind, exclusive bool) []fairlead.Weight {
	if from == 0 || kind == Back || exclusive {
		return []fairlead.Weight{fairlead.Whole}
	}
	final := fairlead.Whole
	if s.Holdback != nil {
		final -= s.Holdback.Weight()
	}
	// A step never has more than the promotion: a unit moves to the new release once.
	partial := slices.DeleteFunc(partialSteps(s, replicas), func(w fairlead.Weight) bool { return w >= final })
	if len(partial) == 0 {
		partial = []fairlead.Weight{final} // all at once, yet promoted on evidence only
	}
	return append(partial, final)
}

func partialSteps(s fairlead.Strategy, replicas int) []fairlead.Weight {
	var weights []fairlead.Weight
	switch {
	case s.Type == fairlead.BlueGreen:
	case s.Type == fairlead.Rolling:
		for k := 1; k < replicas; k++ {
			weights = append(weights, fairlead.Weight(int(fairlead.Whole)*k/replicas))
		}
	case s.Adaptive != nil:
		weights = append(weights, s.Adaptive.First.Weight())
	default:
		for _, p := range s.Steps {
			weights = append(weights, p.Weight())
		}
	}
	return weights
}

// earned returns the next weight of an adaptive rollout, 0 where none is worth it: at
// least twice the present, or the file's bound.
//
// bound is the greatest rise of a risk that evidence has not excluded, 1 before any.
// The weight follows from it so that weight x bound stays what the first step
// risked, when nothing was excluded: First x 1. A release that is as bad as can
// still be thought then hurts no more users a second than it could have at first.
func earned(r Rollout, bound float64) fairlead.Weight {
	a := r.Strategy.Adaptive
	if a == nil || r.Step != len(r.Weights)-1 {
		return 0
	}
	next, most := float64(a.First.Weight())/bound, a.Most.Weight()
	switch {
	case r.Weight >= most || most >= r.Final():
		return 0
	case next >= float64(most):
		return most
	case next < 2*float64(r.Weight):
		return 0
	}
	return fairlead.Weight(next)
}

// grow makes an adaptive rollout's next weight, if there is one, a step before the
// last one.
func grow(r *Rollout, bound float64) {
	if next := earned(*r, bound); next > 0 {
		r.Weights = append(r.Weights[:r.Step:r.Step], next, r.Final())
	}
}

// atLeast returns weights with those from the i-th on that are less than w raised to it.
func atLeast(weights []fairlead.Weight, i int, w fairlead.Weight) []fairlead.Weight {
	raised := slices.Clone(weights)
	for ; i < len(raised) && raised[i] < w; i++ {
		raised[i] = w
	}
	return raised
}

// Want is how many instances each release of a site should have.
type Want map[int]int

// Desire returns the instances that a site should have now. It is what the loop
// converges to.
func Desire(live Live, r *Rollout) Want {
	want := Want{}
	if r == nil || r.Phase == Ended {
		if live.Stable > 0 {
			want[live.Stable] = live.Replicas
		}
		return want
	}
	old, new := oldReplicas(*r), newReplicas(*r)
	switch {
	case r.Replaces():
		old, new = r.replacing()
	case r.shrinks() && r.Phase != Gating:
		old, new = r.shrunk()
	}
	want[r.To] = new
	if r.From > 0 {
		want[r.From] = old
	}
	return want
}

func newReplicas(r Rollout) int {
	switch {
	case r.Phase == Gating:
		return 0
	case r.Kind == Back || r.Strategy.Type == fairlead.BlueGreen || r.Outcome == Promoted:
		return r.Replicas
	}
	return need(r.Replicas, r.load(max(r.Weight, r.Weights[max(r.Step, 1)-1])))
}

// oldReplicas keeps the old release whole until the rollout ends, so that it can
// take all traffic back at once; a rolling rollout gives its places to the new one.
func oldReplicas(r Rollout) int {
	if r.Strategy.Type != fairlead.Rolling || r.Kind == Back || r.Phase == Returning {
		return r.OldReplicas
	}
	return max(need(r.OldReplicas, fairlead.Whole-r.Weight), 1)
}

// need returns how many of replicas instances carry a weight, at least one.
func need(replicas int, w fairlead.Weight) int {
	return max(1, int(math.Ceil(float64(replicas)*float64(w)/float64(fairlead.Whole))))
}
