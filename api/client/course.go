package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/fairlead/fairlead"
)

// Course is a rollout's evidence over time, computed from its recorded inputs:
// GET /v1/rollouts/{id}/course. It is the same while the rollout moves and after.
//
// Its samples follow each other without a gap from the first traffic on; before it
// there are none. All are of the same length, but where a decision divides the newest
// one. Requests stand in the sample in which they arrived, and their failures too, so
// that those of the newest seconds still come.
type Course struct {
	Rollout  string       `json:"rollout"`
	Inputs   uint64       `json:"inputs"`            // recorded inputs that it covers
	Error    float64      `json:"error"`             // a band misses what it estimates, at any time, with at most this probability
	EachSecs float64      `json:"eachSecs"`          // of a sample; doubles as the course grows long; 0 without samples
	Needed   CourseNeeded `json:"needed"`            // 0 where nothing is judged
	Samples  []Sample     `json:"samples"`           // oldest first, at most 240
	Marks    []CourseMark `json:"marks"`             // the beginning and each decision, oldest first
	Differs  string       `json:"differs,omitempty"` // why it is not as the rollout was recorded, by another version of the program
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
	Text string    `json:"text"` // without the reason that a person gave
}

// Sample is what a while of the course showed. The newest one's evidence is the
// rollout's newest. An e-value that reached what is needed in the sample is the highest
// there, else the one at its end; 0 where nothing was judged.
type Sample struct {
	From    time.Time               `json:"from"`            // its beginning, and the end of the one before
	At      time.Time               `json:"at"`              // its end, of the newest one the newest input; may equal From
	Weight  fairlead.Weight         `json:"weight"`          // share of the new release that was ordered
	Share   *Band                   `json:"share,omitempty"` // of the units that were on it, so far in this epoch
	Stable  ArmSample               `json:"stable"`
	Canary  ArmSample               `json:"canary"`
	Harm    float64                 `json:"harm"`              // e-value, of the whole rollout
	Safety  float64                 `json:"safety"`            // e-value of the least protected signal, of this step
	Signals map[string]SignalSample `json:"signals,omitempty"` // by the signal's name; "restarts" among them
}

// SignalSample is one signal's evidence at a sample's end.
type SignalSample struct {
	Harm   float64 `json:"harm"`
	Safety float64 `json:"safety,omitempty"` // restarts have none
}

// ArmSample is what one release showed.
type ArmSample struct {
	Requests uint64   `json:"requests"`           // that arrived in the sample
	Failed   uint64   `json:"failed"`             // of them
	Failures *Band    `json:"failures,omitempty"` // share of the units at risk that failed, so far
	Latency  *[3]Band `json:"latency,omitempty"`  // p50, p90, p99 in milliseconds of the requests so far
	First    *[3]Band `json:"first,omitempty"`    // likewise, of the time to the first byte
}

// Band is an estimate with an interval that holds at all times at once.
type Band struct {
	Estimate float64 `json:"estimate"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	Open     bool    `json:"open,omitempty"` // nothing bounds it from above yet, and High is the highest that is told apart
}

// Course returns a rollout's evidence over time.
func (c *Client) Course(ctx context.Context, id string) (Course, error) {
	return call[Course](ctx, c, http.MethodGet, "/v1/rollouts/"+url.PathEscape(id)+"/course", nil)
}
