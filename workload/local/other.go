//go:build !linux

package local

import (
	"context"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/shim"
)

func unsupported() error {
	return fairlead.Errorf(fairlead.Unsupported, "make a sandbox", "sandboxes are made on Linux only").WithHint("run fairlead on Linux, or in a Linux virtual machine")
}

// Main has no processes here.
func Main(string, []string) int { return 1 }

// Check is unsupported here.
func (Sandbox) Check(workload.Spec) error { return unsupported() }

// CheckJob is unsupported here.
func (Sandbox) CheckJob(workload.Job) error { return unsupported() }

// Open is unsupported here.
func (Sandbox) Open(context.Context, shim.Plan) (shim.Body, error) { return nil, unsupported() }

// Clear is unsupported here.
func (Sandbox) Clear(context.Context, string) error { return unsupported() }
