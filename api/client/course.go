package client

import (
	"time"

	"github.com/fairlead/fairlead"
)

// Course is a rollout's evidence over time, computed from its recorded inputs:
// GET /v1/rollouts/{id}/course. It is the same while the rollout moves and after.
type Course struct {
	Rollout  string       `json:"rollout"`
	Inputs   uint64       `json:"inputs"`   // recorded inputs that it covers
	Error    float64      `json:"error"`    // a band misses what it estimates, at any time, with at most this probability
	EachSecs float64      `json:"eachSecs"` // of a sample; doubles as the course grows long
	Needed   CourseNeeded `json:"needed"`
	Samples  []Sample     `json:"samples"` // oldest first, at most 240
	Marks    []CourseMark `json:"marks"`   // decisions, oldest first
}

// CourseNeeded holds the e-values at which a verdict falls.
type CourseNeeded struct {
	Harm   float64 `json:"harm"`
	Safety float64 `json:"safety"`
}

// CourseMark is a decision on the way.
type CourseMark struct {
	At   time.Time `json:"at"`
	Kind string    `json:"kind"` // of its ledger entry, such as "rollout.advanced"
	Text string    `json:"text"`
}

// Sample is what a while of the course showed.
type Sample struct {
	At      time.Time               `json:"at"`              // its end
	Weight  fairlead.Weight         `json:"weight"`          // share of the new release that was ordered
	Share   *Band                   `json:"share,omitempty"` // of the units that were on it, so far in this epoch
	Stable  ArmSample               `json:"stable"`
	Canary  ArmSample               `json:"canary"`
	Harm    float64                 `json:"harm"`              // e-value, of the whole rollout
	Safety  float64                 `json:"safety"`            // e-value of the least protected signal, of this step
	Signals map[string]SignalSample `json:"signals,omitempty"` // by the signal's name
}

// SignalSample is one signal's evidence at a sample's end.
type SignalSample struct {
	Harm   float64 `json:"harm"`
	Safety float64 `json:"safety"`
}

// ArmSample is what one release showed.
type ArmSample struct {
	Requests uint32   `json:"requests"`           // in the sample
	Failed   uint32   `json:"failed"`             // in the sample
	Failures *Band    `json:"failures,omitempty"` // share of the units that failed, so far
	Latency  *[3]Band `json:"latency,omitempty"`  // p50, p90, p99 in milliseconds of the requests so far
	First    *[3]Band `json:"first,omitempty"`    // likewise, of the time to the first byte
}

// Band is an estimate with an interval that holds at all times at once.
type Band struct {
	Estimate float64 `json:"estimate"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
}
