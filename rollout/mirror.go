package rollout

import "github.com/fairlead/fairlead"

// Mirroring reports whether copies of the old release's requests go to the new one:
// beside each step, and alone in a step of weight 0. They end when the rollout goes
// back, or when it is held because nobody attended the gateway.
func (r Rollout) Mirroring() bool {
	forward := r.Kind == Forward && r.From > 0 && !r.FirstTraffic.IsZero()
	under := r.Phase == Starting || r.Phase == Stepping || r.Phase == Watching
	return r.Strategy.Mirror != nil && forward && under && r.Held != HeldLease && r.Weight < fairlead.Whole
}

// exposed reports whether the new release can do harm, or show that it would: it has
// traffic, or copies of it.
func (r Rollout) exposed() bool { return r.From > 0 && (r.Weight > 0 || r.Mirroring()) }

// unmet reports whether no client can have met the new release: its first step is
// made of copies only, and it is not past it.
func (r Rollout) unmet() bool { return r.Weights[0] == 0 && r.Step <= 1 }

// load returns the share of all requests that instances of the new release have to
// carry at a weight: copies are requests too.
func (r Rollout) load(w fairlead.Weight) fairlead.Weight {
	m := r.Strategy.Mirror
	if m == nil || r.From == 0 || r.Kind == Back {
		return w
	}
	return w + fairlead.Weight(uint64(fairlead.Whole-w)*uint64(m.Share.Weight())/uint64(fairlead.Whole))
}
