package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/dialpass"
	"github.com/fairlead/fairlead/internal/unixsock"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/reach"
	"github.com/fairlead/fairlead/workload/shim"
)

var _ shim.Kind = Sandbox{}

// Check implements shim.Kind.
func (Sandbox) Check(spec workload.Spec) error {
	if err := checkDir(spec.Dir); err != nil {
		return err
	}
	if err := checkDevices(spec.Devices); err != nil {
		return err
	}
	return checkVolumes(spec.Volumes)
}

// CheckJob implements shim.Kind.
func (Sandbox) CheckJob(job workload.Job) error { return checkDir(job.Dir) }

func checkDir(dir string) error {
	info, err := os.Stat(dir)
	if !filepath.IsAbs(dir) || err != nil || !info.IsDir() {
		return fairlead.Errorf(fairlead.Invalid, "", "%q is not an absolute path of a directory", dir)
	}
	return nil
}

// Clear implements shim.Kind.
func (Sandbox) Clear(_ context.Context, home string) error { return clearOutside(home) }

// stage is the empty directory of a home on which its sandbox mounts its root.
func stage(home string) string { return filepath.Join(home, "root") }

// Open implements shim.Kind.
func (s Sandbox) Open(ctx context.Context, plan shim.Plan) (shim.Body, error) {
	if plan.Job != nil {
		return s.openJob(ctx, plan)
	}
	return s.openInstance(ctx, plan)
}

// body is a sandbox with what it has outside.
type body struct {
	*box
	cgroup  *cgroup
	shm     int64  // bytes in its /dev/shm
	scratch string // secrets of one without namespaces
	socket  string // at which its connections are handed out, or nothing
	closed  func() error
	oom     int // counted at its end
}

// newBody decides, notes and makes what a sandbox has outside.
func (s Sandbox) newBody(home, id string, asked fairlead.Resources, without []string) (*body, error) {
	limits, err := workload.LimitsOf(asked)
	if err != nil {
		return nil, err
	}
	left, err := noteOutside(home, id)
	if err != nil {
		return nil, err
	}
	for protection, controller := range map[string]string{workload.MemoryLimit: "memory", workload.CPULimit: "cpu", workload.ProcessLimit: "pids"} {
		if slices.Contains(without, protection) {
			delete(left.parents, controller)
		}
	}
	return &body{cgroup: newCgroup(left.parents, left.name, asked, limits), shm: limits.Shm, scratch: left.Scratch, closed: func() error { return nil }}, nil
}

func (s Sandbox) openInstance(ctx context.Context, plan shim.Plan) (shim.Body, error) {
	spec := plan.Instance
	rules, err := reach.Parse(spec.Network)
	if err != nil {
		return nil, err
	}
	dial, err := listenFile(plan.Socket)
	if err != nil {
		return nil, err
	}
	defer dial.Close()
	b, err := s.newBody(plan.Home, spec.ID, spec.Resources, nil)
	if err != nil {
		return nil, err
	}
	devices, err := newGiven(spec.Devices, filepath.Join(plan.Home, "devices"))
	if err != nil {
		return nil, errors.Join(err, b.remove())
	}
	free := 0
	b.socket = plan.Socket
	return b.open(ctx, boxPlan{
		program: plan.Program, tenant: spec.Site.String(),
		setup: setup{Name: "instance", Stage: stage(plan.Home), Dir: spec.Dir, Command: spec.Command,
			Port: spec.Port, Shm: b.shm, Reach: rules, Secrets: plan.Secrets, Volumes: spec.Volumes, Devices: devices},
		out: plan.Out, err: plan.Err, dial: dial, cgroup: b.cgroup,
		required: spec.Sandbox == fairlead.SandboxRequired, plain: plan.Plain,
		asked: spec.Resources, scratch: b.scratch, devices: spec.Devices,
		adjust: func(inside *setup) (err error) {
			if !inside.Namespaces {
				if free == 0 {
					if free, err = freePort(); err != nil {
						return err
					}
				}
				inside.Port = free
			}
			inside.Env = instanceEnv(*spec, *inside)
			return nil
		},
	})
}

func (s Sandbox) openJob(ctx context.Context, plan shim.Plan) (shim.Body, error) {
	job := plan.Job
	rules, err := reach.Parse(job.Network)
	if err != nil {
		return nil, err
	}
	b, err := s.newBody(plan.Home, job.ID, job.Resources, s.Without)
	if err != nil {
		return nil, err
	}
	tenant := "job/" + job.ID
	return b.open(ctx, boxPlan{
		program: plan.Program, tenant: tenant,
		setup: setup{Name: "job", Stage: stage(plan.Home), Dir: job.Dir, Writable: job.Writable, Command: job.Command, Shm: b.shm, Reach: rules},
		out:   plan.Out, err: plan.Err, cgroup: b.cgroup,
		required: job.Sandbox == fairlead.SandboxRequired, plain: plan.Plain, without: s.Without, asked: job.Resources, scratch: b.scratch,
		adjust: func(inside *setup) error {
			env := baseEnv(*inside)
			maps.Copy(env, job.Env)
			inside.Env = workload.Environ(env)
			if inside.Writable && inside.Namespaces && inside.UID != 0 {
				b.closed = func() error { return own(job.Dir, os.Getuid()) }
				return own(job.Dir, workload.TenantUser(tenant))
			}
			return nil
		},
	})
}

// open makes the sandbox, or removes what it has outside.
func (b *body) open(ctx context.Context, plan boxPlan) (shim.Body, error) {
	var err error
	if b.box, err = openBox(ctx, plan); err != nil {
		return nil, errors.Join(err, b.remove())
	}
	return b, nil
}

// listenFile listens at a socket and returns it for another process.
func listenFile(path string) (*os.File, error) {
	listener, err := unixsock.Listen(path)
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	return listener.File()
}

// freePort returns a TCP port of the loopback that nobody uses now.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}

// Address implements shim.Body.
func (b *body) Address() string {
	if b.setup.Namespaces {
		return "pass:" + b.socket
	}
	return fmt.Sprintf("tcp:127.0.0.1:%d", b.setup.Port)
}

// Dial implements shim.Body.
func (b *body) Dial(ctx context.Context) (net.Conn, error) {
	if b.setup.Namespaces {
		return dialpass.Dial(ctx, b.socket)
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", b.setup.Port))
}

// Events implements shim.Body.
func (b *body) Events() <-chan shim.Event { return b.events }

// Start implements shim.Body.
func (b *body) Start() error { return b.start() }

// Signal implements shim.Body.
func (b *body) Signal(signal syscall.Signal) error { return b.signal(signal) }

// Kill implements shim.Body.
func (b *body) Kill() error { return b.killApp() }

// OOMKills implements shim.Body.
func (b *body) OOMKills() int { return max(b.oom, b.cgroup.oomKills()) }

// Close implements shim.Body.
func (b *body) Close() error {
	b.close()
	b.oom = b.OOMKills()
	return b.remove()
}

// remove removes what the body has outside, in which nothing runs any more.
func (b *body) remove() error {
	return errors.Join(b.cgroup.close(), os.RemoveAll(b.scratch), b.closed())
}
