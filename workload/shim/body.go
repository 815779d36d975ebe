package shim

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/fairlead/fairlead/workload"
)

// Kind makes bodies of one kind: sandboxed processes, or containers. It is used by
// the control plane's process and by shims, and is safe for concurrent use.
type Kind interface {
	// Check refuses an instance that this kind can never run, with code invalid. It
	// asks nobody: whether it can be run now is found by Open.
	Check(workload.Spec) error
	// CheckJob is Check for a job.
	CheckJob(workload.Job) error
	// Open makes a body in which nothing runs yet. One that cannot be had as it must
	// be is a *Refusal. It writes what the body will have outside of plan.Home into
	// plan.Home before it makes it, and leaves nothing behind when it fails.
	Open(ctx context.Context, plan Plan) (Body, error)
	// Clear removes what the dead owner of a body left outside of home, the directory
	// that Open wrote to. A home in which this kind made nothing is no error.
	Clear(ctx context.Context, home string) error
}

// Sweeper is a Kind that can also look for what nobody's home explains, such as what
// was made while the disk was lost.
type Sweeper interface {
	// Sweep removes what bodies of this kind below root left elsewhere and no home in
	// root has a note of.
	Sweep(ctx context.Context, root string) error
}

// Body is what an instance's app or a job's command lives in. Its methods are for
// one goroutine, but for Dial.
type Body interface {
	// Events returns what happens to the app, until the body is gone: then it is closed.
	Events() <-chan Event
	// Start starts the app; an event Started, Refused or Exited follows. It may be
	// called again after an event Exited.
	Start() error
	// Signal sends the app a signal.
	Signal(syscall.Signal) error
	// Kill kills the app and all that it started; an event Exited follows.
	Kill() error
	// Address is what a gateway dials, and Dial dials it: "pass:" and the path of a
	// socket that hands out connections, or "tcp:" and host:port.
	Address() string
	// Dial connects to the app.
	Dial(ctx context.Context) (net.Conn, error)
	// OOMKills counts its processes that were killed for memory. It may be called
	// after Close.
	OOMKills() int
	// Close ends all that runs in the body, and removes all that Open made. What
	// could not be removed is its error. Nothing else may be called at once.
	Close() error
}

// Plan is what a body is made from: an Instance or a Job.
type Plan struct {
	Home     string // the body's own directory, absolute
	Program  string // this program, for helper processes
	Instance *workload.Spec
	Job      *workload.Job
	Secrets  workload.Secrets // the caller clears them after Open
	Out, Err *os.File         // ends of pipes for the app's streams, which stay the caller's
	Socket   string           // of an instance: where to listen for gateways, if the body hands out connections
	Plain    bool             // Config.Plain
}

// The kinds of events.
const (
	Started = "started" // the app runs, with Protections
	Failed  = "failed"  // the app could not be started, with Protections; Exited follows
	Refused = "refused" // the body is not started as it must be, with Protections
	Exited  = "exited"  // the app has ended
)

// Event is what happened to the app of a body.
type Event struct {
	Kind        string                `json:"kind"`
	Error       string                `json:"error,omitempty"`
	Protections []workload.Protection `json:"protections,omitempty"` // all that the body has
	Code        int                   `json:"code,omitempty"`        // exit status; -1 after a signal
	Signal      int                   `json:"signal,omitempty"`      // that ended it
	Blameless   bool                  `json:"blameless,omitempty"`   // something else ended it, such as the engine's own end
}

// reason says why the app ended, as people read it.
func (e Event) reason() string {
	switch {
	case e.Error != "":
		return e.Error
	case e.Signal != 0:
		return "signal: " + syscall.Signal(e.Signal).String()
	default:
		return fmt.Sprintf("exit status %d", e.Code)
	}
}

// Refusal is the error of a body that cannot be had as it must be.
type Refusal struct {
	Reason      string
	Protections []workload.Protection
}

// Error implements error.
func (r *Refusal) Error() string { return r.Reason }

// Kinds are the kinds of bodies there are. One that is nil cannot be had.
type Kinds struct {
	Sandbox   Kind // of directories
	Container Kind // of images
}
