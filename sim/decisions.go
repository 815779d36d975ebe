package sim

import (
	"encoding/json"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
	"github.com/fairlead/fairlead/rollout"
)

// inTurn checks a decision against what was decided and had happened before it: what
// is held stays, and nothing is recorded as over that goes on.
func (p *promises) inTurn(e fairlead.Entry, before, after rollout.Rollout) {
	held := before.Held == rollout.HeldPaused || before.Held == rollout.HeldLease
	if held && e.Kind == "rollout.advanced" {
		p.breaks("what is held stays", "entry %d advances %s, held: %s", e.Seq, after.ID, before.Held)
	}
	if held && after.Held == "" {
		delete(p.canary, after.ID) // what safety rests on begins anew
	}
	if after.Held == rollout.HeldLease && !p.expired[after.ID] && !p.u.wasFull {
		p.breaks("what the gateway does alone is recorded first", "entry %d holds %s, and no entry says that its lease expired", e.Seq, after.ID)
	}
	if t := p.tally[after.ID]; after.Tally != t {
		p.breaks("evidence counts once", "entry %d: the tally of %s is %+v; that of its inputs is %+v", e.Seq, after.ID, after.Tally, t)
	}
	if after.Phase == rollout.Ended {
		p.ended(e, before, after)
	}
}

// ended checks that what is recorded to be over is over.
func (p *promises) ended(e fairlead.Entry, before, after rollout.Rollout) {
	split := p.splitOf(after.Site)
	if before.Phase == rollout.Returning && split != nil && split.Rollout == after.ID && split.Weight > 0 {
		p.breaks("what is recorded has happened", "entry %d ends %s, and the gateway gives it %s", e.Seq, after.ID, split.Weight)
	}
	watched := e.Time.Sub(before.Decided)
	if before.Phase == rollout.Watching && e.Principal == "system:rollout" && watched < after.Strategy.RollbackWindow.D() {
		p.breaks("no silent pass", "entry %d ends the watch of %s after %s of %s", e.Seq, after.ID, watched, after.Strategy.RollbackWindow)
	}
}

// alone notes what the gateway did alone, as it is recorded.
func (p *promises) alone(e fairlead.Entry) {
	for id := range p.rollouts {
		if strings.Contains(string(e.Data), id) {
			p.expired[id] = true
		}
	}
}

// followed checks that a split is not as before when its lease had run out while
// nobody attended the gateway. What a control plane sent before it died may come late.
func (p *promises) followed(before, after *gateway.Split) {
	same := before != nil && after != nil && before.Rollout == after.Rollout && before.Epoch == after.Epoch
	c := p.u.control
	late := c == nil || c.dead || c.term != p.order.Term || p.u.wasFull
	if !same || late || before.Lease.TTL <= 0 || p.u.world.now-p.renewedAt < leaseMost+expiryNoted {
		return
	}
	if r := p.rollouts[after.Rollout]; r.Held != rollout.HeldLease && before.Lease.Fallback != after.Weight {
		p.breaks("what the gateway does alone is recorded first", "the lease of %s ran out at %s, and it has %s again in the same epoch",
			after.Rollout, before.Weight, after.Weight)
	}
}

// restarts checks that restarts count once, and in the rollout in which they were.
func (p *promises) restarts(f fairlead.Fact, in seen) {
	r, now := p.rollouts[f.Stream], p.u.machine.ends
	before := p.before[f.Stream]
	old, young := now[rollout.Place{Site: r.Site, Release: r.From}]-before[0], now[rollout.Place{Site: r.Site, Release: r.To}]-before[1]
	if in.Old.Restarts > old || in.New.Restarts > young {
		p.breaks("evidence is what happened", "input %d of %s has %d restarts of the old release and %d of the new one; there were %d and %d",
			f.N, f.Stream, in.Old.Restarts, in.New.Restarts, old, young)
	}
}

// crowded checks that no more instances are being started than a release has.
func (p *promises) crowded(begun fairlead.Intent) {
	if begun.Action != "instance.start" {
		return
	}
	starting := 0
	for _, i := range p.intents {
		there := p.u.machine.instances[i.Target]
		if string(i.Detail) == string(begun.Detail) && (there == nil || !there.status.State.Over()) {
			starting++
		}
	}
	if full := p.u.siteOf(begun.Site).scripts[0].environment.Replicas; starting > full {
		p.breaks("the world is as decided", "%d instances of %s are being started; it has %d", starting, json.RawMessage(begun.Detail), full)
	}
}
