// Package local runs instances and jobs as sandboxed processes of this machine: it
// is a kind of body for package shim.
//
//	control plane -> shim -> shim-init (pid 1 of new namespaces) -> shim-exec -> app
//
// The shim clones shim-init into user, mount, pid, network, ipc and uts
// namespaces; shim-init builds a root of its own, dials the app's port for the
// gateway (package dialpass) and starts the app as often as the shim asks;
// shim-exec takes every right from its own thread and becomes the app. The
// program's main function hands these process names to [Main] before it does
// anything else. docs/design/sandbox.md tells what is enforced and how.
package local

import "time"

// The names by which a program is started as one of this package's processes.
const (
	InitName = "shim-init" // the first process of a sandbox
	ExecName = "shim-exec" // becomes the app
)

// Sandbox makes sandboxes. It implements shim.Kind.
type Sandbox struct {
	Without []string // protections that jobs do without; set by tests only
}

// setupTime is the longest from an init's start to a ready sandbox.
const setupTime = 20 * time.Second
