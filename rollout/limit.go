package rollout

import (
	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// Limit bounds which instances of a site may run at once. It stands between what is
// wanted and what is started: what runs always comes before what should.
type Limit struct {
	Alone bool // no instance starts beside one of another release, or beside one whose end is not certain
	Most  int  // instances of all releases together; 0 for any number
}

// LimitOf returns the limit of a site. It is pure.
func LimitOf(live Live, r *Rollout) Limit {
	limit := Limit{Alone: live.Exclusive}
	if r == nil {
		return limit
	}
	limit.Alone = limit.Alone || r.Phase != Ended && r.Exclusive
	if r.shrinks() { // also after it ended, until the instances of one release have gone
		limit.Most = r.most()
	}
	return limit
}

// certain reports whether the end of an instance that is over must be made certain:
// where one that may still run is in the way of another.
func (l Limit) certain() bool { return l.Alone || l.Most > 0 }

// Allow returns the starts that may be now. gone reports whether nothing of an
// instance that is over can run any more. It is pure.
func (l Limit) Allow(start []Place, want Want, have []workload.Status, leaving, gone func(id string) bool) []Place {
	if l.Alone && !Cleared(want, have, leaving, gone) {
		return nil
	}
	if l.Most > 0 {
		return start[:min(len(start), max(0, l.Most-running(have, gone)))]
	}
	return start
}

// Cleared reports whether nothing can run but wanted instances that stay. One that is
// over counts until it is gone for certain: its shim may have died before its app.
func Cleared(want Want, have []workload.Status, leaving, gone func(id string) bool) bool {
	for _, s := range have {
		switch {
		case s.State.Over() && gone(s.ID):
		case s.State.Over(), s.State == workload.Stopping, leaving(s.ID), want[s.Release] == 0:
			return false
		}
	}
	return true
}

// running counts the instances that may run.
func running(have []workload.Status, gone func(id string) bool) int {
	n := 0
	for _, s := range have {
		if !s.State.Over() || !gone(s.ID) {
			n++
		}
	}
	return n
}

// shrinks reports whether the old release gives up instances to make room for the new
// one's.
func (r Rollout) shrinks() bool {
	return r.Strategy.Shrink && !r.Exclusive && r.From > 0 && r.From != r.To
}

// most is how many instances of both releases there may be: as many as one of them has
// room for.
func (r Rollout) most() int { return max(r.Replicas, r.OldReplicas) }

// shrunk returns how many instances of each release there should be while both run:
// the new one's as its weight needs, the rest the old one's, at least one of each.
func (r Rollout) shrunk() (old, new int) {
	new = r.Replicas
	if r.Kind == Forward && r.Strategy.Type != fairlead.BlueGreen && r.Outcome != Promoted {
		new = need(r.Replicas, r.load(max(r.Weight, r.Weights[max(r.Step, 1)-1])))
	}
	new = max(1, min(new, r.most()-1))
	return max(1, min(r.OldReplicas, r.most()-new)), new
}

// roomToShrink refuses a rollout whose instances have no room beside one another.
func roomToShrink(b Beginning, live Live, op string) error {
	s := b.Environment.Strategy
	if !s.Shrink || b.InPlace || s.Type == fairlead.Replace || live.Exclusive || live.Stable == 0 || live.Stable == b.Release || max(live.Replicas, b.Environment.Replicas) > 1 {
		return nil
	}
	return fairlead.Errorf(fairlead.Invalid, op, "shrink makes room among the instances of the old release, and there is only one").
		WithHint("say replicas: 2 or more, or strategy: {type: replace}")
}
