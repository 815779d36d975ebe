package sim

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/workload"
)

// leaseMost is the longest lease that a partial split may have.
const leaseMost = 15 * time.Second

// expiresWithin is how long after its end a lease may still be in force.
const expiresWithin = time.Second

// expiryNoted is how long after its end a lease that ran out is surely noted by a
// control plane before it gives the gateway anything.
const expiryNoted = 5 * time.Second

// starts checks an order to start an instance.
func (p *promises) starts(id string, place rollout.Place) {
	p.enough(id, place)
	if _, open := p.intents["start-"+id]; !open {
		p.breaks("no record, no change", "instance %s is started, and no open intent says so", id)
	}
}

// enough checks that no more instances of a release are coming up than it may have.
func (p *promises) enough(id string, place rollout.Place) {
	if p.u.machine.instances[id] != nil {
		return // it was started before, and is not again
	}
	coming := 0
	for _, i := range p.u.machine.running() {
		_, leaving := p.intents["stop-"+i.status.ID]
		if i.status.ID != id && !leaving && i.status.Site == place.Site && i.status.Release == place.Release &&
			i.status.State == workload.Starting && i.status.ReadySince.IsZero() {
			coming++
		}
	}
	if most := p.u.siteOf(place.Site).script(place.Release).environment.Replicas; coming >= most {
		p.breaks("the world is as decided", "instance %s is started beside %d that are coming up; %d are wanted", id, coming, most)
	}
}

// stops checks an order to stop an instance, before it is done.
func (p *promises) stops(id string) {
	i := p.u.machine.instances[id]
	if i == nil || i.status.State.Over() {
		return
	}
	if _, open := p.intents["stop-"+id]; !open {
		p.breaks("no record, no change", "instance %s is stopped, and no open intent says so", id)
	}
	if p.u.gate.core == nil {
		return // whoever was in flight is cut already
	}
	for _, route := range p.force.Routes {
		if lists(route, id) {
			p.breaks("nothing dropped", "instance %s is stopped while the gateway may choose it", id)
		}
	}
	content := i.script.release.Content
	limit := max(content.Drain, content.RunLimit).D()
	for c := range i.calls {
		if age := p.u.world.now - c.began; age < limit-time.Second && content.Assignment.By != fairlead.ByRun {
			p.breaks("nothing dropped", "instance %s is stopped with a call in flight that is %s old; its drain time is %s", id, age, limit)
		}
	}
}

// lists reports whether a route may send anything to an instance.
func lists(r gateway.Route, id string) bool {
	for _, b := range r.Backends() {
		for _, i := range b.Instances {
			if i.ID == id {
				return true
			}
		}
	}
	return false
}

// proven notes that a release's gates hold.
func (p *promises) proven(r fairlead.Release, _ string, until time.Time) {
	p.evidence[r.Digest] = until
}

// acknowledges checks that blocks which the gateway may forget are recorded.
func (p *promises) acknowledges(acks []gateway.Ack, kept []fairlead.Block) {
	for _, b := range kept {
		r, known := p.rollouts[b.Rollout]
		if !known || r.Phase == rollout.Ended || p.taken[blockID{b.Gateway, b.Site, b.Seq}] {
			continue
		}
		for _, a := range acks {
			if a.Gateway == b.Gateway && a.Site == b.Site && a.Seq >= b.Seq {
				p.breaks("evidence is not lost", "block %d of %s is acknowledged and not recorded", b.Seq, b.Gateway)
			}
		}
	}
}

// applied checks a snapshot that the gateway has put in force.
func (p *promises) applied(s gateway.Snapshot) {
	p.u.world.say("snapshot %s is in force: %v", s.Order, summary{s})
	p.obeys(s.Order)
	for _, route := range s.Routes {
		p.followed(p.splitOf(route.Site), route.Split)
	}
	p.force, p.renewedAt, p.attended = s, p.u.world.now, true
	for _, route := range s.Routes {
		p.route(route)
	}
}

