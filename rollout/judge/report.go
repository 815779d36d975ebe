package judge

import (
	"github.com/fairlead/fairlead"
)

// Report is the evidence for people. It is a copy, in no way tied to the judge.
type Report struct {
	Verdict  fairlead.Verdict `json:"verdict"`
	Epoch    uint32           `json:"epoch"`
	Weight   fairlead.Weight  `json:"weight"`
	Harm     Evidence         `json:"harm"`               // the average over signals, of the whole rollout
	Safety   Evidence         `json:"safety"`             // the least protected signal's, of this step
	Expected *float64         `json:"expected,omitempty"` // seconds until a verdict, if it goes on as now; nil when unknown
	Forecast Forecast         `json:"forecast"`           // of this step's proof of safety
	Blocked  string           `json:"blocked,omitempty"`  // why safe cannot be concluded whatever the evidence
	Afresh   string           `json:"afresh,omitempty"`   // why evidence of safety was started afresh in this step
	Gaps     int              `json:"gaps,omitempty"`     // losses of blocks or outcomes in this rollout
	Waiting  int              `json:"waiting"`            // seconds of traffic whose outcomes are not all known
	Shared   bool             `json:"shared,omitempty"`   // both releases fail far more than before
	Share    Share            `json:"share"`
	Stable   ArmTotals        `json:"stable"`
	Canary   ArmTotals        `json:"canary"`
	Signals  []SignalReport   `json:"signals"` // those that are judged, but restarts
	Restarts RestartReport    `json:"restarts"`
	Ignored  Ignored          `json:"ignored,omitzero"` // reports that were no evidence
}

// Evidence is an e-value and the threshold it must reach.
type Evidence struct {
	E      float64 `json:"e"` // at most 1e300
	Needed float64 `json:"needed"`
}

// Share says whether the canary's share of the epoch's units fits the weight.
type Share struct {
	StableUnits int     `json:"stableUnits"` // distinct, in this epoch
	CanaryUnits int     `json:"canaryUnits"`
	E           float64 `json:"e"` // against the weight
	Needed      float64 `json:"needed"`
	Mismatch    bool    `json:"mismatch,omitempty"`
}

// ArmTotals counts an arm's requests since the rollout began.
type ArmTotals struct {
	Requests uint64            `json:"requests"`
	Failed   map[string]uint64 `json:"failed"` // by class
}

// SignalReport is the evidence of one signal.
type SignalReport struct {
	Name       string     `json:"name"`
	Kind       string     `json:"kind,omitempty"`     // of a reported signal: fairlead.KindFailure and so on
	Mirrored   bool       `json:"mirrored,omitempty"` // it compares two answers to one request
	Protected  bool       `json:"protected"`          // this step must prove that it is not harmed
	Stable     ArmSignal  `json:"stable"`
	Canary     ArmSignal  `json:"canary"`
	OddsRatio  *Interval  `json:"oddsRatio,omitempty"`  // canary to stable, if it is constant
	Difference *Interval  `json:"difference,omitempty"` // of scores: the canary's mean less stable's
	Preferred  *Interval  `json:"preferred,omitempty"`  // of pairs: how often the new answer is the better one, where one is
	Harm       float64    `json:"harm"`                 // e-value for "worse than the tolerance"
	HarmShare  float64    `json:"harmShare"`            // its share in the average that is evidence of harm
	Safety     SafetyPart `json:"safety"`
	Expected   *float64   `json:"expected,omitempty"` // seconds until it is proven safe in this step; nil when unknown or not to be expected
}

// SafetyPart is a signal's evidence of safety in this step: E is the mean of the
// other two, or the one that there is: scores have no ratio, preferences and paired
// amounts no difference. Where the signal is protected, E must reach Needed.
type SafetyPart struct {
	E        float64 `json:"e"`
	Ratio    float64 `json:"ratio"`    // e-value against the margin's odds ratio
	Absolute float64 `json:"absolute"` // e-value against the margin's risk difference; of scores, mean difference
	Needed   float64 `json:"needed"`
}

// ArmSignal counts an arm's units since the rollout began.
type ArmSignal struct {
	AtRisk int      `json:"atRisk"`         // units at risk, summed over test blocks; of a reported signal, units with a report; of pairs, mirrored requests
	Hit    int      `json:"hit"`            // units that hit the signal, each once; of pairs, those to which this arm gave the worse answer
	Rate   float64  `json:"rate"`           // Hit / AtRisk: the risk of a unit in a test block
	Mean   *float64 `json:"mean,omitempty"` // of scores and amounts
}

// Interval is an estimate with an interval that holds at all times at once: it
// misses the truth, at any time, with probability at most Error.
type Interval struct {
	Estimate float64 `json:"estimate"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	LowOpen  bool    `json:"lowOpen,omitempty"`  // it may be below Low
	HighOpen bool    `json:"highOpen,omitempty"` // it may be above High
	Error    float64 `json:"error"`
}

// RestartReport is the evidence of restarts and OOM kills.
type RestartReport struct {
	Stable ArmRestarts `json:"stable"`
	Canary ArmRestarts `json:"canary"`
	Harm   float64     `json:"harm"` // e-value for "worse than the tolerance"
}

// Report returns the evidence for people and for JSON. Its numbers are finite.
func (j *Judge) Report() Report {
	_, safety := j.budget.weakest(j.mirrored())
	r := Report{
		Verdict: j.Verdict(), Epoch: j.epoch, Weight: j.weight,
		Harm:    Evidence{capped(j.budget.harm()), 1 / j.config.Alpha},
		Safety:  Evidence{capped(safety), 1 / j.config.Beta},
		Blocked: j.blocked(), Afresh: j.afresh, Gaps: j.totals.gaps, Waiting: len(j.queue), Shared: j.incident.shared,
		Stable: j.totals.arm(stable), Canary: j.totals.arm(canary),
		Ignored:  j.reports.ignored,
		Restarts: RestartReport{j.totals.restarts.Stable, j.totals.restarts.Canary, capped(j.harm.log(restartsIndex))},
	}
	if j.assignment != nil {
		r.Share = Share{j.assignment.units[stable], j.assignment.units[canary], capped(j.assignment.logE()), 1 / mismatchError, j.assignment.mismatch}
	}
	for _, s := range j.budget {
		if s.title() != RestartsName {
			r.Signals = append(r.Signals, j.signalReport(s))
		}
	}
	j.foresee(&r)
	return r
}

func (j *Judge) signalReport(s weighed) SignalReport {
	r := SignalReport{Name: s.title(), Protected: s.demanded(j.mirrored()), Harm: capped(s.harmful()), HarmShare: s.share}
	s.report(&r)
	r.Safety.Needed = 1 / j.config.Beta
	return r
}
