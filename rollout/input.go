package rollout

import (
	"time"

	"github.com/fairlead/fairlead"
)

// Input is all that a decision may depend on besides the rollout itself. Inputs
// that matter are recorded as facts of the rollout, in order, before what they
// decide is done. Their one personal field, Why, is sealed and decides nothing.
type Input struct {
	Now     time.Time             `json:"now"`
	Blocks  []fairlead.Block      `json:"blocks,omitempty"` // new ones of this rollout
	New     Group                 `json:"new"`              // instances of the new release
	Old     Group                 `json:"old"`              // instances of the old one
	Ends    map[string]int        `json:"ends,omitempty"`   // how often instances of the site ended by themselves, in this rollout or before it; zeroes are left out
	Gates   GateState             `json:"gates"`
	Frozen  [3]float64            `json:"frozen"`            // the old release's p50, p90, p99 of the last minutes, in milliseconds
	First   [3]float64            `json:"first,omitzero"`    // likewise, of the time to the first byte
	Amounts map[string][3]float64 `json:"amounts,omitempty"` // likewise, of reported amounts by signal
	Reports []fairlead.LateReport `json:"reports,omitempty"` // that came since the input before
	Guards  []GuardState          `json:"guards,omitempty"`  // what the newest looks said, one for each guard of the strategy
	Expired bool                  `json:"expired,omitempty"` // the gateway reports that the split's lease ran out
	Fallen  fairlead.Weight       `json:"fallen,omitempty"`  // the weight that it went to then
	Applied uint32                `json:"applied,omitempty"` // newest epoch of this rollout that the gateway has in force
	Cleared bool                  `json:"cleared,omitempty"` // nothing but instances of the new release can run at the site; of one that replaces another
	Lately  *Own                  `json:"lately,omitempty"`  // what the release showed that has all traffic; likewise
	Waiting int                   `json:"-"`                 // requests that wait at the gateway: for reading only
	Command Command               `json:"command,omitempty"` // of a person
	Why     fairlead.Sealed       `json:"why,omitempty"`     // the command's reason, in the person's words
}

// Group is what is known of one release's instances at a site. Totals count from
// the beginning of the rollout.
type Group struct {
	Ready    int     `json:"ready"`
	Restarts int     `json:"restarts,omitempty"` // total, OOM kills among them
	Seconds  float64 `json:"seconds,omitempty"`  // total replica-seconds
	Broken   string  `json:"broken,omitempty"`   // why an instance will never serve, such as a crash loop
	Unable   string  `json:"unable,omitempty"`   // why the machine can start none of its instances, which is no fault of the release
	OOMKills int     `json:"oomKills,omitempty"` // of the restarts: how often instances were killed for memory
	Unready  float64 `json:"unready,omitempty"`  // of the seconds: those in which an instance that had been ready was not
	Falls    []Fall  `json:"falls,omitempty"`    // how instances ended by themselves
	Limit    string  `json:"limit,omitempty"`    // of one instance's memory, where one was killed for it
}

// GateState is what the gates say of the release in the environment.
type GateState struct {
	Satisfied bool      `json:"satisfied,omitempty"`
	Until     time.Time `json:"until,omitzero"`   // when the first evidence expires; zero for never
	Failed    string    `json:"failed,omitempty"` // which gate failed and how
	Proven    int       `json:"proven,omitempty"` // how many gates hold; 0 where the release has none, or from before that was counted
}

// GuardState is what the looks at a guard's number said so far.
type GuardState struct {
	Name   string   `json:"name"`
	Value  *float64 `json:"value,omitempty"`  // of the newest look, if it got one
	Bad    int      `json:"bad,omitempty"`    // consecutive looks up to now whose value was out of bounds
	Blind  string   `json:"blind,omitempty"`  // why the newest look got no value
	Unseen int      `json:"unseen,omitempty"` // consecutive looks up to now without a value
}

// holds reports whether every gate holds evidence that is fresh at now.
func (g GateState) holds(now time.Time) bool {
	return g.Satisfied && (g.Until.IsZero() || now.Before(g.Until))
}

// Command is what a person asks of a rollout.
type Command string

// The commands.
const (
	Pause     Command = "pause"     // do not advance
	Resume    Command = "resume"    // advance again on evidence
	Abort     Command = "abort"     // go back; the outcome is aborted
	Rollback  Command = "rollback"  // go back; the outcome is rolled back
	Supersede Command = "supersede" // a newer release ends the watch
)
