package console

import (
	"fmt"
	"math"

	"github.com/fairlead/fairlead/internal/figures"
)

// meter is one kind of evidence on its way to a verdict.
type meter struct {
	Name, Text, Says, Tone string
	Done                   float64 // hundredths
}

// Meter draws the evidence of harm, or of safety.
func (p rolloutPage) Meter(kind string) meter {
	e := p.Evidence.Report
	if kind == "harm" {
		return meter{Name: "Harmful?", Text: eOf(e.Harm.E, e.Harm.Needed), Done: p.Evidence.HarmDone(), Tone: "harm",
			Says: "Evidence of harm since the first traffic. At " + figures.E(e.Harm.Needed) + " it is rolled back."}
	}
	return meter{Name: "Safe?", Text: eOf(e.Safety.E, e.Safety.Needed), Done: p.Evidence.SafetyDone(), Tone: "safe",
		Says: "Evidence of safety in this step, of the signal that has least. At " + figures.E(e.Safety.Needed) + " the step is earned."}
}

// Certainty says what the evidence promises.
func (p rolloutPage) Certainty() string {
	return fmt.Sprintf("rolls back a good release at most once in %s; promotes a bad one at most once in %s",
		oneIn(p.Policy.Alpha), oneIn(p.Policy.Beta))
}

// oneIn writes a probability as people say it: 1/300 is "300".
func oneIn(probability float64) string {
	if !(probability > 0) || math.IsInf(1/probability, 0) {
		return "-"
	}
	return figures.Count(uint64(math.Round(1 / probability)))
}

// Unjudged says why there is no evidence although there was traffic.
func (p rolloutPage) Unjudged() string {
	switch {
	case p.From == 0:
		return "It is the first release here: there is nothing to compare it with, so nothing is judged."
	case p.From == p.To:
		return "It was live here already: nothing is judged."
	}
	return "It is a way back to a release that had the traffic before: it waits for no evidence, and nothing is judged."
}
