// Package shim keeps instances, jobs and services of this machine alive without the
// control plane.
//
// Each instance has a shim: a process of the same binary that outlives the control
// plane and owns the instance's body, its log, its probes and its restarts. What a
// body is, is a [Kind]: a sandboxed process (package local) or a container (package
// container). The program's main function hands the process name [Name] to [Main]
// before it does anything else.
//
// Everything known of an instance is in the directory Root/instances/ID, so that a
// new [Runtime] over the same Root finds it again.
package shim

import (
	"log/slog"
	"time"

	"github.com/fairlead/fairlead/workload"
)

// Config is what a Runtime needs.
type Config struct {
	Root  string       // absolute directory of its state, made with mode 0700; one control plane at a time
	Shim  string       // path of a binary whose main calls Main; default os.Executable
	Log   *slog.Logger // default slog.Default
	Plain bool         // allow instances without namespaces where the kernel has none and the sandbox is only preferred
	Kinds Kinds        // the same as those of the binary's Main
}

// Name is the name by which a program is started as a shim.
const Name = "shim"

// Service is a process of Fairlead's own that runs outside the sandbox under a
// shim, such as the gateway. The shim binds the listeners once and keeps them over
// restarts and replacements, so that no connection is refused.
type Service struct {
	ID        string            `json:"id"` // as an instance's, unique among services
	Command   []string          `json:"command"`
	Env       map[string]string `json:"env,omitempty"` // its whole environment, apart from the descriptors' variables
	Dir       string            `json:"dir"`           // working directory, absolute
	Listeners []string          `json:"listeners"`     // "tcp host:port" or "unix /path"; descriptors 3, 4, ... in this order
	Notify    bool              `json:"notify"`        // the process closes or writes to descriptor $FAIRLEAD_READY once it serves
}

// The variables that tell a service of its descriptors.
const (
	ListenersEnv = "FAIRLEAD_LISTENERS" // how many listeners there are, from descriptor 3 on
	ReadyEnv     = "FAIRLEAD_READY"     // descriptor to close once it serves, when Service.Notify is set
)

// ServiceStatus is what is known of a service.
type ServiceStatus struct {
	ID        string         `json:"id"`
	State     workload.State `json:"state"`     // Starting, Ready, Backoff, Stopping or Exited
	Listeners []string       `json:"listeners"` // as bound: "tcp 127.0.0.1:8080"
	Command   []string       `json:"command"`   // of the newest process
	Pid       int            `json:"pid"`       // of the newest process; 0 when none runs
	Restarts  int            `json:"restarts"`
	LastExit  string         `json:"lastExit,omitempty"`
	Started   time.Time      `json:"started"`
}

// The limits that this package sets itself.
const (
	mostSecrets = 4 << 20               // bytes of all secrets of an instance
	quickProbe  = 2 * time.Millisecond  // after the first check of a start; then it doubles
	slowProbe   = 50 * time.Millisecond // up to this
)
