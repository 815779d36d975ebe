// Package corpus is the release fault corpus: simulated traffic of an application
// while a new release enters it, with a fault that is known, so that ways of judging
// a canary can be compared.
//
// A [Cell] is one situation: traffic, and what is wrong with the new release, if
// anything. A [World] is one seeded run of a cell. Each request of a world has two
// potential outcomes, one on each release, fixed by the seed. So every judge meets
// the same users with the same luck; only the weight that it chose before a
// request's arrival says which of both outcomes happens. A unit (a session, or a
// request where traffic is not sticky) is on the new release if and only if its
// hash is below the weight.
//
// A judge is an implementation of [Judge]; a [Rule] names one and makes it afresh
// for each run. Nothing here is safe for concurrent use unless it says so.
package corpus

import "time"

// Outcome is how a request ended.
type Outcome uint8

// The outcomes.
const (
	OK          Outcome = iota
	ServerError         // the instance answered 5xx
	Timeout             // the deadline passed
	Reset               // the connection broke before the answer ended
	outcomes
)

// String returns the outcome's name in the written format.
func (o Outcome) String() string { return [...]string{"ok", "5xx", "timeout", "reset"}[o] }

// Request is one request as a judge sees it. Durations of time count from the
// beginning of the rollout; what came before it is negative.
type Request struct {
	At       time.Duration // arrival
	Latency  time.Duration // from arrival to the last byte, or to the deadline
	First    time.Duration // from arrival to the first byte; the latency where there was none
	Unit     uint64        // hash of the unit of assignment: the session, or the request itself
	Number   uint32        // of the request in its world, from 0 in order of arrival
	Tenant   uint16        // from 0
	Instance uint8         // of its release, from 0
	Route    uint8         // from 0
	Canary   bool          // the new release got it
	Outcome  Outcome
	Wrong    bool    // the application or a grader reported that the answer is bad; only where Start.Reports
	Refused  bool    // reported: the answer is a refusal
	BadTool  bool    // reported: a tool call was malformed
	Tokens   uint32  // of the answer
	Cost     float32 // in cents
	Quality  float32 // a grader's mark in [0, 1]
}

// Failed reports whether the request's client saw an error.
func (r *Request) Failed() bool { return r.Outcome != OK }

// The arms, as indices.
const (
	Stable = iota
	Canary
)

// Instances is what an orchestrator says of one release's instances in a second.
type Instances struct {
	Wanted   int
	Ready    int  // whose readiness probe succeeds
	Restarts int  // in this second: exits by themselves, OOM kills among them
	Looping  bool // an instance waits for its next start after several crashes in a row, as in CrashLoopBackOff
}

// Second is what happened in one second. A judge must not keep its slices: they are
// used again.
type Second struct {
	Now       time.Duration // end of the second, since the beginning of the rollout
	Ended     []Request     // requests of both releases that ended in it, in order of their arrival
	Arrived   []Request     // that arrived in it, in order; without what is not known yet: latency, first byte, outcome, and all that is reported. Only if Rule.Live
	Begun     []Request     // whose first byte came in it, in order of arrival; with First but without what is not known yet. Only if Rule.Live
	Instances [2]Instances  // by arm
}

// State is what became of a rollout.
type State uint8

// The states.
const (
	Running    State = iota
	Promoted         // the new release has the traffic; the judge may still watch, and roll back
	RolledBack       // for good; the judge is not called again
	Finished         // promoted for good; the judge is not called again
)

// Decision is what a judge wants from the next second on.
type Decision struct {
	Weight float64 // share of units that the new release gets, 0 to 1
	State  State
	Why    string // for people; only when the state changes
}

// Judge is one way of deciding about one rollout. Second is called once for each
// second in order, beginning with second 1, and returns what holds from then on; a
// judge that looks less often says the same until its next look. Before the first
// call the weight is 0 and the first instance of the new release is ready (unless
// the fault is that it never is); further ones are ready when the weight needs them.
type Judge interface {
	Second(s *Second) Decision
}

// Start is what a judge knows when a rollout begins.
type Start struct {
	History  []Request     // of the old release in the 10 minutes before, in order of arrival; shared, read only
	Deadline time.Duration // of a request
	Reports  bool          // the application reports Wrong, Refused, BadTool, Quality and Cost of each answer
	Replicas int           // instances that a release has at full weight; a canary has its share, rounded up
	Streams  bool          // answers are streams: their first byte comes long before their end
	Sticky   bool          // units are sessions of several requests
	Seed     uint64        // for judges that toss coins
}

// Rule is a way of judging that takes part in the comparison.
type Rule struct {
	Name    string            // such as flagger/tutorial: peer and setting
	Source  string            // where the rule is stated
	Version string            // changes whenever its decisions may change; results of another version are run again
	Live    bool              // it needs Second.Arrived and Second.Begun
	New     func(Start) Judge // safe for concurrent use
}
