package server

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/artifact"
	"github.com/fairlead/fairlead/release"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/container"
)

// images makes what App files say of container images into what releases hold. The
// engine is opened when the first image asks for it: apps without images need none.
// It is safe for concurrent use, and must not be copied.
type images struct {
	host    func() string // where an engine listens, or nothing
	scratch string        // a directory for what is being made
	trees   *artifact.Store

	mu     sync.Mutex
	opened *container.Engine
}

func (s *control) newImages() *images {
	return &images{host: s.engineHost, scratch: s.scratch(), trees: s.trees}
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

// engine returns the engine, which it opens unless it is open.
func (i *images) engine(ctx context.Context) (*container.Engine, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.opened == nil {
		engine, err := container.Open(ctx, i.host())
		if err != nil {
			return nil, err
		}
		i.opened = engine
	}
	return i.opened, nil
}

// close ends the connection to the engine, if there is one.
func (i *images) close() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.opened == nil {
		return nil
	}
	return i.opened.Close()
}

// resolve finds the image that an App file names and makes it a part of a release.
func (i *images) resolve(ctx context.Context, a fairlead.App, _ fairlead.Digest) (release.Imaged, error) {
	engine, err := i.engine(ctx)
	if err != nil {
		return release.Imaged{}, err
	}
	if a.Spec.Artifact.Image == "" {
		return release.Imaged{}, fairlead.Errorf(fairlead.Unsupported, "", "images from a Dockerfile or an archive are not made yet").WithHint("name an image under spec.artifact.image")
	}
	found, err := engine.Image(ctx, a.Spec.Artifact.Image)
	if err != nil {
		return release.Imaged{}, err
	}
	if err := runsHere(found.Platform); err != nil {
		return release.Imaged{}, err
	}
	tree, err := i.tree(ctx, found)
	if err != nil {
		return release.Imaged{}, err
	}
	made := release.Imaged{
		Image: fairlead.Image{
			ID: found.ID, Reference: a.Spec.Artifact.Image, Platform: found.Platform,
			User: found.User, WorkDir: found.WorkDir, Bytes: found.Bytes,
		},
		Tree: tree, Command: found.Command,
	}
	if len(found.Ports) == 1 {
		made.Port = found.Ports[0]
	}
	return made, nil
}

// runsHere refuses an image that was made for other machines.
func runsHere(platform string) error {
	here := "linux/" + runtime.GOARCH
	if platform == here || strings.HasPrefix(platform, here+"/") {
		return nil
	}
	return fairlead.Errorf(fairlead.Invalid, "", "it is made for %s, and this machine is %s", platform, here).
		WithHint("build it for this machine: docker build --platform %s", here)
}

// tree stores what a release shows of an image.
func (i *images) tree(ctx context.Context, found container.Image) (digest fairlead.Digest, err error) {
	dir, err := os.MkdirTemp(i.scratch, "image-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }() // else the next start's sweep does
	if err := os.WriteFile(filepath.Join(dir, "image.json"), found.Config, 0o600); err != nil {
		return "", err
	}
	digest, _, err = i.trees.PutTree(ctx, dir)
	return digest, err
}

// place is where the files of a release are: in a directory, or in an image.
type place struct {
	dir   string
	image *workload.Image
}

// place puts the files of a release in place.
func (i *images) place(ctx context.Context, r fairlead.Release) (place, error) {
	image := r.Content.Image
	if image == nil {
		dir, err := i.trees.Materialise(ctx, r.Content.Artifact)
		return place{dir: dir}, err
	}
	engine, err := i.engine(ctx)
	if err != nil {
		return place{}, err
	}
	return place{image: &workload.Image{ID: image.ID, Name: r.Name(), Engine: engine.Host, User: image.User, WorkDir: image.WorkDir}}, nil
}

// job gives a job of a release its place.
func (i *images) job(ctx context.Context, r fairlead.Release) (string, *workload.Image, error) {
	where, err := i.place(ctx, r)
	return where.dir, where.image, err
}
