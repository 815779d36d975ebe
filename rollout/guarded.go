package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
)

// HeldGuard begins why a rollout is held by a guard; the guard's name follows.
const HeldGuard = "guard "

// HeldHarm is why a promoted rollout is held whose release shows harm, where nothing
// is rolled back because no holdback remains to compare with.
const HeldHarm = "harm seen"

// good reports whether the newest look got a value within bounds.
func (s GuardState) good() bool { return s.Value != nil && s.Bad == 0 && s.Blind == "" }

// look returns what is known of a guard; one that was not looked at is blind.
func (in Input) look(name string) GuardState { return guardNamed(in.Guards, name) }

func guardNamed(guards []GuardState, name string) GuardState {
	for _, s := range guards {
		if s.Name == name {
			return s
		}
	}
	return GuardState{Name: name, Blind: "it was not looked at yet"}
}

// guards returns the guards that count: a person may have let the rollout go on past
// one.
func (r Rollout) guards() []fairlead.Guard {
	return slices.DeleteFunc(slices.Clone(r.Strategy.Guards), func(g fairlead.Guard) bool { return r.waived(g.Name) })
}

func (r Rollout) waived(guard string) bool { return slices.Contains(r.Waived, guard) }

// guarded reports whether guards are looked at: the new release has, or had, traffic
// beside an old one that it can go back to.
func (r Rollout) guarded() bool {
	began := r.Phase == Starting || r.Phase == Stepping || r.Phase == Watching
	return began && !r.FirstTraffic.IsZero() && r.From > 0 && r.Kind == Forward
}

// breached follows what guards say: back, or held until the number is good again or a
// person decides. It reports whether it decided.
func (d *decision) breached() bool {
	if !d.r.guarded() || d.in.Guards == nil {
		return false
	}
	for _, g := range d.r.guards() {
		s := d.in.look(g.Name)
		unseen := d.r.Phase == Watching && s.Unseen >= g.Failures
		switch {
		case s.Bad < g.Failures && !unseen:
		case s.Bad >= g.Failures && g.OnBreach == fairlead.OnInconclusiveRollback:
			d.goBack(RolledBack, "guard %s (no guarantee): %s, at %d looks in a row", g.Name, guardText(g, s), s.Bad)
			return true
		case d.r.Held == "":
			d.holdBy(g, s)
			return true
		}
	}
	return d.alarmed() || d.recovered()
}

func (d *decision) holdBy(g fairlead.Guard, s GuardState) {
	d.r.Held = HeldGuard + g.Name
	if d.r.Phase == Watching {
		d.say("rollout.alerted", "guard %s (no guarantee): %s; that rolls nothing back", g.Name, guardText(g, s))
		return
	}
	d.say("rollout.held", "guard %s (no guarantee): %s; held at %s until it is good again or a person decides", g.Name, guardText(g, s), d.r.Weight)
}

// recovered lets go on what a guard held whose number is good again.
func (d *decision) recovered() bool {
	name, held := strings.CutPrefix(d.r.Held, HeldGuard)
	if !held {
		return false
	}
	s := d.in.look(name)
	if !s.good() {
		return false
	}
	d.r.Held, d.r.StepBegan = "", d.in.Now
	d.say("rollout.resumed", "guard %s is good again: %s; it goes on at %s", name, number(*s.Value), d.r.Weight)
	return true
}

// awaited returns the guard that an advance waits for: one that is blind or bad.
func (r Rollout) awaited(guards []GuardState) (fairlead.Guard, GuardState, bool) {
	for _, g := range r.guards() {
		if s := guardNamed(guards, g.Name); !s.good() {
			return g, s, true
		}
	}
	return fairlead.Guard{}, GuardState{}, false
}

// guardsGood reports whether no guard is blind or bad.
func (d *decision) guardsGood() bool {
	_, _, waits := d.r.awaited(d.in.Guards)
	return !waits
}

// waitsForGuard reports whether a step that could be left waits for a guard. One that
// stays blind holds it.
func (d *decision) waitsForGuard() bool {
	g, s, waits := d.r.awaited(d.in.Guards)
	if waits && s.Unseen >= g.Failures && d.r.Held != HeldGuard+g.Name {
		d.holdBy(g, s)
	}
	return waits
}

// waive lets a person's resume count more than the guard that holds the rollout. It
// reports whether one does.
func (d *decision) waive(held string) bool {
	name, guard := strings.CutPrefix(held, HeldGuard)
	if !guard {
		return false
	}
	d.r.Waived = append(slices.Clone(d.r.Waived), name)
	d.say("rollout.resumed", "a person lets %s go on at %s past guard %s, which holds it no more", d.name(), d.r.Weight, name)
	return true
}

// guardText says what a guard's newest looks showed against what is good.
func guardText(g fairlead.Guard, s GuardState) string {
	switch {
	case s.Blind != "":
		return "it has no number: " + s.Blind
	case s.Value == nil:
		return "it has no number"
	case g.Min != nil && g.Max != nil:
		return fmt.Sprintf("%s, where %s to %s is good", number(*s.Value), number(*g.Min), number(*g.Max))
	case g.Min != nil:
		return fmt.Sprintf("%s, where at least %s is good", number(*s.Value), number(*g.Min))
	case g.Max != nil:
		return fmt.Sprintf("%s, where at most %s is good", number(*s.Value), number(*g.Max))
	}
	return number(*s.Value)
}

func number(v float64) string { return fmt.Sprintf("%.4g", v) }

// WatchGuard is the name of the guard that looks after a promoted release which no
// holdback remains to compare with: the share of its requests that fail, against that
// of the old release before.
const WatchGuard = "failures"

// watchLeast is how many requests of the old release, and in a look of the new one,
// give a share that says anything.
const watchLeast = 50

// watchFailures is how many looks in a row alert.
const watchFailures = 2

// watchGuard returns that guard: bad is more than three times the old release's share
// of failures plus 5 points, the rule for a shared incident. It is a plain threshold
// without a stated error.
func (r Rollout) watchGuard() (g fairlead.Guard, was float64, ok bool) {
	old := r.oldShowed()
	if r.Phase != Watching || r.Final() != fairlead.Whole || old.Requests < watchLeast {
		return g, 0, false
	}
	was = old.share()
	most := min(1, 3*was+0.05)
	return fairlead.Guard{Name: WatchGuard, Max: &most, Failures: watchFailures}, was, true
}

// oldShowed returns what the old release showed: beside the new one, or before it where
// they never ran at once.
func (r Rollout) oldShowed() ArmTally {
	if r.Replacement != nil && r.Replacement.Before != nil {
		return ArmTally{Requests: r.Replacement.Before.Ended, Failed: r.Replacement.Before.Failed}
	}
	return r.Tally.Stable
}

// alarmed alerts when a promoted release without a control arm fails far more than
// the old one did.
func (d *decision) alarmed() bool {
	g, was, ok := d.r.watchGuard()
	if !ok || d.r.Held == HeldHarm {
		return false
	}
	s := d.in.look(g.Name)
	if s.Bad < g.Failures || s.Value == nil {
		return false
	}
	d.r.Held = HeldHarm
	alone := "no holdback remains to compare with"
	if d.r.Replaces() {
		alone = "nothing runs beside it to compare with"
	}
	d.say("rollout.alerted", "%s fails in %.3g %% of its requests, %s did in %.3g %%; nothing is rolled back, because %s: a plain threshold, without a guarantee",
		d.name(), 100**s.Value, d.old(), 100*was, alone)
	return true
}
