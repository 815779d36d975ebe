package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/moby/moby/api/types/mount"
	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead"
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
	r, err := recipeOf(plan, owner)
	if err != nil {
		return nil, err
	}
	b := newBody(plan, owner, r)
	if err := b.prepare(plan); err != nil {
		return nil, errors.Join(err, b.forget())
	}
	return b, nil
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
	o := owned{engine: engine, root: root, owner: owner}
	if err := o.remove(ctx, n.Name); err != nil || n.Network == "" {
		return err
	}
	return o.dropNetwork(ctx, n.Network)
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
	b.recipe.names = filepath.Join(b.home, "hosts")
	if err := b.recipe.writeNames(""); err != nil {
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
