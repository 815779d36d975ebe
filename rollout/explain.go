package rollout

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/figures"
	"github.com/fairlead/fairlead/rollout/judge"
)

// Explain says in sentences and numbers why a site is where it is. It is pure.
func Explain(s State, now time.Time) []string {
	r := s.Rollout
	if r == nil {
		return []string{fmt.Sprintf("Nothing was ever rolled out to %s.", s.Live.Site)}
	}
	e := explanation{s: s, r: *r, now: now}
	e.where()
	e.why()
	e.ends()
	e.evidence()
	e.next()
	return e.sentences
}

type explanation struct {
	s         State
	r         Rollout
	now       time.Time
	sentences []string
}

func (e *explanation) say(format string, args ...any) {
	e.sentences = append(e.sentences, fmt.Sprintf(format, args...))
}

func (e *explanation) where() {
	name := fmt.Sprintf("%s@%d", e.r.Site.App, e.r.To)
	switch {
	case e.r.Phase == Ended:
		e.say("%s: the newest rollout, of %s, has ended: %s.", e.s.Live.Site, name, outcomeWords[e.r.Outcome])
	case e.r.Phase == Watching:
		e.say("%s was promoted in %s %s ago and is watched; it has %s of the traffic.", name, e.r.Site.Env, since(e.now, e.r.Decided), e.r.Weight)
	default:
		e.say("%s is entering %s: %s, step %d of %d, %s of the traffic.", name, e.r.Site.Env, phaseWords[e.r.Phase], e.r.Step, len(e.r.Weights), e.r.Weight)
	}
	if e.r.Mirroring() {
		e.say("Copies of %s of the old release's requests go to it too; the answers go nowhere.", e.r.Strategy.Mirror.Share.Weight())
	}
	if e.s.Live.Stable > 0 {
		e.say("%s@%d is live.", e.r.Site.App, e.s.Live.Stable)
	}
	e.replacement()
}

var phaseWords = map[Phase]string{
	Gating: "its gates are being proven", Clearing: "the instances of the release before it end, and requests wait", Starting: "its instances are starting", Stepping: "its share is being earned",
	Returning: "its traffic is going back",
}

var outcomeWords = map[Outcome]string{
	Promoted: "promoted", RolledBack: "rolled back", Failed: "failed before it took traffic", Aborted: "aborted by a person",
}

func (e *explanation) why() {
	if because, ok := e.r.Because(); ok {
		last := e.r.Notes[len(e.r.Notes)-1]
		if because != last {
			e.say("Why: %s.", because.Text)
		}
		e.say("Newest decision, %s ago: %s.", since(e.now, last.Time), last.Text)
	}
	if e.r.Held != "" {
		e.say("It is held: %s.", e.r.Held)
	}
}

func (e *explanation) evidence() {
	if e.r.Phase == Stepping && e.s.Tally.Canary.Requests+e.s.Tally.Stable.Requests == 0 {
		e.say("No request has come since the step began, so there is no evidence either way.")
	}
	var report judge.Report
	if e.s.Report == nil || json.Unmarshal(e.s.Report, &report) != nil {
		if e.r.From == 0 && e.r.Outcome != Failed {
			e.say("It was the first release here, so there was nothing to compare it with.")
		}
		return
	}
	if e.r.Phase == Stepping && e.r.Weight == 0 && e.s.Tally.Stable.Requests > 0 && !copied(report) {
		e.say("Requests have come, but no copy is answered yet; the strategy copies %s of %s.",
			e.r.Strategy.Mirror.Share.Weight(), strings.Join(e.r.Strategy.Mirror.Methods, ", "))
	}
	if v := report.Verdict; v.Finding != fairlead.Inconclusive && v.Signal != "" {
		e.say("Verdict: %s, decided by %s: E = %s of %s needed.", v.Finding, v.Signal, figures.E(v.E), figures.E(v.Needed))
	}
	e.say("Evidence of harm: E = %s; it is rolled back at %s.", figures.E(report.Harm.E), figures.E(report.Harm.Needed))
	e.say("Evidence of safety in this step: E = %s; the step is earned at %s.", figures.E(report.Safety.E), figures.E(report.Safety.Needed))
	e.signals(report)
	e.guarding()
	if report.Restarts.Canary.Restarts+report.Restarts.Stable.Restarts > 0 {
		e.say("Restarts: %d of the new release, %d of the old (harm E = %s).",
			report.Restarts.Canary.Restarts, report.Restarts.Stable.Restarts, figures.E(report.Restarts.Harm))
	}
	if report.Blocked != "" {
		e.say("Safety cannot be concluded now: %s.", report.Blocked)
	}
	if report.Afresh != "" {
		e.say("Evidence of safety was started afresh: %s.", report.Afresh)
	}
	e.forecast(report)
}

// ends says how instances ended by themselves, and were unready.
func (e *explanation) ends() {
	for _, g := range []struct {
		name    string
		release int
		group   Group
	}{{e.newName(), e.r.To, e.s.New}, {e.oldName(), e.r.From, e.s.Old}} {
		if text := g.group.text(); text != "" {
			e.say("Of %s %s.", g.name, text)
			e.say("  What it wrote: fairlead logs %s --env %s --release %d", e.r.Site.App, e.r.Site.Env, g.release)
		}
		if g.group.Unready >= 1 {
			e.say("Instances of %s that had been ready were not for %s in all.", g.name, Span(seconds(g.group.Unready)))
		}
	}
}

func (e *explanation) newName() string { return fmt.Sprintf("%s@%d", e.r.Site.App, e.r.To) }

func (e *explanation) oldName() string { return fmt.Sprintf("%s@%d", e.r.Site.App, e.r.From) }

// copied reports whether both answers to any request are known.
func copied(report judge.Report) bool {
	return slices.ContainsFunc(report.Signals, func(s judge.SignalReport) bool { return s.Mirrored && s.Stable.AtRisk > 0 })
}

func (e *explanation) next() {
	switch {
	case e.r.Phase == Ended && e.r.Outcome == Promoted && e.s.Live.Previous > 0:
		e.say("To go back to %s@%d: fairlead rollback %s --env %s.", e.r.Site.App, e.s.Live.Previous, e.r.Site.App, e.r.Site.Env)
	case e.r.Held == HeldMismatch:
		e.say("Find out why, and say it to let the release go on: fairlead resume %s --env %s --reason WHY. To stop it: fairlead abort %s --env %s.",
			e.r.Site.App, e.r.Site.Env, e.r.Site.App, e.r.Site.Env)
	case e.r.Held != "":
		e.say("To let it go on: fairlead resume %s --env %s. To stop it: fairlead abort %s --env %s.",
			e.r.Site.App, e.r.Site.Env, e.r.Site.App, e.r.Site.Env)
	case e.r.Phase == Stepping:
		e.say("The step becomes inconclusive in %s; then the file says: %s.",
			Span(e.r.Strategy.MaxStep.D()-e.now.Sub(e.r.StepBegan)), orHold(e.r.Strategy.OnInconclusive))
	}
}

func orHold(policy string) string {
	if policy == "" {
		return fairlead.OnInconclusiveHold
	}
	return policy
}
