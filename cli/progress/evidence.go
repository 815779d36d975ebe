package progress

import (
	"encoding/json"
	"math"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/figures"
)

// EValue is how far one kind of evidence has come. E-values multiply: half of the
// way to 300 is about 17.
type EValue struct {
	E      float64
	Needed float64 // 0 when it is not known
}

// Evidence is what the judge has so far, for drawing.
type Evidence struct {
	Safety  EValue
	Harm    EValue
	Blocked string // why safety cannot be concluded now
	Afresh  string // why it is proven afresh in this step, which blocks nothing

	Waits    string  // the signal whose proof takes longest
	Requests float64 // that come in a second
}

// EvidenceOf reads a rollout's evidence: the judge's report where it can be
// read, and otherwise the verdict, which holds one of the two values.
func EvidenceOf(r client.Rollout) Evidence {
	e := reported(r.Evidence)
	if r.Verdict.Blocked != "" && e.Afresh == "" { // the verdict says there why it is afresh
		e.Blocked = r.Verdict.Blocked
	}
	value := EValue{r.Verdict.E, r.Verdict.Needed}
	switch {
	case value.Needed <= 0:
	case r.Verdict.Finding == fairlead.Harmful:
		e.Harm = value
	case r.Verdict.Finding == fairlead.Safe:
		e.Safety = value
	case e.Safety.Needed == 0 && e.Harm.Needed == 0:
		e.Safety = value
	}
	return e
}

// reported reads the parts of the judge's report that are drawn. A report of
// another shape gives nothing.
func reported(report json.RawMessage) Evidence {
	type value struct {
		E      float64 `json:"e"`
		Needed float64 `json:"needed"`
	}
	var shape struct {
		Harm     value  `json:"harm"`
		Safety   value  `json:"safety"`
		Blocked  string `json:"blocked"`
		Afresh   string `json:"afresh"`
		Forecast struct {
			Signal   string  `json:"signal"`
			Requests float64 `json:"requests"`
		} `json:"forecast"`
	}
	if len(report) == 0 || json.Unmarshal(report, &shape) != nil {
		return Evidence{}
	}
	return Evidence{
		Safety: EValue(shape.Safety), Harm: EValue(shape.Harm), Blocked: shape.Blocked, Afresh: shape.Afresh,
		Waits: shape.Forecast.Signal, Requests: shape.Forecast.Requests,
	}
}

// Progress returns how far e has come, 0 to 1, on the scale of its logarithm.
func (e EValue) Progress() float64 {
	if e.Needed <= 1 || e.E <= 1 || math.IsNaN(e.E) {
		return 0
	}
	return min(1, math.Log(e.E)/math.Log(e.Needed))
}

// String returns e as "12 of 20", or "-" when it is not known.
func (e EValue) String() string {
	if e.Needed <= 0 {
		return "-"
	}
	return figures.E(e.E) + " of " + figures.E(e.Needed)
}
