package rollout

import (
	"fmt"
	"math"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/figures"
	"github.com/fairlead/fairlead/rollout/judge"
)

// signals says of each signal what both releases showed and what it proves.
func (e *explanation) signals(report judge.Report) {
	weakest := weakest(report)
	e.say("New and old release by signal, each E against what it needs alone; odds ratios and differences are new to old, in intervals that miss the truth with at most 5 %% at all times together:")
	for _, s := range report.Signals {
		if s.Canary.AtRisk+s.Stable.AtRisk == 0 {
			if s.Kind != "" && s.Protected {
				e.say("%s: no report has come, so it cannot be proven safe.", s.Name)
			}
			continue
		}
		e.say("%s%s: %s.", s.Name, kindWords(s), counts(s))
		if why := failed(report); s.Name == fairlead.Failures.String() && why != "" {
			e.say("  requests that failed in the new release: %s.", why)
		}
		if s.Protected && (s.Stable.AtRisk == 0 || s.Canary.AtRisk == 0) {
			e.say("  without reports of both releases it cannot be proven safe.")
			continue
		}
		if effect := effect(s); effect != "" {
			e.say("  %s.", effect)
		}
		e.say("  %s%s.", e.values(s, report), standing(s, weakest, e.r))
	}
	for _, s := range e.r.Strategy.Signals {
		if _, frozen := e.r.Amounts[s.Name]; s.Kind == fairlead.KindAmount && !frozen && !e.r.FirstTraffic.IsZero() {
			e.say("%s: not judged, because the old release reported fewer than %d before this rollout.", s.Name, amountLeast)
		}
	}
	e.ignored(report)
}

// ignored says of reports that were no evidence why not.
func (e *explanation) ignored(report judge.Report) {
	for _, ignored := range []struct {
		n   int
		why string
	}{
		{report.Ignored.Undeclared, "the file does not declare their signal"},
		{report.Ignored.Invalid, "their value is out of range"},
		{report.Ignored.Other, "they are of other traffic"},
	} {
		if ignored.n > 0 {
			e.say("%s reports were no evidence: %s.", counted(ignored.n), ignored.why)
		}
	}
}

// kindWords says of what kind a signal is, and what its counts count.
func kindWords(s judge.SignalReport) string {
	switch {
	case s.Mirrored: // its name says so
		return ", worse answers"
	case s.Kind == fairlead.KindSuccess:
		return " (success), units without"
	case s.Kind == fairlead.KindAmount:
		return " (amount), above"
	case s.Kind != "":
		return " (" + s.Kind + ")"
	case s.Name != fairlead.Failures.String():
		return ", slower"
	}
	return ""
}

// counts says what both arms showed: the new release's first.
func counts(s judge.SignalReport) string {
	return "new " + count(s, s.Canary) + ", old " + count(s, s.Stable)
}

func count(s judge.SignalReport, a judge.ArmSignal) string {
	switch {
	case a.AtRisk == 0:
		return "none"
	case a.Mean != nil && s.Kind == fairlead.KindScore:
		return fmt.Sprintf("mean %s of %s", quantity(*a.Mean), counted(a.AtRisk))
	case a.Mean != nil:
		return fmt.Sprintf("%s of %s (mean %s)", counted(a.Hit), counted(a.AtRisk), quantity(*a.Mean))
	}
	return fmt.Sprintf("%s of %s (%s)", counted(a.Hit), counted(a.AtRisk), figures.Percent(a.Rate))
}

// effect says how different both are, with an interval that holds at all times at once.
func effect(s judge.SignalReport) string {
	switch {
	case s.OddsRatio != nil:
		return "odds ratio " + interval(*s.OddsRatio, quantity)
	case s.Difference != nil:
		return "difference " + interval(*s.Difference, quantity)
	case s.Preferred != nil:
		return "where one answer is better, it is the new one in " + interval(*s.Preferred, figures.Percent)
	}
	return ""
}

// interval writes an estimate and what is not excluded. An open end is that of the
// values that were tried: the truth may lie beyond.
func interval(i judge.Interval, written func(float64) string) string {
	estimate, low, high := written(i.Estimate), written(i.Low), written(i.High)
	switch {
	case i.LowOpen && i.Estimate <= i.Low:
		estimate += " or less"
	case i.HighOpen && i.Estimate >= i.High:
		estimate += " or more"
	}
	switch {
	case i.LowOpen && i.HighOpen:
		return estimate + ", but anything is possible"
	case i.LowOpen:
		return estimate + ", at most " + high
	case i.HighOpen:
		return estimate + ", at least " + low
	}
	return estimate + ", between " + low + " and " + high
}

