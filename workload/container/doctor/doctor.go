// Package doctor finds out what a container engine holds containers by: it has one
// harmless container run exactly as a control plane would, and reads back what it
// really has. It needs no control plane and no registry, and leaves nothing behind.
package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/imagetar"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/container"
	"github.com/fairlead/fairlead/workload/shim"
)

// patience is how long a probe may take; it needs about a second.
const patience = 60 * time.Second

// Run examines the engine that listens at host. program is a binary whose main calls
// shim.Main with containers as a kind, and container.Init. That there is no engine,
// or none that can be used, is no error: the diagnosis says so.
func Run(ctx context.Context, program, host string) (d workload.EngineDiagnosis, err error) {
	none := func(err error) workload.EngineDiagnosis {
		return workload.EngineDiagnosis{Holds: true, Host: container.ShownHost(host), Why: plain(err), Hint: fairlead.HintOf(err), Checks: []workload.Check{}}
	}
	engine, err := container.Open(ctx, host)
	if err != nil {
		return none(err), ctx.Err()
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	if d, err = engine.About(ctx); err != nil {
		return none(err), ctx.Err()
	}
	d.Holds, d.Checks = true, []workload.Check{}
	var protections []workload.Protection
	if err = container.RunsInContainers(program); err == nil {
		protections, err = probe(ctx, engine, program)
	}
	if err != nil {
		d.Holds, d.Why, d.Hint = false, plain(err), fairlead.HintOf(err)
		return d, ctx.Err()
	}
	judge(&d, protections)
	return d, nil
}

// judge makes checks of what a start said.
func judge(d *workload.EngineDiagnosis, protections []workload.Protection) {
	for _, p := range protections {
		check := workload.Check{Protection: p, Required: required(p.Name), Attempts: []workload.Attempt{}}
		if !p.Enforced {
			check.Hint = hint(p.Name, *d)
		}
		d.Checks = append(d.Checks, check)
		d.Holds = d.Holds && (p.Enforced || !check.Required)
	}
}

// hint says what to do about a protection that an engine does not give.
func hint(name string, d workload.EngineDiagnosis) string {
	switch name {
	case workload.MemoryLimit, workload.CPULimit, workload.SwapLimit, workload.ProcessLimit:
		if d.Rootless {
			return "a rootless engine limits only where control groups are delegated to its user: systemctl edit user@.service, Delegate=yes"
		}
		return "let the kernel account for it: boot with cgroup_enable=memory swapaccount=1"
	case workload.Seccomp:
		return "use an engine that was built with seccomp"
	}
	return ""
}

// plain is an error's reason without the operation, which the diagnosis names.
func plain(err error) string {
	var e *fairlead.Error
	if errors.As(err, &e) {
		return e.Err.Error()
	}
	return err.Error()
}

// probe has one container start, and returns what it was held by.
func probe(ctx context.Context, engine *container.Engine, program string) (all []workload.Protection, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	dir, err := os.MkdirTemp("", "fairlead-doctor-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for the probe: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	root := filepath.Join(dir, "run")
	runtime, err := shim.New(shim.Config{Root: root, Shim: program, Log: slog.New(slog.DiscardHandler), Kinds: shim.Kinds{Container: container.Containers{}}})
	if err != nil {
		return nil, err
	}
	defer runtime.Close()
	owner, err := container.Owner(root)
	if err != nil {
		return nil, err
	}
	image, err := load(ctx, engine, owner)
	if err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, engine.Discard(context.WithoutCancel(ctx), image))
	}()
	return start(ctx, runtime, spec(engine, image))
}

// load gives the engine an image without a file: the first process of each container
// is Fairlead's own, and the probe is that program again.
func load(ctx context.Context, engine *container.Engine, owner string) (fairlead.Digest, error) {
	var archive bytes.Buffer
	if err := imagetar.Write(&archive, imagetar.Image{Labels: map[string]string{container.LabelOwner: owner}}); err != nil {
		return "", err
	}
	read := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil }
	return engine.Load(ctx, container.ReadTar(read), func(fairlead.Progress) {})
}

// spec is the probe: it asks for every limit, and its app says its version and ends.
func spec(engine *container.Engine, image fairlead.Digest) workload.Spec {
	return workload.Spec{
		ID: "doctor-probe", Site: fairlead.Site{App: "doctor", Env: "probe"}, Release: 1, Digest: image,
		Image:   &workload.Image{ID: image, Name: "fairlead-doctor", Engine: engine.Host},
		Command: []string{container.InsideInit, "version"}, Port: 8080,
		Readiness: fairlead.Check{Path: "/", Deadline: fairlead.Duration(2 * patience)},
		Resources: resources(), Sandbox: fairlead.SandboxPreferred,
	}
}

func resources() fairlead.Resources { return fairlead.Resources{CPU: "1", Memory: "192Mi"} }

// start starts the probe, and ends and forgets it when it is known what holds it.
func start(ctx context.Context, r *shim.Runtime, probe workload.Spec) (all []workload.Protection, err error) {
	seq := uint64(0)
	order := func() fairlead.Order { seq++; return fairlead.Order{Term: 1, Seq: seq} }
	last := context.WithoutCancel(ctx)
	defer func() {
		err = errors.Join(err, r.Stop(last, order(), probe.ID, time.Second), r.Remove(last, order(), probe.ID))
	}()
	if err := r.Start(ctx, order(), probe, workload.Secrets{"canary": []byte("of the doctor")}); err != nil {
		return nil, err
	}
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		statuses, err := r.List(ctx)
		if err != nil {
			return nil, err
		}
		for _, s := range statuses {
			if s.ID == probe.ID && len(s.Protections) > 0 {
				return s.Protections, nil
			}
			if s.ID == probe.ID && (s.State.Over() || s.Restarts > 1) {
				return nil, fairlead.Errorf(fairlead.Unavailable, "", "no container could be started: %s", s.LastExit)
			}
		}
		select {
		case <-ctx.Done():
			return nil, fairlead.Errorf(fairlead.Unavailable, "", "no container was started within %s: %w", patience, ctx.Err())
		case <-ticker.C:
		}
	}
}
