// Package client is the control API as a Go program sees it: the JSON types and
// a typed client. The server in package api speaks the same types.
//
// The server answers on a TCP address with a bearer token, and on the Unix socket
// control.sock in its state directory with the caller's peer credentials. Errors
// are RFC 9457 problems, which the client returns as *fairlead.Error.
package client

import (
	"encoding/json"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// Version is the answer of GET /v1/version.
type Version struct {
	Version string    `json:"version"`
	Go      string    `json:"go"`
	Term    uint64    `json:"term"` // of this start of the control plane
	Started time.Time `json:"started"`
	Pid     int       `json:"pid"`
	Gateway string    `json:"gateway"` // address that takes the applications' traffic, host:port
	API     string    `json:"api"`     // address of this API, host:port
	State   string    `json:"state"`   // state directory
	// Engine is where the container engine for images listens; none where there is none.
	Engine string `json:"engine,omitempty"`
	// ClockOff is by how many seconds the machine's clock is ahead of the time that
	// records go by; negative where it is behind.
	ClockOff float64 `json:"clockOff"`
}

// Deploy asks for a new release of an app and for its way into an environment.
// Posted to /v1/deploy. All files of Tree were uploaded before, or the App names
// a Git source and Tree is empty.
type Deploy struct {
	App  fairlead.App    `json:"app"`
	Tree fairlead.Digest `json:"tree,omitempty"` // of the artifact's manifest
	Env  string          `json:"env,omitempty"`  // default: the first environment of the file
}

// DeployStep is one line of the answer to a Deploy posted to /v1/deploy/progress:
// how far it is, and in the last line what became of it.
type DeployStep struct {
	Progress *fairlead.Progress `json:"progress,omitempty"`
	Deployed *Deployed          `json:"deployed,omitempty"`
	Problem  *Problem           `json:"problem,omitempty"`
}

// Deployed is what became of a Deploy, a Promote or a Rollback.
type Deployed struct {
	Release Release `json:"release"`
	Rollout Rollout `json:"rollout"`
	Created bool    `json:"created"` // false when the same content was a release already
}

// Release is a release for reading.
type Release struct {
	App     string            `json:"app"`
	Number  int               `json:"number"`
	Digest  fairlead.Digest   `json:"digest"`
	Created time.Time         `json:"created"`
	By      string            `json:"by"`
	Commit  *Commit           `json:"commit,omitempty"`
	Content fairlead.Content  `json:"content"`
	RunsAs  string            `json:"runsAs,omitempty"`  // who its containers run as, in words, where its image names somebody else
	Live    []string          `json:"live,omitempty"`    // environments where it is the stable release
	History map[string]string `json:"history,omitempty"` // environment -> outcome of its newest rollout there

	Rollouts []Took                 `json:"rollouts,omitempty"` // of it, oldest first
	Policy   []fairlead.Environment `json:"policy,omitempty"`   // what its file says of each environment; not in a list
}

// BuildLog returns the digest of the log of the release's build in the content store,
// or nothing where it had none.
func (r Release) BuildLog() fairlead.Digest {
	switch {
	case r.Content.Image != nil:
		return r.Content.Image.BuildLog
	case r.Commit != nil:
		return fairlead.Digest(r.Commit.BuildLog)
	}
	return ""
}

// Commit is where a release was built from.
type Commit struct {
	Repository string    `json:"repository"`
	Ref        string    `json:"ref"`
	Hash       string    `json:"hash"`
	Author     string    `json:"author"`
	Time       time.Time `json:"time"`
	Subject    string    `json:"subject"`
	BuildLog   string    `json:"buildLog,omitempty"` // digest of the log in the content store
}

// Promote asks for the way of an existing release into an environment.
// Posted to /v1/promote.
type Promote struct {
	App    string `json:"app"`
	Number int    `json:"number"`
	Env    string `json:"env"`
}

// Act is what a person asks of a site: posted to /v1/sites/{app}/{env}/{action},
// where action is rollback, pause, resume or abort.
type Act struct {
	Reason  string `json:"reason,omitempty"`
	Rollout string `json:"rollout,omitempty" doc:"the rollout that is meant: a conflict where another is the newest"`
	To      int    `json:"to,omitempty" doc:"of a rollback, the number of the release that it brings back: where that has the traffic already nothing is done, and another is a conflict"`
}

// App is one app in all its environments: GET /v1/apps/{app}, and in a list GET /v1/apps.
type App struct {
	Name   string `json:"name"`
	Newest int    `json:"newest"` // number of the newest release
	Sites  []Site `json:"sites"`  // in the file's order
}

// Site is one app in one environment.
type Site struct {
	App       string            `json:"app"`
	Env       string            `json:"env"`
	Host      string            `json:"host"`
	Path      string            `json:"path"`
	Stable    int               `json:"stable"`             // release number, 0 before the first
	Previous  int               `json:"previous,omitempty"` // what a rollback returns to
	Rollout   *Rollout          `json:"rollout,omitempty"`  // the newest, moving or ended
	Instances []workload.Status `json:"instances"`
	Wanted    map[int]int       `json:"wanted,omitempty"` // release number -> instances that it should have
	Seen      time.Time         `json:"seen,omitzero"`    // when the server looked, by the clock of its records
	Traffic   *Traffic          `json:"traffic,omitempty"`
	Loosened  []Loosened        `json:"loosened,omitempty"` // releases with traffic, or on their way to it, whose containers may do more than the default
	Over      []Volume          `json:"over,omitempty"`     // volumes that hold more than their size
	Needs     string            `json:"needs,omitempty"`    // what a person must do, and who, such as "an operator must resume or abort: inconclusive"; empty when nobody must act
}

// Loosened is what a release's containers may do beyond the default.
type Loosened struct {
	Release int      `json:"release"`
	Allows  []string `json:"allows"` // in words, such as "they run as root"
}

// Traffic is what the gateway saw of a site in the newest minute, both releases together.
type Traffic struct {
	OverSecs  float64 `json:"overSeconds"`
	PerSecond float64 `json:"perSecond"` // requests
	Failed    float64 `json:"failed"`    // share of them
	P50       float64 `json:"p50"`       // latency in milliseconds
	P99       float64 `json:"p99"`
}

// Outcome is how a rollout ended, or "" while it moves.
type Outcome string

// The outcomes.
const (
	Promoted   Outcome = "promoted"
	RolledBack Outcome = "rolledBack"
	Failed     Outcome = "failed"  // it never took traffic: a gate, a start or a crash loop stopped it
	Aborted    Outcome = "aborted" // a person stopped it
)

// Rollout is a release entering an environment.
type Rollout struct {
	ID           string            `json:"id"`
	App          string            `json:"app"`
	Env          string            `json:"env"`
	Kind         string            `json:"kind"` // release, or rollback: the way back of one that had the traffic before
	From         int               `json:"from"` // release number, 0 for the first
	To           int               `json:"to"`
	Phase        string            `json:"phase"` // gating, clearing, starting, stepping, watching, returning, ended
	Outcome      Outcome           `json:"outcome,omitempty"`
	Held         string            `json:"held,omitempty"`     // why it does not go on by itself, such as "inconclusive" or "paused"
	Reason       string            `json:"reason,omitempty"`   // the newest decision in a sentence; once traffic goes back, why
	Step         int               `json:"step"`               // from 1; 0 before the first
	Weights      []fairlead.Weight `json:"weights"`            // of all steps
	Weight       fairlead.Weight   `json:"weight"`             // share of the new release now
	Shifting     bool              `json:"shifting,omitempty"` // Weight is decided, and in force at the gateway in a moment
	Queued       bool              `json:"queued,omitempty"`   // nobody serves: requests wait while one release takes the place of another
	Waiting      int               `json:"waiting,omitempty"`  // how many do
	Verdict      fairlead.Verdict  `json:"verdict"`
	Evidence     json.RawMessage   `json:"evidence,omitempty"`    // the judge's report
	LeftSecs     *float64          `json:"leftSeconds,omitempty"` // expected time to the next verdict
	Waits        string            `json:"waitsFor,omitempty"`    // what holds the step up, such as "quality: safety E = 3 of 20"
	Guards       []Guard           `json:"guards,omitempty"`      // thresholds that are looked at now
	Stable       Arm               `json:"stable"`
	Canary       Arm               `json:"canary"`
	Started      time.Time         `json:"started"`
	StepBegan    time.Time         `json:"stepBegan,omitzero"`
	FirstTraffic time.Time         `json:"firstTraffic,omitzero"`
	Decided      time.Time         `json:"decided,omitzero"` // when the outcome was decided
	Story        []string          `json:"story"`            // what happened, in sentences, oldest first
	Told         []time.Time       `json:"told"`             // when each sentence of the story was
	Headline     string            `json:"headline"`         // the whole story in one sentence, with its figures
	Hurt         uint64            `json:"hurt"`             // requests that failed on the new release
	Strategy     string            `json:"strategy"`         // canary, blueGreen, rolling or replace
	Policy       fairlead.Strategy `json:"policy"`           // what the release must prove, and when
	Gates        []Gate            `json:"gates,omitempty"`
	Can          []string          `json:"can,omitempty"`         // actions that are possible now: pause, resume, abort, rollback
	Would        map[string]string `json:"would,omitempty"`       // what each of them would do, in sentences
	NeedsReason  []string          `json:"needsReason,omitempty"` // those that are taken only with a reason
	BackTo       int               `json:"backTo,omitempty"`      // release number that a rollback, where it is possible, gives the traffic to
}

// Gate is a precondition of a rollout with its evidence.
type Gate struct {
	Name    string          `json:"name"`
	State   string          `json:"state"` // waiting, running, passed, failed or expired
	Detail  string          `json:"detail,omitempty"`
	Digest  fairlead.Digest `json:"digest,omitempty"` // of the release that it proved
	Began   time.Time       `json:"began,omitzero"`
	Ended   time.Time       `json:"ended,omitzero"`
	Expires time.Time       `json:"expires,omitzero"` // of the evidence; zero for never
	Entry   *uint64         `json:"entry,omitempty"`  // the ledger entry that holds the evidence
}

// Guard is a threshold on a number, and what the newest look showed. It has no stated
// error.
type Guard struct {
	Name      string   `json:"name"`
	Value     *float64 `json:"value,omitempty"`
	Min       *float64 `json:"min,omitempty"` // least value that is good
	Max       *float64 `json:"max,omitempty"` // greatest value that is good
	Bad       int      `json:"bad,omitempty"` // looks in a row whose value was out of bounds
	Blind     string   `json:"blind,omitempty"`
	Waived    bool     `json:"waived,omitempty"` // a person let the rollout go on past it
	Guarantee bool     `json:"guarantee"`        // always false: it is a plain threshold
	Text      string   `json:"text"`
}

// Arm is what one release showed since the rollout's first traffic.
type Arm struct {
	Requests uint64 `json:"requests"`
	Units    uint64 `json:"units"`
	Failed   uint64 `json:"failed"` // requests
}

// Explanation is GET /v1/sites/{app}/{env}/explain: why the site is where it is.
type Explanation struct {
	Site      Site     `json:"site"`
	Sentences []string `json:"sentences"`
}

// Event is a ledger entry for reading: a line of GET /v1/events?after=N&follow=true (NDJSON).
type Event struct {
	Seq       uint64          `json:"seq"`
	Time      time.Time       `json:"time"`
	Kind      string          `json:"kind"`
	App       string          `json:"app,omitempty"`
	Env       string          `json:"env,omitempty"`
	Principal string          `json:"principal"`
	Text      string          `json:"text"` // in a sentence
	Data      json.RawMessage `json:"data,omitempty"`
}

// Secret is one version of a secret, without its value.
type Secret struct {
	Env     string    `json:"env"`
	Name    string    `json:"name"`
	Version int       `json:"version"`
	Created time.Time `json:"created"`
}

// SecretValue is PUT to /v1/secrets/{env}/{name}. With Rotate the secret must exist.
type SecretValue struct {
	Value  []byte `json:"value"`
	Rotate bool   `json:"rotate,omitempty"`
}

// Signals is posted to /v1/signals: one value, or several under Reports.
type Signals struct {
	Trace   string         `json:"trace,omitempty" maxLength:"200" doc:"the request's or answer's header Fairlead-Trace"`
	Signal  string         `json:"signal,omitempty" maxLength:"100" doc:"a signal that the app's file declares"`
	Value   *float64       `json:"value,omitempty"`
	Reports []SignalReport `json:"reports,omitempty" doc:"up to 1000 values at once, instead of one"`
}

// SignalReport is a value of one request.
type SignalReport struct {
	Trace  string  `json:"trace" maxLength:"200"`
	Signal string  `json:"signal" maxLength:"100"`
	Value  float64 `json:"value"`
}

// SignalsTaken is the answer to Signals. What was taken is recorded.
type SignalsTaken struct {
	Taken    int             `json:"taken"`
	Repeated int             `json:"repeated,omitempty"` // that have a value already, which stays
	Refused  []SignalRefused `json:"refused,omitempty"`
}

// SignalRefused says why a value of several is not taken.
type SignalRefused struct {
	Index  int           `json:"index"` // in Reports, from 0
	Code   fairlead.Code `json:"code"`
	Detail string        `json:"detail"`
	Hint   string        `json:"hint,omitempty"`
}

// NewToken asks for a token: posted to /v1/tokens.
type NewToken struct {
	Name string        `json:"name" maxLength:"40" doc:"of the program that will hold it"`
	Role fairlead.Role `json:"role" doc:"what it may do: reporter or viewer"`
}

// Token is a token that a program acts by, without itself.
type Token struct {
	Name    string        `json:"name"`
	Role    fairlead.Role `json:"role"`
	Created time.Time     `json:"created"`
	By      string        `json:"by"`
}

// MadeToken is a new token with its text, which nobody can read again.
type MadeToken struct {
	Token
	Text string `json:"token"`
}