func (p *promises) route(route gateway.Route) {
	r := p.rolloutAt(route.Site)
	if r == nil {
		p.breaks("no record, no change", "%s has a route, and no rollout is recorded", route.Site)
	}
	if s := route.Split; s != nil && s.Rollout != r.ID { // it was the newest when the snapshot was made
		earlier, known := p.rollouts[s.Rollout]
		if !known || earlier.Site != route.Site {
			p.breaks("no record, no change", "%s is split for %s, which is not recorded there", route.Site, s.Rollout)
		}
		r = &earlier
	}
	p.waits(route, *r)
	live := p.live[route.Site]
	if n := route.Stable.Release; n != live.Stable && n != r.From && n != r.To {
		p.breaks("no record, no change", "%s goes to release %d; live is %d", route.Site, n, live.Stable)
	}
	if route.Split == nil {
		p.whole(route, *r)
		return
	}
	s := route.Split
	decided, ok := p.epochs[s.Rollout][s.Epoch]
	if !ok || decided.Weight != s.Weight || decided.To != s.Canary.Release || !bytes.Equal(decided.Salt, s.Salt) {
		p.breaks("no record, no change", "%s gives %s in epoch %d to release %d; decided was %s to %d",
			route.Site, s.Weight, s.Epoch, s.Canary.Release, decided.Weight, decided.To)
	}
	if s.Epoch < p.newest[s.Rollout] {
		p.breaks("what is in charge stays in charge", "%s goes back from epoch %d to %d", route.Site, p.newest[s.Rollout], s.Epoch)
	}
	p.newest[s.Rollout] = s.Epoch
	if s.Weight > 0 && s.Weight < fairlead.Whole {
		now := p.rollouts[s.Rollout]
		stable, canary := len(route.Stable.Instances), len(s.Canary.Instances)
		meant := s.Lease.Fallback == rollout.Fallback(decided, stable, canary) || s.Lease.Fallback == rollout.Fallback(now, stable, canary)
		whole := stable >= decided.OldReplicas && decided.Outcome == "" && now.Outcome == "" && decided.Strategy.Type != fairlead.Rolling
		if whole && s.Lease.Fallback != 0 {
			p.breaks("dead man's switch", "%s falls back to %s, though the old release can take it all", route.Site, s.Lease.Fallback)
		}
		if s.Lease.TTL <= 0 || s.Lease.TTL.D() > leaseMost || !meant {
			p.breaks("a partial split has a lease", "%s: %s with %+v", route.Site, s.Weight, s.Lease)
		}
	}
}

// obeys checks an order that the gateway has taken.
func (p *promises) obeys(order fairlead.Order) {
	if !order.After(p.order) {
		p.breaks("what is in charge stays in charge", "the gateway takes order %s after %s", order, p.order)
	}
	p.order = order
}

// obeysTerm checks an acknowledgement that the gateway has taken.
func (p *promises) obeysTerm(term uint64) {
	if term < p.order.Term {
		p.breaks("what is in charge stays in charge", "the gateway takes an acknowledgement of term %d after order %s", term, p.order)
	}
}

// refuses checks that a gateway which was started again refuses the newest order that
// was taken before.
func (p *promises) refuses(err error) {
	if err == nil && p.order != (fairlead.Order{}) {
		p.breaks("what is in charge stays in charge", "the gateway takes order %s again after its restart", p.order)
	}
}

// restarted checks what a gateway knows after it was started again: its snapshot,
// and what its journal was heard to say, with a new event after that.
func (p *promises) restarted(s gateway.Status, journal []gateway.Event) {
	p.heard(journal)
	if newest := journal[len(journal)-1]; newest.N != uint64(len(p.said)) {
		p.breaks("the gateway's journal keeps what it said", "event %d is its newest; %d were heard", newest.N, len(p.said))
	}
	if s.Applied == p.ordered.Order {
		p.force = p.ordered // it died when that was on disk
	}
	if s.Applied != p.force.Order {
		p.breaks("what was in force stays in force", "the gateway starts with snapshot %s after %s", s.Applied, p.force.Order)
	}
}

// heard checks that the gateway's journal keeps what it said.
func (p *promises) heard(events []gateway.Event) {
	for _, e := range events {
		before, known := p.said[e.N]
		if known && (before.Kind != e.Kind || !before.Time.Equal(e.Time)) {
			p.breaks("the gateway's journal keeps what it said", "event %d was %s at %s, and is %s at %s", e.N, before.Kind, before.Time, e.Kind, e.Time)
		}
		p.said[e.N] = e
	}
}

// whole checks a route without a split: no release has all traffic that was not
// recorded to have it.
func (p *promises) whole(route gateway.Route, r rollout.Rollout) {
	n := route.Stable.Release
	if n == r.To && r.From != 0 && r.From != r.To {
		for _, d := range p.epochs[r.ID] {
			if d.Weight == fairlead.Whole && d.Outcome == rollout.Promoted {
				return
			}
		}
		if r.Weight == fairlead.Whole && r.Outcome == rollout.Promoted {
			return
		}
		p.breaks("no record, no change", "%s gives all to release %d, which is not promoted", route.Site, n)
	}
}

// renewed notes that the gateway took a renewal. A lease that had run out stays so
// until a snapshot comes.
func (p *promises) renewed(order fairlead.Order) {
	p.obeys(order)
	if p.u.world.now-p.renewedAt >= leaseMost {
		p.attended = false
	}
	p.renewedAt = p.u.world.now
}

// gatewayDied notes that a boot of the gateway has ended.
func (p *promises) gatewayDied() {
	p.unattended()
	for _, s := range p.u.sites {
		p.disturbed(s.id)
	}
}

// unattended notes that a boot begins, in which every lease has run out.
func (p *promises) unattended() {
	p.attended = false
	for _, s := range p.u.sites {
		p.moved(s.id)
	}
}

// moved forgets where units were: something took traffic back from the canary.
func (p *promises) moved(site fairlead.Site) { delete(p.onCanary, p.live[site].Rollout) }

// disturbed notes that instances of a site, or what leads to them, were hurt.
func (p *promises) disturbed(site fairlead.Site) { p.troubled[site] = p.u.world.now }

