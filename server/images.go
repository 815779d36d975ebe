package server

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/artifact"
	"github.com/fairlead/fairlead/server/images"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/container"
)

// newImages returns the images of the state directory's releases, in the engine that
// listens at host.
func (s *control) newImages(host func() string) *images.Store {
	return images.New(images.Config{
		Host: host, Root: s.run(), Program: s.Program, Scratch: s.scratch(), Trees: s.trees,
		Reveal: s.newest, Getenv: os.Getenv, Known: s.knownImage,
	})
}

// engineHost returns where the engine for containers listens, or nothing.
func (s *control) engineHost() string {
	if s.Engine == "" {
		return container.Find(os.Getenv)
	}
	if filepath.IsAbs(s.Engine) {
		return "unix://" + s.Engine
	}
	return s.Engine
}

// lastEngineHost returns where the engine listens that has the images of releases.
func (s *control) lastEngineHost() string {
	last, err := container.LastEngine(s.run())
	if err != nil {
		s.Log.Warn("which engine was used last cannot be read", "error", err)
	}
	return cmp.Or(last, s.engineHost())
}

// knownImage returns the tree in which one of an app's newest releases keeps an image,
// and the log of the build that made it.
func (s *control) knownImage(ctx context.Context, app string, id fairlead.Digest) (kept, buildLog fairlead.Digest) {
	newest, err := s.releases.Newest(ctx, app, 50)
	if err != nil {
		return "", "" // it is kept again
	}
	for _, r := range newest {
		if image := r.Content.Image; image != nil && image.ID == id {
			kept, buildLog = cmp.Or(kept, r.Kept), cmp.Or(buildLog, image.BuildLog)
		}
	}
	return kept, buildLog
}

// newest returns the newest version of a secret.
func (s *control) newest(ctx context.Context, env, name string) ([]byte, error) {
	versions, err := s.vault.Versions(ctx, env, []fairlead.SecretRef{{Name: name}})
	if err != nil {
		return nil, err
	}
	return s.vault.Reveal(ctx, env, name, versions[name])
}

// sweepImages is images.Store.Sweep beside everything else: an engine may be slow or
// away.
func (s *control) sweepImages(ctx context.Context) {
	releases, err := s.allReleases(ctx)
	if err == nil {
		err = s.images.Sweep(ctx, releases)
	}
	if err != nil && ctx.Err() == nil {
		s.Log.Warn("images that no release has were not looked for; the next start looks again", "error", err)
	}
}

// forgetImages is images.Store.Forget, for the end of everything.
func (s *control) forgetImages() error {
	if s.store == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	releases, err := s.allReleases(ctx)
	if err != nil {
		return err
	}
	return s.images.Forget(ctx, releases)
}

// places says where the files of releases are.
type places struct {
	trees  *artifact.Store
	images *images.Store
}

// place is where the files of a release are: in a directory, or in an image.
type place struct {
	dir   string
	image *workload.Image
}

// of puts the files of a release in place, for an environment whose secrets open its
// registry.
func (p places) of(ctx context.Context, r fairlead.Release, env string) (where place, err error) {
	if r.Content.Image != nil {
		where.image, err = p.images.Provide(ctx, r, env)
		return where, err
	}
	where.dir, err = p.trees.Materialise(ctx, r.Content.Artifact)
	return where, err
}

// job is of for a job of a release.
func (p places) job(ctx context.Context, r fairlead.Release, env string) (string, *workload.Image, error) {
	where, err := p.of(ctx, r, env)
	return where.dir, where.image, err
}
