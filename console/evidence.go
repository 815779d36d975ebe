package console

import (
	"fmt"
	"math"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/figures"
)

// evidence is the judge's report as a page shows it.
type evidence struct {
	client.Report
	Rows     []signalRow
	Restarts *restartRow // nil where nothing restarted
	Notes    []string    // what stands in the way of a proof, in sentences
	Share    string      // whether the new release's share of the units fits its weight
}

// signalRow is one signal's evidence.
type signalRow struct {
	Name, Of  string // Of says what is counted: "(success), without"
	New, Old  string // what each release showed
	Effect    string // the estimate
	Bounds    string // what is not excluded
	Harm      string // E of what it alone would need
	Safety    string
	State     string // proven, not protected, or what it waits for
	Tone      string
	Protected bool
}

// restartRow is the evidence of restarts.
type restartRow struct{ New, Old, Harm string }

func evidenceOf(r client.Rollout) *evidence {
	report, ok := r.Report()
	if !ok || r.From == 0 {
		return nil
	}
	e := &evidence{Report: report, Share: shareCheck(report.Share, r.Weight)}
	for _, s := range report.Signals {
		e.Rows = append(e.Rows, rowOfSignal(s, report, r))
	}
	if n := report.Restarts; n.Stable.Restarts+n.Canary.Restarts > 0 {
		e.Restarts = &restartRow{figures.Plural(uint64(n.Canary.Restarts), "restart", "restarts"),
			figures.Plural(uint64(n.Stable.Restarts), "restart", "restarts"), "E = " + figures.E(n.Harm)}
	}
	e.Notes = notesOf(report, r)
	return e
}

// HarmDone is how far the evidence of harm has come, for drawing.
func (e evidence) HarmDone() float64 { return progressOf(e.Report.Harm) }

// SafetyDone is how far the least protected signal's safety has come.
func (e evidence) SafetyDone() float64 { return progressOf(e.Report.Safety) }

// progressOf is the way to the threshold in hundredths: e-values multiply, so it is that of
// their logarithm.
func progressOf(v client.EValue) float64 {
	if v.Needed <= 1 || v.E <= 1 || math.IsNaN(v.E) {
		return 0
	}
	return math.Round(1000*min(1, math.Log(v.E)/math.Log(v.Needed))) / 10
}

func rowOfSignal(s client.SignalEvidence, report client.Report, r client.Rollout) signalRow {
	row := signalRow{Name: s.Name, Of: countedOf(s), New: showed(s, s.Canary), Old: showed(s, s.Stable), Protected: s.Protected}
	switch {
	case s.OddsRatio != nil:
		row.Effect, row.Bounds = bounded(*s.OddsRatio, ratioOf, "odds × ")
	case s.Difference != nil:
		row.Effect, row.Bounds = bounded(*s.Difference, signed, "")
	case s.Preferred != nil:
		row.Effect, row.Bounds = bounded(*s.Preferred, figures.Percent, "better in ")
	}
	row.Harm = "E = " + figures.E(s.Harm)
	if s.HarmShare > 0 {
		row.Harm = eOf(s.Harm, report.Harm.Needed/s.HarmShare)
	}
	row.Safety = "not needed"
	if s.Protected {
		row.Safety = eOf(s.Safety.E, s.Safety.Needed)
	}
	row.Tone, row.State = stateOf(s, r)
	return row
}

// stateOf says what a signal means for the step.
func stateOf(s client.SignalEvidence, r client.Rollout) (tone, state string) {
	switch {
	case r.Verdict.Finding == fairlead.Harmful && r.Verdict.Signal == s.Name:
		return "harm", "harmful"
	case !s.Protected:
		return "quiet", "not protected"
	case r.Outcome == "" && (s.Stable.AtRisk == 0 || s.Canary.AtRisk == 0): // as in the warm-up
		return "held", "no evidence yet"
	case s.Safety.E >= s.Safety.Needed:
		return "safe", "proven safe"
	case r.Outcome != "":
		return "quiet", "not proven"
	case s.Expected != nil:
		return "move", "about " + figures.Left(*s.Expected) + " left"
	}
	return "move", "no end in sight"
}

