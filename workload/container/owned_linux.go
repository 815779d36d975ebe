package container

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/fairlead/fairlead"
)

// owned is what one installation has in an engine. It is known by its labels, and
// nothing else is touched.
type owned struct {
	engine *Engine
	root   string // the directory of the installation's runtime
	owner  string // Owner of it
}

// create makes a container in its network and returns its id.
func (o owned) create(ctx context.Context, r recipe) (id string, err error) {
	const op = "make the container"
	options, err := r.optionsIn(ctx, o.engine)
	if err != nil {
		return "", err
	}
	lock, err := o.holdNetwork(ctx, r.network, r.labels)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	for attempt := 0; ; attempt++ {
		made, err := o.engine.createContainer(ctx, options)
		if err == nil && o.engine.Podman() {
			err = r.writeNames(made.ID[:min(12, len(made.ID))])
		}
		if err == nil || made.ID != "" {
			return made.ID, err
		}
		if away(err) {
			return "", err
		}
		if attempt > 0 || !nameTaken(err) {
			return "", refused(op, r.image.Name, err)
		}
		if err := o.takeName(ctx, op, r.name); err != nil {
			return "", err
		}
	}
}

// optionsIn are what the engine is asked for to make a container of an image that it
// has.
func (r recipe) optionsIn(ctx context.Context, e *Engine) (options client.ContainerCreateOptions, err error) {
	const op = "make the container"
	image, err := e.api.ImageInspect(ctx, string(r.image.ID))
	if gone(err) {
		return options, refused(op, r.image.Name, fmt.Errorf("no such image: %w", errdefs.ErrNotFound))
	}
	if err != nil {
		return options, err
	}
	var env []string
	var volumes map[string]struct{}
	if image.Config != nil {
		env, volumes = image.Config.Env, image.Config.Volumes
	}
	options = r.options(e.Podman(), env)
	if !r.loosen.WritableRoot {
		if err := addDeclared(options.HostConfig, sortedKeys(volumes)); err != nil {
			return options, refused(op, r.image.Name, err)
		}
	}
	if e.Podman() {
		podmanOwn(options.HostConfig, r.names)
	}
	return options, nil
}

// createContainer makes a container. It waits for the engine's answer even if nobody
// waits for the container any more: an engine goes on making it when its caller has
// gone, and nobody would remove it.
func (e *Engine) createContainer(ctx context.Context, options client.ContainerCreateOptions) (client.ContainerCreateResult, error) {
	patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), createPatience)
	defer cancel()
	return e.api.ContainerCreate(patient, options)
}

// createPatience is how long an engine is waited for that makes a container or a
// network. What one makes later is swept by the next control plane.
const createPatience = 2 * time.Minute

// nameTaken reports whether a container of the name is there.
func nameTaken(err error) bool {
	return errdefs.IsConflict(err) || strings.Contains(err.Error(), "already in use")
}

// find returns the container of a name, or nothing where the installation has none of
// it. foreign says that somebody else has.
func (o owned) find(ctx context.Context, name string) (id string, foreign bool, err error) {
	found, err := o.engine.api.ContainerInspect(ctx, name, client.ContainerInspectOptions{})
	if gone(err) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	if found.Container.Config == nil || found.Container.Config.Labels[LabelOwner] != o.owner {
		return "", true, nil
	}
	return found.Container.ID, false, nil
}

// remove kills and removes the container of a name.
func (o owned) remove(ctx context.Context, name string) error {
	id, _, err := o.find(ctx, name)
	if err != nil || id == "" {
		return err
	}
	return o.engine.removeID(ctx, id)
}

// takeName removes the container of a name that an earlier try left. One of somebody
// else is code conflict.
func (o owned) takeName(ctx context.Context, op, name string) error {
	id, foreign, err := o.find(ctx, name)
	switch {
	case err != nil:
		return err
	case foreign:
		return fairlead.Errorf(fairlead.Conflict, op, "the engine has a container called %s that is not this installation's", name).WithHint("remove or rename it; it was not touched")
	case id == "":
		return nil
	}
	return o.engine.removeID(ctx, id)
}

// removeID kills and removes a container that is known to be this installation's.
func (e *Engine) removeID(ctx context.Context, id string) error {
	for {
		_, err := e.api.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		if err == nil || gone(err) {
			return nil
		}
		if ctx.Err() != nil || !inProgress(err) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// inProgress reports whether an engine says that a removal is under way already.
func inProgress(err error) bool { return strings.Contains(err.Error(), "in progress") }