// failed says why requests of the new release failed; "" where none did.
func failed(report judge.Report) string {
	var why []string
	for class, words := range [fairlead.Classes]string{"answered 5xx", "timed out", "broke off", "declared errors by the app"} {
		if n := report.Canary.Failed[fairlead.Class(class).String()]; n > 0 {
			why = append(why, fmt.Sprintf("%d %s", n, words))
		}
	}
	return strings.Join(why, ", ")
}

// values are a signal's e-values, each against what is needed.
func (e *explanation) values(s judge.SignalReport, report judge.Report) string {
	text := "harm E = " + figures.E(s.Harm)
	if s.HarmShare > 0 {
		text += fmt.Sprintf(" of %s", figures.E(report.Harm.Needed/s.HarmShare))
	}
	if !s.Protected {
		return text + "; not protected"
	}
	return fmt.Sprintf("%s; safety E = %s of %s", text, figures.E(s.Safety.E), figures.E(s.Safety.Needed))
}

// standing says what a signal means for the step.
func standing(s judge.SignalReport, weakest string, r Rollout) string {
	if !s.Protected || r.Phase != Stepping {
		return ""
	}
	switch {
	case s.Safety.E >= s.Safety.Needed:
		return ", proven"
	case s.Name == weakest:
		return foreseen(s) + ": the step waits for it"
	}
	return foreseen(s)
}

// foreseen is the expectation, or that there is none.
func foreseen(s judge.SignalReport) string {
	if text := expectation(s); text != "" {
		return text
	}
	return ", no forecast yet"
}

func expectation(s judge.SignalReport) string {
	if s.Expected == nil {
		return ""
	}
	return ", " + Span(seconds(*s.Expected)) + " left"
}

// weakest returns the protected signal with the least evidence of safety, or "".
func weakest(report judge.Report) string {
	name, least := "", math.Inf(1)
	for _, s := range report.Signals {
		if s.Protected && s.Safety.E < s.Safety.Needed && s.Safety.E < least {
			name, least = s.Name, s.Safety.E
		}
	}
	return name
}

// guarding says of each guard what its newest look showed.
func (e *explanation) guarding() {
	for _, g := range e.s.Watched() {
		text := fmt.Sprintf("guard %s (a threshold, without a guarantee): %s", g.Guard.Name, guardText(g.Guard, g.GuardState))
		switch {
		case g.Waived:
			text += "; a person let the rollout go on past it"
		case g.Bad > 0:
			text += fmt.Sprintf("; %d of %d looks in a row are bad", g.Bad, g.Guard.Failures)
		}
		e.say("%s.", text)
	}
	if g, was, ok := e.r.watchGuard(); ok {
		e.say("No holdback remains to compare with, so nothing is proven any more: an alarm is raised, and nothing rolled back, when more than %s of the requests fail (%s did on the old release).",
			figures.Percent(*g.Max), figures.Percent(was))
	}
}

// WatchedGuard is a guard of a rollout with what its looks said.
type WatchedGuard struct {
	Guard fairlead.Guard
	GuardState
	Waived bool // a person let the rollout go on past it
}

// Watched returns the guards that are looked at now; none before the first traffic.
func (s State) Watched() []WatchedGuard {
	if s.Rollout == nil || s.Guards == nil {
		return nil
	}
	guards := s.Rollout.Strategy.Guards
	if g, _, ok := s.Rollout.watchGuard(); ok {
		guards = append(guards[:len(guards):len(guards)], g)
	}
	var all []WatchedGuard
	for _, g := range guards {
		all = append(all, WatchedGuard{g, guardNamed(s.Guards, g.Name), s.Rollout.waived(g.Name)})
	}
	return all
}

// Text says what the newest look showed against what is good.
func (w WatchedGuard) Text() string { return guardText(w.Guard, w.GuardState) }

// Waits says what a step waits for, in a few words: the signal whose safety is least
// proven, or a guard; "" where it does not wait for one.
func (s State) Waits(report judge.Report) string {
	r := s.Rollout
	if r == nil || r.Phase != Stepping || r.Held != "" && r.Held != HeldInconclusive {
		return ""
	}
	name := weakest(report)
	for _, one := range report.Signals {
		if one.Name == name {
			return fmt.Sprintf("%s: safety E = %s of %s%s", name, figures.E(one.Safety.E), figures.E(one.Safety.Needed), expectation(one))
		}
	}
	if g, state, waits := r.awaited(s.Guards); waits && s.Guards != nil {
		return fmt.Sprintf("guard %s: %s", g.Name, guardText(g, state))
	}
	return ""
}

// Left returns the seconds until a verdict, if it goes on as now; nil where that is not
// known of a signal that must be proven.
func Left(report judge.Report) *float64 {
	if report.Harm.E*report.Harm.E > report.Harm.Needed { // more than half way, in logs
		return report.Expected
	}
	for _, s := range report.Signals {
		if s.Protected && s.Safety.E < s.Safety.Needed && s.Expected == nil {
			return nil
		}
	}
	return report.Expected
}
