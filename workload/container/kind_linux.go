package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/reach"
	"github.com/fairlead/fairlead/workload/shim"
)

var _ shim.Kind = Containers{}

// Open implements shim.Kind. It asks no engine: an engine that is away for a moment is
// waited for when the app is started.
func (Containers) Open(_ context.Context, plan shim.Plan) (shim.Body, error) {
	if err := RunsInContainers(plan.Program); err != nil {
		return nil, &shim.Refusal{Reason: fmt.Sprintf("%v; %s", err, fairlead.HintOf(err))}
	}
	owner, err := Owner(rootOf(plan.Home))
	if err != nil {
		return nil, err
	}
	b := newBody(plan, owner)
	if plan.Job != nil {
		err = b.planJob(*plan.Job)
	} else {
		err = b.planInstance(*plan.Instance)
	}
	if err != nil {
		return nil, err
	}
	if err := b.prepare(plan); err != nil {
		return nil, errors.Join(err, b.forget())
	}
	return b, nil
}

// planInstance decides what an instance's container is.
func (b *body) planInstance(spec workload.Spec) error {
	rules, err := reach.Parse(spec.Network)
	if err != nil {
		return err
	}
	limits, err := workload.LimitsOf(spec.Resources)
	if err != nil {
		return err
	}
	b.port, b.asked, b.required = spec.Port, spec.Resources, spec.Sandbox == fairlead.SandboxRequired
	b.recipe = recipe{
		name: "fairlead-" + b.owner[:8] + "." + spec.ID, image: *spec.Image, user: UserOf(spec.Image.User, spec.Site.String(), spec.Loosen, os.Getuid()),
		labels: map[string]string{
			LabelOwner: b.owner, LabelInstance: spec.ID, LabelApp: spec.Site.App, LabelEnvironment: spec.Site.Env,
			LabelRelease: strconv.Itoa(spec.Release), LabelHome: homeName(b.home),
		},
		command: spec.Command, env: spec.Variables(spec.Port, insideSecrets), workDir: spec.Image.WorkDir,
		network: networkName(b.owner, spec.Site), devices: spec.Devices, limits: limits, files: mostFiles(), threads: mostThreads(), rules: rules,
	}
	if spec.Loosen != nil {
		b.recipe.loosen = *spec.Loosen
	}
	for _, v := range spec.Volumes {
		b.recipe.mounts = append(b.recipe.mounts, bind(v.Source, v.Path, false))
	}
	return nil
}

// planJob decides what a job's container is. It has no network but what it may reach.
func (b *body) planJob(job workload.Job) error {
	rules, err := reach.Parse(job.Network)
	if err != nil {
		return err
	}
	limits, err := workload.LimitsOf(job.Resources)
	if err != nil {
		return err
	}
	b.job, b.asked, b.required = true, job.Resources, job.Sandbox == fairlead.SandboxRequired
	b.recipe = recipe{
		name: "fairlead-" + b.owner[:8] + ".job." + job.ID, image: *job.Image, user: UserOf(job.Image.User, "job/"+job.ID, nil, os.Getuid()),
		labels:  map[string]string{LabelOwner: b.owner, LabelInstance: job.ID, LabelHome: homeName(b.home)},
		command: job.Command, env: job.Env, workDir: job.Image.WorkDir, limits: limits, files: mostFiles(), threads: mostThreads(), rules: rules,
	}
	if job.Dir != "" {
		b.recipe.workDir = insideDir
		b.recipe.mounts = append(b.recipe.mounts, bind(job.Dir, insideDir, !job.Writable))
	}
	return nil
}

// insideDir is where a job sees the directory that it works in.
const insideDir = "/work"

// homeName is what a container's label says of its home: KIND/ID.
func homeName(home string) string {
	return filepath.Join(filepath.Base(filepath.Dir(home)), filepath.Base(home))
}

