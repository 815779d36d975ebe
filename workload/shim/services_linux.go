package shim

import (
	"context"
	"io"
	"path/filepath"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// StartService starts a service under a shim, or does nothing if it was started
// before and not removed. It returns when its listeners are bound.
func (r *Runtime) StartService(ctx context.Context, order fairlead.Order, service Service) error {
	op := "start service " + service.ID
	switch {
	case !idForm.MatchString(service.ID):
		return fairlead.Errorf(fairlead.Invalid, op, "%q is not an id: at most 80 of [a-z0-9-]", service.ID)
	case len(service.Command) == 0 || !filepath.IsAbs(service.Command[0]):
		return fairlead.Errorf(fairlead.Invalid, op, "its command is not an absolute path")
	case !filepath.IsAbs(service.Dir):
		return fairlead.Errorf(fairlead.Invalid, op, "its directory %q is not absolute", service.Dir)
	}
	return wrap(op, r.begin(ctx, order, r.at.service(service.ID), assignment{Protocol: protocol, Service: &service}, nil))
}

// ReplaceService starts command in place of the service's process, on the same
// listeners, and returns once it serves; the old process is then sent SIGTERM and,
// after grace, SIGKILL. When the new process does not come to serve, the old one
// stays and the error is code unavailable.
func (r *Runtime) ReplaceService(ctx context.Context, order fairlead.Order, id string, command []string, env map[string]string, grace time.Duration) error {
	op := "replace service " + id
	if !idForm.MatchString(id) {
		return fairlead.Errorf(fairlead.Invalid, op, "not an id")
	}
	if err := r.terms.admit(order); err != nil {
		return wrap(op, err)
	}
	var status ServiceStatus
	return wrap(op, ask(ctx, r.at.service(id), "POST", "/v1/replace", replaceRequest{order, command, env, grace}, &status))
}

// StopService sends the service's process SIGTERM and, after grace, SIGKILL, and
// returns when it has ended and its listeners are closed.
func (r *Runtime) StopService(ctx context.Context, order fairlead.Order, id string, grace time.Duration) error {
	op := "stop service " + id
	if !idForm.MatchString(id) {
		return fairlead.Errorf(fairlead.Invalid, op, "not an id")
	}
	if err := r.terms.admit(order); err != nil {
		return wrap(op, err)
	}
	return wrap(op, halt(ctx, r.config.Kinds, order, r.at.service(id), grace, func(s ServiceStatus) (ServiceStatus, bool) { return diedService(s), s.State.Over() }))
}

// RemoveService forgets a service that has ended, with its log. A service of that
// id can then be started again.
func (r *Runtime) RemoveService(ctx context.Context, order fairlead.Order, id string) error {
	op := "remove service " + id
	if !idForm.MatchString(id) {
		return fairlead.Errorf(fairlead.Invalid, op, "not an id")
	}
	if err := r.terms.admit(order); err != nil {
		return wrap(op, err)
	}
	return wrap(op, forget(ctx, r.config.Kinds, order, r.at.service(id), func(s ServiceStatus) bool { return s.State.Over() }))
}

// Services returns all services that were not removed, sorted by ID.
func (r *Runtime) Services(ctx context.Context) ([]ServiceStatus, error) {
	all, err := list(ctx, r.at.services(), diedService, func(s ServiceStatus) bool { return s.State.Over() })
	return all, wrap("list services", err)
}

// ServiceLogs writes a service's log as Logs does an instance's.
func (r *Runtime) ServiceLogs(ctx context.Context, id string, options workload.LogOptions, w io.Writer) error {
	op := "read the log of service " + id
	if !idForm.MatchString(id) {
		return fairlead.Errorf(fairlead.Invalid, op, "not an id")
	}
	h := r.at.service(id)
	over := func() bool {
		rec, err := readRecord[ServiceStatus](h)
		return err != nil || rec.Status.State.Over() || !rec.Shim.alive()
	}
	return wrap(op, logsOf(ctx, h, options, over, w))
}

// diedService is died for services.
func diedService(s ServiceStatus) ServiceStatus {
	if !s.State.Over() {
		s.State, s.Pid, s.LastExit = workload.Exited, 0, "its shim died"
	}
	return s
}
