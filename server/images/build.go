package images

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/app"
	"github.com/fairlead/fairlead/artifact"
	"github.com/fairlead/fairlead/release"
	"github.com/fairlead/fairlead/workload/container"
)

// buildWithin is the longest that the build of an image may take.
const buildWithin = 30 * time.Minute

// builder has the engine build images.
type builder struct {
	trees         *artifact.Store
	fetcher       fetcher
	root, program string // of the runtime, and this one: see container.Outlet
}

// build builds the image of an App file's Dockerfile from the context that was
// uploaded with it.
func (b builder) build(ctx context.Context, engine *container.Engine, m release.Making) (found, error) {
	a := m.App.Spec.Artifact
	if m.Tree == "" {
		return found{}, fairlead.Errorf(fairlead.Invalid, "", "the context of %s was not uploaded", a.Dockerfile).WithHint("deploy with: fairlead deploy -f FILE")
	}
	tree, err := b.trees.Manifest(m.Tree)
	if err != nil {
		return found{}, err
	}
	dockerfile, err := readDockerfile(b.trees, tree, app.BuildFile(a))
	if err != nil {
		return found{}, err
	}
	bases, outlet, err := b.bases(ctx, engine, m, dockerfile)
	if err != nil {
		return found{}, err
	}
	image, log, err := b.run(ctx, engine, m, tree, outlet)
	if err != nil {
		return found{}, err
	}
	buildLog, _, err := b.trees.Put(ctx, bytes.NewReader(log))
	if err != nil {
		return found{}, fmt.Errorf("store the build's log: %w", err)
	}
	return found{Image: image, bases: bases, buildLog: buildLog}, nil
}

func (b builder) run(ctx context.Context, engine *container.Engine, m release.Making, tree artifact.Manifest, outlet *container.Outlet) (container.Image, []byte, error) {
	m.Tell(fairlead.Progress{Doing: "building the image", Detail: "sending its context"})
	from, to := io.Pipe()
	wrote := make(chan error, 1)
	go func() { // ends with the build, which closes the pipe
		err := pack(b.trees, tree, to)
		_ = to.CloseWithError(err)
		wrote <- err
	}()
	a := m.App.Spec.Artifact
	id, log, err := engine.Build(ctx, container.Build{
		Context: from, Dockerfile: app.BuildFile(a), Arguments: a.BuildArgs, Target: a.Target, Outlet: outlet, Within: buildWithin, Tell: m.Tell,
	})
	_ = from.CloseWithError(errBuilt)
	if packing := <-wrote; packing != nil && !errors.Is(packing, errBuilt) {
		return container.Image{}, nil, fmt.Errorf("send the build its context: %w", packing)
	}
	if err != nil && len(log) > 0 {
		return container.Image{}, nil, fairlead.Errorf(fairlead.CodeOf(err), "", "%w; the end of its log:\n%s", err, log[max(0, len(log)-2000):]).
			WithHint("%s", fairlead.HintOf(err))
	}
	if err != nil {
		return container.Image{}, nil, err
	}
	image, err := engine.Image(ctx, string(id))
	return image, log, err
}

// errBuilt ends the writing of what nobody reads any more.
var errBuilt = errors.New("the build has ended")

// bases sees to it that the images are there that a Dockerfile begins with, and says
// which they are. With one from a registry the build's commands, such as those that
// install packages, reach the outside of this machine by an outlet.
func (b builder) bases(ctx context.Context, engine *container.Engine, m release.Making, dockerfile []byte) (bases map[string]string, outlet *container.Outlet, err error) {
	a := m.App.Spec.Artifact
	names, err := container.Bases(dockerfile, a.BuildArgs, a.Target)
	if err != nil || len(names) == 0 {
		return nil, nil, err
	}
	by := login{m.Env, a.Credentials}
	if err := b.fetcher.logins.forAll(ctx, by, names); err != nil {
		return nil, nil, err
	}
	bases = map[string]string{}
	for _, name := range names {
		base, err := b.fetcher.fetch(ctx, engine, wanted{name, by, m.Tell})
		if err == nil {
			err = base.Fetches()
		}
		if err != nil {
			return nil, nil, fmt.Errorf("the base image %s: %w", name, err)
		}
		if bases[name] = base.pinned; base.pinned == "" {
			bases[name] = string(base.ID)
		}
		if base.pinned != "" {
			outlet = &container.Outlet{Root: b.root, Program: b.program, Image: base.ID}
		}
	}
	return bases, outlet, nil
}