// Clear implements shim.Kind: it removes the container, its network if nobody else is
// in it, and its secrets.
func (Containers) Clear(ctx context.Context, home string) error {
	n, ok, err := readNote(home)
	if err != nil || !ok {
		return err
	}
	v := vault{dir: vaultMount(home)}
	secrets := v.close()
	if n.Shared != "" {
		secrets = errors.Join(secrets, os.RemoveAll(n.Shared))
	}
	owner, err := Owner(rootOf(home))
	if err := errors.Join(secrets, err); err != nil {
		return err
	}
	if err := clearEngine(ctx, n, rootOf(home), owner); err != nil {
		return err
	}
	return removeNote(home)
}

func clearEngine(ctx context.Context, n note, root, owner string) error {
	engine, err := Open(ctx, n.Engine)
	if err != nil {
		return err
	}
	defer engine.Close()
	if err := engine.removeContainer(ctx, n.Name, owner); err != nil {
		return err
	}
	if n.Network == "" {
		return nil
	}
	return engine.dropNetwork(ctx, root, n.Network, owner)
}

// removeContainer kills and removes a container by name, if it is this installation's.
func (e *Engine) removeContainer(ctx context.Context, name, owner string) error {
	found, err := e.api.ContainerInspect(ctx, name, client.ContainerInspectOptions{})
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if found.Container.Config == nil || found.Container.Config.Labels[LabelOwner] != owner {
		return nil // somebody else's
	}
	return e.removeID(ctx, found.Container.ID)
}

// removeID kills and removes a container that is known to be this installation's.
func (e *Engine) removeID(ctx context.Context, id string) error {
	_, err := e.api.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	for ctx.Err() == nil && err != nil && !gone(err) && inProgress(err) {
		time.Sleep(10 * time.Millisecond)
		_, err = e.api.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	}
	if gone(err) {
		return nil
	}
	return err
}

// prepare makes what the container needs of this machine, and notes it first.
func (b *body) prepare(plan shim.Plan) error {
	if err := rememberEngine(rootOf(b.home), b.recipe.image.Engine); err != nil {
		return err
	}
	shared := vaultShared(b.recipe.name)
	if err := shim.WriteNote(notePath(b.home), note{Engine: b.recipe.image.Engine, Name: b.recipe.name, Network: b.recipe.network, Shared: shared}); err != nil {
		return err
	}
	program, err := initProgram(b.home, plan.Program)
	if err != nil {
		return err
	}
	b.gate = filepath.Join(b.home, "gate")
	if err := unix.Mkfifo(b.gate, 0o644); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	if err := os.Chmod(b.gate, 0o644); err != nil { // past the umask
		return err
	}
	own := []mount.Mount{bind(program, InsideInit, true), bind(b.gate, insideGate, true)}
	if plan.Instance != nil {
		if b.vault, err = openVault(b.home, shared, plan.Secrets, b.recipe.user); err != nil {
			return err
		}
		own = append(own, bind(b.vault.dir, insideSecrets, true))
	}
	b.recipe.mounts = append(own, b.recipe.mounts...)
	if plan.Socket != "" {
		return b.serveDials(plan.Socket)
	}
	return nil
}

// initProgram returns a path at which the engine finds this program for as long as the
// body lives: another name of the file, so that an upgrade, which puts another file in
// its place, does not take it away. Where that cannot be had it is the program's own
// path.
func initProgram(home, program string) (string, error) {
	path, err := filepath.EvalSymlinks(program)
	if err != nil {
		return "", err
	}
	link := filepath.Join(home, "init")
	if err := os.Link(path, link); err == nil || errors.Is(err, os.ErrExist) {
		return link, nil
	}
	return path, nil
}

// mostFiles is how many files a process may open: the contract's number, or less where
// this process may not open as many, for an engine that has no right to give more
// starts nothing.
func mostFiles() int64 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil || limit.Max > workload.MostFiles {
		return workload.MostFiles
	}
	return int64(limit.Max)
}

// mostThreads bounds the threads of a container's user on the whole machine, where an
// engine would else ask for more than it has the right to give: Podman keeps 32,768 for
// itself.
func mostThreads() int64 {
	const most = 32_768
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NPROC, &limit) != nil || limit.Max > most {
		return most
	}
	return int64(limit.Max)
}