// splitOf returns the split in force at a site, or nil.
func (p *promises) splitOf(site fairlead.Site) *gateway.Split {
	for _, r := range p.force.Routes {
		if r.Site == site {
			return r.Split
		}
	}
	return nil
}

// admitted checks where a request's unit was assigned.
func (p *promises) admitted(s *site, unit string, t *gateway.Ticket) {
	split := p.splitOf(s.id)
	if split == nil || s.byRun() {
		return
	}
	attended, expired := p.lease(split)
	switch {
	case expired && t.Canary() != onCanary(split, unit, split.Lease.Fallback):
		p.breaks("dead man's switch", "%s: nobody attends for %s, and a unit goes to release %d; the fallback is %s",
			s.id, p.u.world.now-p.renewedAt, t.Release(), split.Lease.Fallback)
	case attended && t.Canary() != onCanary(split, unit, split.Weight):
		p.breaks("a unit is where its hash and the weight say", "%s: unit %s goes to release %d at %s", s.id, unit, t.Release(), split.Weight)
	case attended:
		p.sticks(split, unit, t)
	default:
		delete(p.onCanary, split.Rollout)
	}
}

// reached checks which release serves a request: its own, or another that has
// traffic when none of its own is left, which is a failure of its own.
func (p *promises) reached(c *call, i *instance) {
	if i.status.Release == c.ticket.Release() {
		return
	}
	c.lost()
	split := p.splitOf(c.site.id)
	if split != nil && split.Canary.Release == i.status.Release && split.Weight == 0 {
		p.breaks("no traffic without evidence", "%s: release %d serves a request, and has no weight", c.site.id, i.status.Release)
	}
}

// sticks checks that a unit that was on the canary is still there.
func (p *promises) sticks(split *gateway.Split, unit string, t *gateway.Ticket) {
	was := p.onCanary[split.Rollout]
	switch {
	case t.Canary() && was == nil:
		p.onCanary[split.Rollout] = map[string]bool{unit: true}
	case t.Canary():
		was[unit] = true
	case was[unit] && !p.fell(split):
		p.breaks("a unit moves at most once", "unit %s went from the canary of %s back to the old release", unit, split.Rollout)
	}
}

// fell reports whether the weight of a split was ever decided to be less than before.
func (p *promises) fell(split *gateway.Split) bool {
	for epoch, r := range p.epochs[split.Rollout] {
		if earlier, ok := p.epochs[split.Rollout][epoch-1]; ok && earlier.Weight > r.Weight {
			return true
		}
	}
	return false
}

// unmended notes that nobody can tell the gateway of instances that were started
// again, or could not until now: a trouble that is not over lasts on.
func (p *promises) unmended() {
	for site, at := range p.troubled { // the order does not matter
		if p.u.world.now-at < quietFor {
			p.disturbed(site)
		}
	}
}

// quietFor is how long ago trouble must have been for all to be well again.
const quietFor = 2 * time.Minute

// unserved checks a request for which no instance was left.
func (p *promises) unserved(s *site) {
	p.u.report.Unserved++
	at, troubled := p.troubled[s.id]
	stable := p.live[s.id].Stable
	if troubled && p.u.world.now-at < quietFor || stable == 0 || s.script(stable).dies > 0 {
		return
	}
	p.breaks("nothing dropped", "a request to %s found no instance", s.id)
}

// unrouted checks a request that the gateway had no route for.
func (p *promises) unrouted(s *site) {
	if p.live[s.id].Stable == 0 {
		return
	}
	for _, r := range p.force.Routes {
		if r.Site == s.id {
			p.breaks("nothing dropped", "a request to %s found no route", s.id)
		}
	}
}

// unreached checks an attempt to reach an instance that is not there.
func (p *promises) unreached(id string) {
	if i := p.u.machine.instances[id]; i == nil || i.stopped {
		p.breaks("nothing dropped", "the gateway chose instance %s, which was stopped", id)
	}
}

// cut checks a call that broke because its instance ended: by itself, or by an
// order, which stops has looked at.
func (p *promises) cut(c *call) {
	p.u.report.Cut++
	if c.instance.stopped {
		p.u.world.say("a call in flight in %s is cut", c.instance.status.ID)
	}
}

// memory compares what a control plane believes with what is recorded.
func (p *promises) memory(c *control) {
	for _, state := range c.engine.Sites() {
		if state.Rollout == nil {
			continue
		}
		recorded := p.rollouts[state.Rollout.ID]
		r := *state.Rollout
		if r.Phase != recorded.Phase || r.Weight != recorded.Weight || r.Epoch != recorded.Epoch || r.Outcome != recorded.Outcome || r.Held != recorded.Held {
			p.breaks("no record, no change", "%s believes %s is %s at %s; recorded is %s at %s",
				c.name, r.ID, r.Phase, r.Weight, recorded.Phase, recorded.Weight)
		}
	}
}

// summary prints the weights of a snapshot.
type summary struct{ gateway.Snapshot }

// String returns the routes in short.
func (s summary) String() string {
	text, _ := json.Marshal(s.Routes)
	return string(text[:min(len(text), 900)])
}