// countedOf says of what kind a signal is, and what its counts count.
func countedOf(s client.SignalEvidence) string {
	switch {
	case s.Mirrored:
		return "worse answers of pairs"
	case s.Kind == fairlead.KindSuccess:
		return "success: units without"
	case s.Kind == fairlead.KindAmount:
		return "amount: units above the earlier figure"
	case s.Kind == fairlead.KindScore:
		return "score: mean of units"
	case s.Kind != "":
		return s.Kind + ": units with"
	case s.Name == fairlead.Failures.String():
		return "units with a failed request"
	}
	return "units beyond the earlier " + s.Name[strings.LastIndex(s.Name, " ")+1:]
}

// showed is what one release showed of a signal.
func showed(s client.SignalEvidence, a client.SignalArm) string {
	n := figures.Count(uint64(max(0, a.AtRisk)))
	switch {
	case a.AtRisk == 0:
		return "none yet"
	case a.Mean != nil && s.Kind == fairlead.KindScore:
		return figureOf(*a.Mean) + " of " + n
	case a.Mean != nil:
		return fmt.Sprintf("%s of %s, mean %s", figures.Count(uint64(max(0, a.Hit))), n, figureOf(*a.Mean))
	}
	return fmt.Sprintf("%s of %s (%s)", figures.Count(uint64(max(0, a.Hit))), n, figures.Percent(a.Rate))
}

// bounded writes an estimate and the interval that holds at all times. An open end is that
// of the values that were tried: the truth may lie beyond.
func bounded(i client.Interval, written func(float64) string, before string) (estimate, bounds string) {
	estimate = before + written(i.Estimate)
	low, high := written(i.Low), written(i.High)
	switch {
	case i.LowOpen && i.HighOpen:
		return estimate, "anything is possible"
	case i.LowOpen:
		return estimate, "at most " + high
	case i.HighOpen:
		return estimate, "at least " + low
	}
	return estimate, low + " to " + high
}

// ratioOf writes an odds ratio with two digits: "0.87", "12".
func ratioOf(v float64) string {
	if v >= 9.95 {
		return figureOf(math.Round(v))
	}
	return fmt.Sprintf("%.2g", v)
}

func signed(v float64) string {
	if v > 0 {
		return "+" + figureOf(v)
	}
	return strings.Replace(figureOf(v), "-", "−", 1)
}

// figureOf writes a number with three digits, or all before the point.
func figureOf(v float64) string {
	if math.Abs(v) >= 999.5 {
		return figures.Count(uint64(math.Round(math.Abs(v))))
	}
	return fmt.Sprintf("%.3g", v)
}

// shareCheck says whether the new release's share of the units is as its weight says.
func shareCheck(s client.ShareCheck, w fairlead.Weight) string {
	all := s.StableUnits + s.CanaryUnits
	if all == 0 || w == 0 && s.CanaryUnits == 0 && !s.Mismatch { // in a step of copies no client is to meet it
		return ""
	}
	share := figures.Percent(float64(s.CanaryUnits) / float64(all))
	text := fmt.Sprintf("%s of %s units at this weight met the new release (%s)", figures.Count(uint64(s.CanaryUnits)), figures.Count(uint64(all)), share)
	if s.Mismatch {
		return text + fmt.Sprintf(", which is not the %s that was ordered: %s.", w, eOf(s.E, s.Needed))
	}
	return text + fmt.Sprintf(", which fits the weight: %s against it.", eOf(s.E, s.Needed))
}

// notesOf says what stands in the way of a proof.
func notesOf(report client.Report, r client.Rollout) []string {
	var notes []string
	say := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if report.Blocked != "" && r.Outcome == "" {
		say("Safe cannot be concluded: %s.", report.Blocked)
	}
	if report.Afresh != "" {
		say("Safety was proven afresh: %s.", report.Afresh)
	}
	if report.Shared && (report.Blocked == "" || r.Outcome != "") {
		say("Both releases fail far more than before: a shared incident, or the new release breaks what both use.")
	}
	if report.Gaps > 0 {
		say("%s of observations: what was lost is no evidence of safety.", figures.Plural(uint64(report.Gaps), "loss", "losses"))
	}
	for _, ignored := range []struct {
		n   int
		why string
	}{
		{report.Ignored.Undeclared, "the file does not declare their signal"},
		{report.Ignored.Invalid, "their value is out of range"},
		{report.Ignored.Other, "they are of other traffic"},
	} {
		if ignored.n > 0 {
			say("%s no evidence: %s.", figures.Plural(uint64(ignored.n), "report was", "reports were"), ignored.why)
		}
	}
	return notes
}
