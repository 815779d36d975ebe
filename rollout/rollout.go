// Package rollout takes a release into an environment: a step at a time, on
// evidence, and back when the evidence says so.
//
// The package decides and records; it never touches a process or a socket. What
// it decides is a pure function of recorded inputs: [Decide] takes the rollout,
// an [Input] and the judge's verdict, and returns the rollout after it. A
// [Machine] folds inputs in order, so that a crashed control plane, and
// [Replay], reach the same state from the same records. [Loop] carries decisions
// out through the consumer-owned interfaces [Fleet], [Traffic] and [Gates].
package rollout

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/fairlead/fairlead"
)

// Phase is where a rollout is.
type Phase string

// The phases, in order.
const (
	Gating    Phase = "gating"    // gates are being proven
	Clearing  Phase = "clearing"  // requests wait, and the old release's instances end: see [Rollout.Replaces]
	Starting  Phase = "starting"  // instances for the next weight are coming up
	Stepping  Phase = "stepping"  // a weight is being earned
	Watching  Phase = "watching"  // promoted; judging goes on through the rollback window
	Returning Phase = "returning" // traffic is going back to the old release
	Ended     Phase = "ended"
)

// Outcome is how a rollout was decided; empty until then. A promoted rollout can
// still become rolled back while it is watched.
type Outcome string

// The outcomes.
const (
	Promoted   Outcome = "promoted"
	RolledBack Outcome = "rolledBack"
	Failed     Outcome = "failed"  // it never took traffic
	Aborted    Outcome = "aborted" // a person stopped it
)

// Why a rollout is held: it does not advance, though harm still turns it back.
const (
	HeldPaused       = "paused"
	HeldInconclusive = "inconclusive"
	HeldLease        = "lease expired"
	HeldMachine      = "machine unable" // to start instances of a promoted release
	HeldMismatch     = "share mismatch" // the assignment is not as the weight says, and nobody has explained it
)

// Kind is why a rollout was begun.
type Kind string

// The kinds.
const (
	Forward Kind = "release"  // a release has to earn its traffic
	Back    Kind = "rollback" // a release that had the traffic gets it again at once
)

// Rollout is a release entering an environment. It is a state row of kind
// "rollout", keyed by its ID, written only by this package.
type Rollout struct {
	ID          string            `json:"id"`
	Site        fairlead.Site     `json:"site"`
	Kind        Kind              `json:"kind"`
	From        int               `json:"from"` // release that had the traffic, 0 for none
	To          int               `json:"to"`
	Digest      fairlead.Digest   `json:"digest"` // of To
	Strategy    fairlead.Strategy `json:"strategy"`
	Route       fairlead.Route    `json:"route"`       // once promoted
	Replicas    int               `json:"replicas"`    // of To
	OldRoute    fairlead.Route    `json:"oldRoute"`    // until then, and after a rollback
	OldReplicas int               `json:"oldReplicas"` // of From
	Salt        []byte            `json:"salt"`        // keys the assignment of units in this rollout

	Exclusive   bool         `json:"exclusive,omitempty"`   // instances of two releases must never run at once
	Replacement *Replacement `json:"replacement,omitempty"` // of one release by another, since requests waited for it

	Phase      Phase             `json:"phase"`
	Outcome    Outcome           `json:"outcome,omitempty"`
	Held       string            `json:"held,omitempty"`
	Waived     []string          `json:"waived,omitempty"` // guards that a person let it go on past
	Weights    []fairlead.Weight `json:"weights"`          // of the steps; the last is what a promotion gives
	Step       int               `json:"step"`             // from 1; 0 before the first
	Weight     fairlead.Weight   `json:"weight"`           // share of To, as ordered from the gateway
	Epoch      uint32            `json:"epoch"`            // grows with each change of weight
	Told       uint32            `json:"told,omitempty"`   // the newest epoch whose notes say that its evidence will not do
	Thresholds [3]float64        `json:"thresholds"`       // From's frozen p50, p90, p99 in milliseconds; 0 if it had too little traffic
	First      [3]float64        `json:"first,omitzero"`   // likewise, of the time to the first byte

	Amounts map[string][3]float64 `json:"amounts,omitempty"` // likewise, of reported amounts by signal; only of those with enough reports

	Began        time.Time `json:"began"`
	StepBegan    time.Time `json:"stepBegan,omitzero"`
	FirstTraffic time.Time `json:"firstTraffic,omitzero"`
	Decided      time.Time `json:"decided,omitzero"` // when the outcome was

	Notes    []Note           `json:"notes"`              // what happened, oldest first
	Verdict  fairlead.Verdict `json:"verdict"`            // at the newest decision
	Evidence json.RawMessage  `json:"evidence,omitempty"` // the judge's report at the newest decision
	Tally    Tally            `json:"tally"`              // at the newest decision
}

// Tally is what both arms showed since the first traffic.
type Tally struct {
	Stable ArmTally `json:"stable"`
	Canary ArmTally `json:"canary"`
}

// ArmTally counts one arm's requests.
type ArmTally struct {
	Requests uint64 `json:"requests"`
	Failed   uint64 `json:"failed"`
}

// Note is one sentence of a rollout's story.
type Note struct {
	Time time.Time       `json:"time"`
	Text string          `json:"text"`
	Why  fairlead.Sealed `json:"why,omitempty"` // a person's reason
}

// Because returns the note that says why r stands as it does: the newest one, or where
// its traffic went back what was decided then, for that it is back is no reason.
func (r Rollout) Because() (Note, bool) {
	if len(r.Notes) == 0 {
		return Note{}, false
	}
	if r.Outcome == RolledBack || r.Outcome == Aborted || r.Outcome == Failed && r.Replaces() {
		for _, note := range r.Notes {
			if note.Time.Equal(r.Decided) {
				return note, true
			}
		}
	}
	return r.Notes[len(r.Notes)-1], true
}

// Live is which release of an app has the traffic of an environment. It is a
// state row of kind "live", keyed by the site.
type Live struct {
	Site     fairlead.Site  `json:"site"`
	Route    fairlead.Route `json:"route"`
	Stable   int            `json:"stable"`             // 0 before the first release
	Previous int            `json:"previous,omitempty"` // what a rollback returns to
	Replicas int            `json:"replicas"`
	Rollout  string         `json:"rollout,omitempty"` // the newest rollout's id

	Exclusive bool `json:"exclusive,omitempty"` // instances of two releases must never run at once
}

// The kinds of this package's rows.
const (
	RolloutRow = "rollout"
	LiveRow    = "live"
	BeganRow   = "rolloutBegan" // a rollout that has not ended, as it began
	IntentRow  = "intent"
)

// Moving reports whether r still decides: it is neither ended nor only watched.
func (r Rollout) Moving() bool { return r.Phase != Ended && r.Phase != Watching }

// Final returns the weight that a promotion gives: all, less the holdback.
func (r Rollout) Final() fairlead.Weight { return r.Weights[len(r.Weights)-1] }

// Watched reports whether the old release keeps a share after promotion, so that
// judging has a control arm.
func (r Rollout) Watched() bool {
	return r.From > 0 && r.Kind == Forward && r.Strategy.RollbackWindow > 0
}

func row(kind, key string, value any) fairlead.Row {
	data, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("row %s %s of plain fields does not marshal: %v", kind, key, err)) // cannot happen
	}
	return fairlead.Row{Kind: kind, Key: key, Value: data}
}
