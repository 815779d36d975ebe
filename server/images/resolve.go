package images

import (
	"context"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/release"
	"github.com/fairlead/fairlead/workload/container"
)

// resolver makes what an App file says of an image into what a release holds.
type resolver struct {
	fetcher  fetcher
	builder  builder
	archives archives
	making   *making
	shown    shown
	known    func(ctx context.Context, app string, id fairlead.Digest) (kept, buildLog fairlead.Digest)
}

// found is an image that was found or made for a release.
type found struct {
	container.Image
	pinned   string            // the registry's name by digest; none for one that no registry gave
	bases    map[string]string // of a Dockerfile
	buildLog fairlead.Digest
	kept     fairlead.Digest // the tree from which it can be loaded again
}

func (r resolver) resolve(ctx context.Context, engine *container.Engine, m release.Making) (release.Imaged, error) {
	reference, image, err := r.find(ctx, engine, m)
	if err == nil {
		err = image.RunsHere()
	}
	if err != nil {
		return release.Imaged{}, err
	}
	kept, buildLog := r.known(ctx, m.App.Metadata.Name, image.ID)
	if image.buildLog != "" && buildLog != "" {
		image.buildLog = buildLog // the same image again: what made it is on record, and it is no other release
	}
	if image.pinned == "" && image.kept == "" {
		if image.kept = kept; kept == "" {
			image.kept, err = r.archives.save(ctx, engine, image.Image, m.Tell)
		}
	}
	if err != nil {
		return release.Imaged{}, err
	}
	m.Tell(fairlead.Progress{Doing: "reading what the image holds"})
	tree, err := r.shown.tree(ctx, engine, image.Image, m.App.Spec)
	if err != nil {
		return release.Imaged{}, err
	}
	imaged := release.Imaged{
		Image: fairlead.Image{
			ID: image.ID, Reference: reference, Pinned: image.pinned, Platform: image.Platform, Bases: image.bases,
			Target: m.App.Spec.Artifact.Target, BuildArgs: m.App.Spec.Artifact.BuildArgs, BuildLog: image.buildLog, User: image.User, WorkDir: image.WorkDir, Bytes: image.Bytes,
		},
		Tree: tree, Command: image.Command, Kept: image.kept,
	}
	if len(image.Ports) == 1 {
		imaged.Port = image.Ports[0]
	}
	return imaged, nil
}

// find builds, loads or fetches the image, whichever the file says, and returns what
// the file calls it.
func (r resolver) find(ctx context.Context, engine *container.Engine, m release.Making) (reference string, image found, err error) {
	a := m.App.Spec.Artifact
	switch {
	case a.Dockerfile != "":
		image, err = r.made(ctx, engine, m, r.builder.build)
		return a.Dockerfile, image, err
	case a.Archive != "":
		image, err = r.made(ctx, engine, m, r.loaded)
		return a.Archive, image, err
	}
	image, err = r.fetcher.fetch(ctx, engine, wanted{a.Image, login{m.Env, a.Credentials}, m.Tell})
	return a.Image, image, err
}

// made makes an image, which has a name of ours from then on.
func (r resolver) made(ctx context.Context, engine *container.Engine, m release.Making, make func(context.Context, *container.Engine, release.Making) (found, error)) (found, error) {
	nameless, err := engine.Nameless(ctx)
	if err != nil {
		return found{}, err
	}
	image, err := make(ctx, engine, m)
	if err != nil {
		return found{}, err
	}
	site := fairlead.Site{App: m.App.Metadata.Name, Env: m.Env}
	return image, r.making.hold(ctx, engine, site, image.ID, nameless)
}

// loaded loads the archive that was uploaded with an App file.
func (r resolver) loaded(ctx context.Context, engine *container.Engine, m release.Making) (found, error) {
	if m.Tree == "" {
		return found{}, fairlead.Errorf(fairlead.Invalid, "", "the archive %s was not uploaded", m.App.Spec.Artifact.Archive).WithHint("deploy with: fairlead deploy -f FILE")
	}
	id, err := r.archives.load(ctx, engine, m.Tree, m.Tell)
	if err != nil {
		return found{}, err
	}
	image, err := engine.Image(ctx, string(id))
	return found{Image: image, kept: m.Tree}, err
}
