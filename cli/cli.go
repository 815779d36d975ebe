// Package cli is the command line as a face of Fairlead: it reads arguments,
// speaks to a control plane through api/client, and writes what it learns as text
// or JSON. It holds no rules of its own. What needs the server's own code, such as
// `up`, comes in through a [Wiring].
//
// Results go to standard output, everything else to standard error. [Run] never
// exits the process and has no globals, so that it can run many times in a test.
package cli

import (
	"context"
	"io"
	"log/slog"

	"github.com/fairlead/fairlead/workload"
)

// Std is what a command reads from and writes to.
type Std struct {
	In     io.Reader
	Out    io.Writer
	Err    io.Writer
	Getenv func(string) string
}

// Wiring is what package main lends to the commands that need more than the API.
// Every field must be set; a part that does not exist yet returns an error with
// code unsupported.
type Wiring struct {
	Version string // of this binary
	Up      func(context.Context, UpOptions) error
	Down    func(context.Context, DownOptions) (Ended, error)
	// AwaitEnd returns when a control plane that no longer answers has let go of
	// its state directory.
	AwaitEnd func(ctx context.Context, stateDir string) error
	Doctor   func(context.Context) (workload.Diagnosis, error)
	// ExamineEngine examines the container engine that listens at a socket, or where
	// none is named the one that is found. That there is none is no error.
	ExamineEngine func(ctx context.Context, socket string) (workload.EngineDiagnosis, error)
	Verify        func(context.Context, VerifyOptions) (Verification, error)
	Prove         func(ctx context.Context, stateDir string, seq uint64) (Proof, error)
	Replay        func(ctx context.Context, stateDir string) (Replay, error)
	Tour          func(context.Context, TourOptions, Std) error
}

// UpOptions is how `fairlead up` starts the control plane.
type UpOptions struct {
	State            string // state directory, absolute; made if it is not there
	Listen           string // address for the applications' traffic, host:port; port 0 takes a free one
	API              string // address of the control API, host:port
	Engine           string // where the container engine listens; default: where one is found
	DeviceRoot       string // where GPUs are looked for, absolute; "" for the machine's own files; tests have others
	AllowUnsandboxed bool   // start instances also where no mount namespace can be had
	Log              *slog.Logger
	// Ready is called once, when the API and the gateway take calls.
	Ready func(Addresses)
}

// DownOptions is how `fairlead down` ends what a control plane that is gone left.
type DownOptions struct {
	State string // state directory, absolute
	Force bool   // without a record, where the ledger cannot be opened
}

// Ended is what `fairlead down` found without a control plane, and ended.
type Ended struct {
	Gateway   bool
	Instances int
}

// Addresses is where a started control plane listens.
type Addresses struct {
	Gateway string `json:"gateway"` // host:port
	API     string `json:"api"`     // host:port
	State   string `json:"state"`
	Pid     int    `json:"pid"`
}

// VerifyOptions is against what `fairlead ledger verify` checks.
type VerifyOptions struct {
	State       string   // state directory
	Key         string   // the ledger's verifier key; "" for the one in the state directory
	Checkpoints [][]byte // signed notes that were kept elsewhere
}

// Verification is what `fairlead ledger verify` found.
type Verification struct {
	Ledger      string   `json:"ledger"` // its origin line, which names it
	Entries     uint64   `json:"entries"`
	Checkpoints uint64   `json:"checkpoints"` // whose signatures hold
	Rows        uint64   `json:"rows"`        // of state, rebuilt from the entries and compared
	Facts       uint64   `json:"facts"`       // inputs of decisions, compared with what the entries commit to
	Verified    bool     `json:"verified"`    // nothing differs
	Problems    []string `json:"problems,omitempty"`
}

// Replay is what `fairlead ledger replay` found.
type Replay struct {
	Rollouts   uint64 `json:"rollouts"`
	Decisions  uint64 `json:"decisions"` // recomputed
	Replayed   bool   `json:"replayed"`  // all came out the same
	Difference string `json:"difference,omitempty"`
}

// TourOptions is how `fairlead tour` runs.
type TourOptions struct {
	JSON  bool // one JSON object on standard output instead of a view
	Keep  bool // leave the state directory
	Color bool

	Runtime string // process or container
	Engine  string // socket of the container engine, or "" for what is found
}

// Run runs one command line, without the program's name, and returns its exit
// status. It returns when the command has ended or, soon after, ctx.
func Run(ctx context.Context, args []string, std Std, wiring Wiring) int {
	out := &output{to: std.Out}
	inv := &invocation{std: std, screen: std.Out, wiring: wiring}
	inv.std.Out = out
	root := inv.root()
	root.SetArgs(args)
	root.SetIn(std.In)
	root.SetOut(out)
	root.SetErr(std.Err)
	err := root.ExecuteContext(ctx)
	if err != nil && !inv.started {
		err = usage(err)
	}
	err = out.lost(err)
	inv.report(err, inv.json() || !inv.started && asksJSON(args))
	return ExitCode(err)
}
