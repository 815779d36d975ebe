//go:build !linux

package shim

import (
	"context"
	"io"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// Runtime exists on Linux only; here every call is code unsupported.
type Runtime struct{}

func unsupported() error {
	return fairlead.Errorf(fairlead.Unsupported, "run instances", "instances run on Linux only").WithHint("run fairlead on Linux, or in a Linux virtual machine")
}

// New is unsupported here.
func New(Config) (*Runtime, error) { return nil, unsupported() }

// Main has no processes here.
func Main([]string, Kinds) int { return 1 }

// Close does nothing.
func (*Runtime) Close() error { return nil }

// Start is unsupported here.
func (*Runtime) Start(context.Context, fairlead.Order, workload.Spec, workload.Secrets) error {
	return unsupported()
}

// Stop is unsupported here.
func (*Runtime) Stop(context.Context, fairlead.Order, string, time.Duration) error {
	return unsupported()
}

// Remove is unsupported here.
func (*Runtime) Remove(context.Context, fairlead.Order, string) error { return unsupported() }

// List is unsupported here.
func (*Runtime) List(context.Context) ([]workload.Status, error) { return nil, unsupported() }

// Logs is unsupported here.
func (*Runtime) Logs(context.Context, string, workload.LogOptions, io.Writer) error {
	return unsupported()
}

// RunJob is unsupported here.
func (*Runtime) RunJob(context.Context, workload.Job) (workload.JobResult, error) {
	return workload.JobResult{}, unsupported()
}

// StartService is unsupported here.
func (*Runtime) StartService(context.Context, fairlead.Order, Service) error { return unsupported() }

// ReplaceService is unsupported here.
func (*Runtime) ReplaceService(context.Context, fairlead.Order, string, []string, map[string]string, time.Duration) error {
	return unsupported()
}

// StopService is unsupported here.
func (*Runtime) StopService(context.Context, fairlead.Order, string, time.Duration) error {
	return unsupported()
}

// RemoveService is unsupported here.
func (*Runtime) RemoveService(context.Context, fairlead.Order, string) error { return unsupported() }

// Services is unsupported here.
func (*Runtime) Services(context.Context) ([]ServiceStatus, error) { return nil, unsupported() }

// ServiceLogs is unsupported here.
func (*Runtime) ServiceLogs(context.Context, string, workload.LogOptions, io.Writer) error {
	return unsupported()
}

// NewestTerm is unsupported here.
func (*Runtime) NewestTerm() (uint64, error) { return 0, unsupported() }

// BeginTerm is unsupported here.
func (*Runtime) BeginTerm(uint64) error { return unsupported() }
