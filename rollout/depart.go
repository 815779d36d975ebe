package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
	"github.com/fairlead/fairlead/workload"
)

// departure is an instance on its way out. It is stopped only after the gateway
// has a snapshot in force without it and reports nothing in flight there, or its
// drain time has passed since then.
type departure struct {
	since  time.Time // it was let go
	listed bool      // runs that began there may still be sent to it
	ran    bool      // it was listed for runs, which have had their time
	out    time.Time // since when the gateway is known to be without it; zero before
}

// sight is what is seen of a departing instance.
type sight struct {
	now      time.Time
	inFlight int  // calls
	runs     int  // that began on its release and have not ended
	without  bool // the gateway has the newest snapshot in force, and it does not list it
	listed   bool // the newest snapshot lists it, or may
}

// next returns d after a look, and whether the instance shall be stopped now. It is
// pure.
func (d departure) next(c fairlead.Content, s sight) (after departure, stop bool) {
	switch {
	case d.listed:
		byRun := c.Assignment.By == fairlead.ByRun
		over := s.inFlight == 0 && s.runs == 0 || s.now.Sub(d.since) > d.limit(c)
		if !byRun || over {
			d.listed, d.ran = false, byRun
		}
		return d, false
	case s.listed:
		d.out = time.Time{}
		return d, false
	case d.out.IsZero() && !s.without: // once it is out, no newer snapshot of other sites begins its drain anew
		return d, false
	case d.out.IsZero():
		d.out = s.now
	}
	return d, s.inFlight == 0 || s.now.Sub(d.out) > d.limit(c)
}

// limit is how long runs, or calls in flight, may go on.
func (d departure) limit(c fairlead.Content) time.Duration {
	if d.ran {
		return c.Drain.D()
	}
	return max(c.Drain, c.RunLimit).D()
}

// keepEnded is how long an ended instance's log is kept, from when this control
// plane first saw that it had ended.
const keepEnded = 10 * time.Minute

// departures are the instances on their way out, by id.
type departures map[string]*departure

// leaving reports whether an instance takes no new units any more.
func (all departures) leaving(id string) bool { return all[id] != nil }

// unlisted reports whether the gateway shall not know an instance any more.
func (all departures) unlisted(id string) bool {
	d := all[id]
	return d != nil && !d.listed
}

// depart moves departures on: out of the snapshot, then stopped, then forgotten.
func (l *Loop) depart(ctx context.Context, s scene) error {
	var problems []error
	l.noteEnded(s.now, s.have)
	for _, status := range s.have {
		d := l.departures[status.ID]
		if d == nil {
			if at, over := l.ended[status.ID]; over && s.now.Sub(at) > keepEnded {
				problems = append(problems, l.remove(ctx, s.now, status.ID))
			}
			continue
		}
		release, err := l.releases.get(ctx, status.Site.App, status.Release)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		l.departOne(ctx, s, status, d, release)
	}
	return errors.Join(problems...)
}

// removeWithin bounds the removal of what has ended, which the loop waits for;
// removeAgain is when one that failed is tried again.
const (
	removeWithin = time.Second
	removeAgain  = time.Minute
)

func (l *Loop) remove(ctx context.Context, now time.Time, id string) error {
	ctx, cancel := context.WithTimeout(ctx, removeWithin)
	defer cancel()
	err := l.Fleet.Remove(ctx, l.nextOrder(), id)
	if err != nil {
		l.ended[id] = now.Add(removeAgain - keepEnded)
	}
	return err
}

// noteEnded notes when instances were first seen to be over, and forgets those that
// are gone.
func (l *Loop) noteEnded(now time.Time, have []workload.Status) {
	ended := map[string]time.Time{}
	for _, status := range have {
		if status.State.Over() {
			ended[status.ID] = now
			if at, known := l.ended[status.ID]; known {
				ended[status.ID] = at
			}
		}
	}
	l.ended = ended
}

func (l *Loop) departOne(ctx context.Context, s scene, status workload.Status, d *departure, release fairlead.Release) {
	if status.State.Over() {
		delete(l.departures, status.ID)
		return
	}
	seen := sight{
		now: s.now, inFlight: s.gateway.InFlight[status.ID], runs: runsAt(s.gateway, status),
		without: l.pushed.without(status, s.gateway), listed: l.pushed.lists(status),
	}
	before := *d
	var stop bool
	*d, stop = before.next(release.Content, seen)
	switch {
	case stop:
		why := "nothing is in flight in it"
		if seen.inFlight > 0 {
			why = fmt.Sprintf("its drain time of %s is over, with %d calls in flight", d.limit(release.Content), seen.inFlight)
		}
		l.actions.stop(ctx, s.now, status, why)
	case before.listed && !d.listed:
		l.poke()
	}
}

// without reports whether a gateway's status is of a time when the pushed snapshot
// was in force and did not list an instance: only then does nothing in flight mean
// that nothing comes.
func (p pushed) without(status workload.Status, g gateway.Status) bool {
	return g.Applied == p.order && !p.lists(status)
}

// lists reports whether the pushed snapshot lists an instance, or may.
func (p pushed) lists(status workload.Status) bool {
	return p.names[status.ID] || slices.Contains(p.keeps, status.Site)
}

// runsAt counts the runs that began on an instance's release and may come back to it.
func runsAt(g gateway.Status, status workload.Status) int {
	for _, c := range g.Runs {
		if c.Site == status.Site && c.Release == status.Release {
			return c.Runs
		}
	}
	return 0
}
