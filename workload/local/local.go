// Package local runs instances, jobs and services as processes of this machine.
//
// Each instance has a shim: a process of the same binary that outlives the
// control plane, owns the sandbox, the log, the probes and the restarts, and
// whose death kills the instance.
//
//	control plane -> shim -> shim-init (pid 1 of new namespaces) -> shim-exec -> app
//
// The shim clones shim-init into user, mount, pid, network, ipc and uts
// namespaces; shim-init builds a root of its own, dials the app's port for the
// gateway (package dialpass) and starts the app as often as the shim asks;
// shim-exec takes every right from its own thread and becomes the app. The
// program's main function hands these process names to [Main] before it does
// anything else. docs/design/sandbox.md tells what is enforced and how.
//
// Everything known of an instance is in the directory Root/instances/ID, so
// that a new Runtime over the same Root finds it again.
package local

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
}

// The names by which a program is started as one of this package's processes.
const (
	ShimName = "shim"      // supervises one instance or service
	InitName = "shim-init" // the first process of a sandbox
	ExecName = "shim-exec" // becomes the app
)

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

// The limits that every instance has, whatever its file asks for.
const (
	MostProcesses = 512       // processes and threads of one instance
	MostFiles     = 65_536    // open files of one of its processes
	TempSize      = 256 << 20 // bytes in an instance's or a gate's /tmp
	BuildTempSize = 2 << 30   // bytes in a build's /tmp
)

// The limits that this package sets itself.
const (
	shmSize     = 64 << 20              // bytes in its /dev/shm
	mostSecrets = 4 << 20               // bytes of all secrets of an instance
	setupTime   = 20 * time.Second      // longest from an init's start to a ready sandbox
	quickProbe  = 2 * time.Millisecond  // after the first check of a start; then it doubles
	slowProbe   = 50 * time.Millisecond // up to this
)
