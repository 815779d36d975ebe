package client

import (
	"encoding/json"

	"github.com/fairlead/fairlead"
)

// Report is the judge's evidence of a rollout, what [Rollout.Evidence] holds.
type Report struct {
	Verdict  fairlead.Verdict `json:"verdict"`
	Epoch    uint32           `json:"epoch"`
	Weight   fairlead.Weight  `json:"weight"`
	Harm     EValue           `json:"harm"`               // the average over signals, of the whole rollout
	Safety   EValue           `json:"safety"`             // the least protected signal's, of this step
	Expected *float64         `json:"expected,omitempty"` // seconds until a verdict, if it goes on as now
	Forecast Forecast         `json:"forecast"`           // of this step's proof of safety
	Blocked  string           `json:"blocked,omitempty"`  // why safe cannot be concluded whatever the evidence
	Afresh   string           `json:"afresh,omitempty"`   // why safety is proven afresh in this step
	Gaps     int              `json:"gaps,omitempty"`     // losses of blocks or outcomes
	Waiting  int              `json:"waiting"`            // seconds of traffic whose outcomes are not all known
	Shared   bool             `json:"shared,omitempty"`   // both releases fail far more than before
	Share    ShareCheck       `json:"share"`
	Stable   FailedBy         `json:"stable"`
	Canary   FailedBy         `json:"canary"`
	Signals  []SignalEvidence `json:"signals"` // those that are judged, but restarts
	Restarts Restarts         `json:"restarts"`
	Ignored  Ignored          `json:"ignored,omitzero"` // reports that were no evidence
}

// EValue is an e-value and the threshold it must reach.
type EValue struct {
	E      float64 `json:"e"`
	Needed float64 `json:"needed"`
}

// Forecast says when a step is proven safe, if it goes on as now.
type Forecast struct {
	Seconds  *float64 `json:"seconds,omitempty"`
	Signal   string   `json:"signal,omitempty"` // whose proof takes longest
	Units    float64  `json:"units"`            // that come in a second
	Requests float64  `json:"requests"`         // likewise
}

// ShareCheck says whether the new release's share of the units fits its weight.
type ShareCheck struct {
	StableUnits int     `json:"stableUnits"` // distinct, in this epoch
	CanaryUnits int     `json:"canaryUnits"`
	E           float64 `json:"e"` // against the weight
	Needed      float64 `json:"needed"`
	Mismatch    bool    `json:"mismatch,omitempty"`
}

// FailedBy counts requests since the rollout began.
type FailedBy struct {
	Requests uint64            `json:"requests"`
	Failed   map[string]uint64 `json:"failed"` // by class: 5xx, timeout, reset, declared
}

// SignalEvidence is the evidence of one signal.
type SignalEvidence struct {
	Name       string     `json:"name"`
	Kind       string     `json:"kind,omitempty"`     // of a reported signal
	Mirrored   bool       `json:"mirrored,omitempty"` // it compares two answers to one request
	Protected  bool       `json:"protected"`          // this step must prove that it is not harmed
	Stable     SignalArm  `json:"stable"`
	Canary     SignalArm  `json:"canary"`
	OddsRatio  *Interval  `json:"oddsRatio,omitempty"`  // new to old
	Difference *Interval  `json:"difference,omitempty"` // of scores: the new mean less the old one
	Preferred  *Interval  `json:"preferred,omitempty"`  // of pairs: how often the new answer is the better one, where one is
	Harm       float64    `json:"harm"`                 // e-value
	HarmShare  float64    `json:"harmShare"`            // its share in the average that is evidence of harm
	Safety     SafetyPart `json:"safety"`
	Expected   *float64   `json:"expected,omitempty"` // seconds until it is proven safe in this step
}

// SignalArm counts one release's units since the rollout began.
type SignalArm struct {
	AtRisk int      `json:"atRisk"` // units at risk, or with a report; of pairs, mirrored requests
	Hit    int      `json:"hit"`    // those that hit the signal
	Rate   float64  `json:"rate"`
	Mean   *float64 `json:"mean,omitempty"` // of scores and amounts
}

// Interval is an estimate with an interval that holds at all times at once: it misses
// the truth, at any time, with probability at most Error.
type Interval struct {
	Estimate float64 `json:"estimate"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	LowOpen  bool    `json:"lowOpen,omitempty"`  // it may be below Low
	HighOpen bool    `json:"highOpen,omitempty"` // it may be above High
	Error    float64 `json:"error"`
}

// SafetyPart is a signal's evidence of safety in this step.
type SafetyPart struct {
	E        float64 `json:"e"`
	Ratio    float64 `json:"ratio"`    // against the margin's odds ratio
	Absolute float64 `json:"absolute"` // against the margin's difference
	Needed   float64 `json:"needed"`
}

// Restarts is the evidence of restarts and OOM kills.
type Restarts struct {
	Stable ArmRestarts `json:"stable"`
	Canary ArmRestarts `json:"canary"`
	Harm   float64     `json:"harm"` // e-value
}

// ArmRestarts counts one release's restarts.
type ArmRestarts struct {
	Restarts       int     `json:"restarts"`
	OOMKills       int     `json:"oomKills,omitempty"`
	ReplicaSeconds float64 `json:"replicaSeconds"`
}

// Ignored counts reports that were no evidence.
type Ignored struct {
	Undeclared int `json:"undeclared,omitempty"` // the file does not declare their signal
	Invalid    int `json:"invalid,omitempty"`    // their value is out of range
	Other      int `json:"other,omitempty"`      // of other traffic
}

// Report returns the judge's evidence; false where there is none.
func (r Rollout) Report() (Report, bool) {
	var report Report
	if len(r.Evidence) == 0 || string(r.Evidence) == "null" || json.Unmarshal(r.Evidence, &report) != nil {
		return Report{}, false
	}
	return report, true
}
