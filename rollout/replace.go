package rollout

import (
	"context"
	"time"

	"github.com/fairlead/fairlead/internal/figures"
	"github.com/fairlead/fairlead/workload"
)

// Where instances of two releases must never run at once (strategy replace), a release
// takes the place of another in this order: gates hold; requests wait at the gateway;
// the old instances drain and end; nothing of them can run any more; the new ones
// start and are ready; all traffic goes to them. Going back is the same way. Nothing
// runs beside the new release, so nothing is compared: gates, readiness, crashes and
// guards decide. See docs/design/steps.md.

// Replacement is how a release took the place of another.
type Replacement struct {
	Began  time.Time `json:"began"`            // since when requests waited
	Ended  time.Time `json:"ended,omitzero"`   // when the new release had the traffic
	Before *Own      `json:"before,omitempty"` // what the old release showed before: information, no comparison
	After  *Own      `json:"after,omitempty"`  // what the new one showed at the end of its watch: likewise
}

// Own is what one release showed in the newest minutes, up to five, in which it had all
// traffic.
type Own struct {
	Ended  uint64  `json:"ended"`  // requests, of which
	Failed uint64  `json:"failed"` // failed
	P50    float64 `json:"p50"`    // of the latency, in milliseconds, to the next bound of a bucket
	P99    float64 `json:"p99"`
}

// Replaces reports whether the new release takes the old one's place without ever
// running beside it.
func (r Rollout) Replaces() bool { return r.Exclusive && r.From > 0 && r.From != r.To }

// Queues reports whether requests wait at the gateway, since nothing may serve them.
func (r Rollout) Queues() bool {
	return r.Replaces() && (r.Phase == Clearing || r.Phase == Starting || r.Phase == Returning)
}

// replacing returns how many instances of the old release and of the new one there
// should be: never of both.
func (r Rollout) replacing() (old, new int) {
	switch r.Phase {
	case Gating, Returning:
		return r.OldReplicas, 0
	case Clearing:
		return 0, 0
	}
	return 0, r.Replicas
}

// clear lets the old release end, for what takes its place is proven as far as it can
// be without traffic.
func (d *decision) clear() {
	if d.r.Held != "" {
		return
	}
	d.r.Phase, d.r.Step, d.r.StepBegan = Clearing, 1, d.in.Now
	d.r.Replacement = &Replacement{Began: d.in.Now, Before: d.in.Lately}
	d.say("rollout.clearing", "every gate holds; requests wait while the instances of %s end, and then those of %s start", d.old(), d.name())
}

// clearing waits until nothing of the old release can run any more.
func (d *decision) clearing() {
	if !d.in.Cleared {
		return
	}
	d.r.Phase = Starting
	d.say("rollout.cleared", "nothing of %s runs any more; instances of %s are starting", d.old(), d.name())
}

// overdue gives up a release that keeps requests waiting for longer than its file
// allows. Its instances give up sooner: each has the deadline of its readiness.
func (d *decision) overdue() {
	if d.r.Replaces() && d.in.Now.Sub(d.r.StepBegan) >= d.r.Strategy.MaxStep.D() {
		d.giveUp("it was not ready in " + written(d.r.Strategy.MaxStep))
	}
}

// giveUp brings the old release back, since the new one cannot serve.
func (d *decision) giveUp(why string) {
	d.goBack(Failed, "%s took no traffic: %s", d.name(), why)
}

// replaced gives all traffic to a release that is ready in the place of another.
func (d *decision) replaced() {
	replacement := *d.r.Replacement
	replacement.Ended = d.in.Now
	d.r.Replacement = &replacement
	took := figures.Elapsed(replacement.Ended.Sub(replacement.Began))
	switch {
	case d.r.Kind == Back:
		d.r.Phase = Ended
		d.say("rollout.promoted", "%s has all traffic again; requests waited for %s", d.name(), took)
		return
	case d.r.Watched():
		d.r.Phase = Watching
	default:
		d.r.Phase = Ended
	}
	on := "on its readiness alone, for it has no gate"
	if d.in.Gates.Proven > 0 {
		on = "on its gates and its readiness"
	}
	watched := ""
	if d.r.Phase == Watching {
		watched = "; it is watched for " + written(d.r.Strategy.RollbackWindow)
	}
	d.say("rollout.promoted", "%s has taken the place of %s, and requests waited for %s; the two never ran at once, so nothing was compared: it is promoted %s%s",
		d.name(), d.old(), took, on, watched)
}

// shows notes what the new release showed at the end of its watch.
func (d *decision) shows() {
	if d.r.Replacement == nil || d.in.Lately == nil {
		return
	}
	replacement := *d.r.Replacement
	replacement.After = d.in.Lately
	d.r.Replacement = &replacement
}

// restoring ends when the old release serves again, or cannot.
func (d *decision) restoring() {
	switch {
	case d.in.Old.Broken != "":
		d.r.Phase = Ended
		d.say("rollout.ended", "%s does not come up either: %s; nothing serves", d.old(), d.in.Old.Broken)
	case d.in.Old.Ready >= max(1, d.r.OldReplicas):
		d.r.Phase = Ended
		d.say("rollout.ended", "%s has all traffic again; requests waited for %s", d.old(), figures.Elapsed(d.in.Now.Sub(d.waitedSince())))
	}
}

// waitedSince returns since when requests wait for the old release: since they waited
// for the new one, if that never had the traffic.
func (d *decision) waitedSince() time.Time {
	if d.r.FirstTraffic.IsZero() && d.r.Replacement != nil {
		return d.r.Replacement.Began
	}
	return d.r.Decided
}

// lookAside adds to an input what only a rollout that replaces another is decided by.
func (l *Loop) lookAside(in *Input, state State, s scene, here []workload.Status) {
	r := state.Rollout
	if !r.Replaces() {
		return
	}
	in.Cleared = Cleared(Want{r.To: r.Replicas}, here, l.departures.leaving, l.actions.gone)
	l.noteStarts(&in.Old, Place{r.Site, r.From}, r)
	switch r.Phase {
	case Gating:
		in.Lately = l.baselines.own(armKey{r.Site, r.From}, s.now)
	case Watching:
		in.Lately = l.baselines.own(armKey{r.Site, r.To}, s.now)
	}
	for _, w := range s.gateway.Waiting {
		if w.Site == r.Site {
			in.Waiting = w.Requests
		}
	}
}

// makeCertain ends what is over once more, where something that may still run is in the
// way of another instance: an app may outlive its shim by moments, and a container by
// more.
func (l *Loop) makeCertain(ctx context.Context, now time.Time, limit Limit, here []workload.Status) {
	for _, i := range here {
		if limit.certain() && i.State.Over() && !l.actions.gone(i.ID) {
			l.actions.stop(ctx, now, i, "it is over; another takes its place when nothing of it can run")
		}
	}
}

// recall keeps an instance that was let go and is wanted again, as long as its stop has
// not begun: where nothing may start beside it, it serves again sooner than another.
func (l *Loop) recall(limit Limit, want Want, here []workload.Status) {
	if !limit.Alone {
		return
	}
	stay := map[int]int{}
	for _, i := range here {
		if !l.departures.leaving(i.ID) && !i.State.Over() && i.State != workload.Stopping {
			stay[i.Release]++
		}
	}
	for _, i := range here {
		if l.departures.leaving(i.ID) && !i.State.Over() && !l.actions.stops(i.ID) && stay[i.Release] < want[i.Release] {
			delete(l.departures, i.ID)
			stay[i.Release]++
		}
	}
}
