// Package workload is the contract for running instances of a release: what an
// instance is given, what is known of it, and what a [Runtime] must do.
//
// A runtime outlives the control plane: instances go on, are restarted and
// probed without it, and are found again by List. Commands are idempotent by
// instance id and carry an order; an order that is not newer than the newest
// one taken is refused with code conflict. workloadtest holds the suite that
// every runtime passes.
package workload

import (
	"context"
	"io"
	"time"

	"github.com/fairlead/fairlead"
)

// Spec is all that one instance needs. It is immutable: a different spec is a
// different instance with another ID.
type Spec struct {
	ID        string             `json:"id"` // unique for ever, at most 80 bytes of [a-z0-9-]
	Site      fairlead.Site      `json:"site"`
	Release   int                `json:"release"`
	Digest    fairlead.Digest    `json:"digest"`          // the release's
	Dir       string             `json:"dir,omitempty"`   // the materialised artifact, absolute, read-only; or
	Image     *Image             `json:"image,omitempty"` // what a container is made of
	Command   []string           `json:"command"`
	Env       map[string]string  `json:"env,omitempty"`
	Port      int                `json:"port"` // in the instance's own network
	Readiness fairlead.Check     `json:"readiness"`
	Health    *fairlead.Check    `json:"health,omitempty"`
	Resources fairlead.Resources `json:"resources"`
	Network   fairlead.Network   `json:"network"`
	Volumes   []Volume           `json:"volumes,omitempty"`
	Devices   []Device           `json:"devices,omitempty"`
	Loosen    *fairlead.Loosen   `json:"loosen,omitempty"` // of a container
	Sandbox   string             `json:"sandbox"`          // fairlead.SandboxRequired or SandboxPreferred
	Ordered   time.Time          `json:"ordered,omitzero"` // by the clock of who starts it; the status says it as Started
}

// Secrets are files by name. They are handed to Start apart from the Spec so that
// they never reach a disk, an argument or the environment.
type Secrets map[string][]byte

// State is where an instance is in its life.
type State string

// The states. Only Ready takes traffic.
const (
	Starting  State = "starting"
	Ready     State = "ready"
	Unready   State = "unready"   // it was ready and its readiness check fails
	Backoff   State = "backoff"   // it ended by itself and waits for its next start
	CrashLoop State = "crashLoop" // it ended by itself too often; it is not started again
	Refused   State = "refused"   // the sandbox that its environment requires cannot be had
	Stopping  State = "stopping"
	Exited    State = "exited" // stopped on request, or its shim died
)

// Over reports whether an instance in state s will never serve again.
func (s State) Over() bool { return s == CrashLoop || s == Refused || s == Exited }

// Protection is one means of isolation and whether a start really had it.
type Protection struct {
	Name     string `json:"name"` // such as "landlock"
	Enforced bool   `json:"enforced"`
	Detail   string `json:"detail,omitempty"` // such as "ABI 7", or why it is missing
}

// Status is what is known of an instance.
type Status struct {
	ID          string          `json:"id"`
	Site        fairlead.Site   `json:"site"`
	Release     int             `json:"release"`
	Digest      fairlead.Digest `json:"digest"`
	State       State           `json:"state"`
	Address     string          `json:"address"` // what a gateway dials, see Dial in the runtime
	Restarts    int             `json:"restarts"`
	OOMKills    int             `json:"oomKills,omitempty"`
	LastExit    string          `json:"lastExit,omitempty"` // why it ended last, such as "exit status 1"
	Started     time.Time       `json:"started"`            // of the instance, not of its last restart; Spec.Ordered where it is given
	ReadySince  time.Time       `json:"readySince,omitzero"`
	Protections []Protection    `json:"protections,omitempty"`
	Leave       string          `json:"leave,omitempty"` // why another must take its place though it runs, such as that its GPU failed; no runtime says it by itself
}

// LogOptions choose log lines.
type LogOptions struct {
	Tail   int  // newest lines to begin with; 0 means all that are kept
	Follow bool // go on until the context ends or the instance does
}

// Runtime runs instances.
type Runtime interface {
	// Start starts an instance, or does nothing if it was started before. It returns
	// when the instance is supervised, before it is ready.
	Start(ctx context.Context, order fairlead.Order, spec Spec, secrets Secrets) error
	// Stop sends SIGTERM and, after grace, SIGKILL, and returns when the instance has
	// ended. Stopping one that has ended or never was is no error.
	Stop(ctx context.Context, order fairlead.Order, id string, grace time.Duration) error
	// Remove forgets an instance that has ended, with its files and logs.
	Remove(ctx context.Context, order fairlead.Order, id string) error
	// List returns all instances that were not removed, sorted by ID.
	List(ctx context.Context) ([]Status, error)
	// Logs writes an instance's log to w, a line each: time, stream, text.
	Logs(ctx context.Context, id string, options LogOptions, w io.Writer) error
}

// Job is a command that runs once in the same sandbox as an instance: a gate or a
// build.
type Job struct {
	ID        string             `json:"id"`
	Dir       string             `json:"dir,omitempty"`   // absolute; of a container: what it sees as its working directory, or nothing
	Image     *Image             `json:"image,omitempty"` // what a container is made of, instead of the machine's files
	Writable  bool               `json:"writable"`        // may it write to Dir (a build) or not (a gate)
	Command   []string           `json:"command"`
	Env       map[string]string  `json:"env,omitempty"`
	Timeout   time.Duration      `json:"timeout"`
	Resources fairlead.Resources `json:"resources"`
	Network   fairlead.Network   `json:"network"`
	Sandbox   string             `json:"sandbox"`
}

// JobResult is how a job ended.
type JobResult struct {
	ExitCode    int           `json:"exitCode"` // -1 when it was killed
	TimedOut    bool          `json:"timedOut,omitempty"`
	Took        time.Duration `json:"took"`
	Output      []byte        `json:"-"` // both streams, the last 1 MiB
	Protections []Protection  `json:"protections"`
}

// JobRunner runs jobs. An error means that the job could not be run, not that it
// failed.
type JobRunner interface {
	RunJob(ctx context.Context, job Job) (JobResult, error)
}
