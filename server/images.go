package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/artifact"
	"github.com/fairlead/fairlead/internal/atomicfile"
	"github.com/fairlead/fairlead/release"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/container"
)

// images makes what App files say of container images into what releases hold, and
// sees to it that the engine has them. The engine is opened when the first image
// asks for it: apps without images need none. It is safe for concurrent use, and
// must not be copied.
type images struct {
	host    func() string // where an engine listens, or nothing
	state   string        // the directory of the runtime, whose owner labels what is ours
	scratch string        // a directory for what is being made
	trees   *artifact.Store
	reveal  func(ctx context.Context, env, name string) ([]byte, error) // the newest version of a secret
	getenv  func(string) string
	pulls   *pulls
	known   func(ctx context.Context, app string, id fairlead.Digest) fairlead.Digest // the tree in which a release keeps an image, or nothing

	mu     sync.Mutex
	opened *container.Engine
}

func (s *control) newImages() *images {
	return &images{
		host: s.engineHost, state: s.run(), scratch: s.scratch(), trees: s.trees,
		reveal: s.newest, getenv: os.Getenv, pulls: newPulls(), known: s.keptImage,
	}
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

// keptImage returns the tree in which one of an app's newest releases keeps an image.
func (s *control) keptImage(ctx context.Context, app string, id fairlead.Digest) fairlead.Digest {
	newest, err := s.releases.Newest(ctx, app, 50)
	if err != nil {
		return "" // it is kept again
	}
	for _, r := range newest {
		if r.Content.Image != nil && r.Content.Image.ID == id && r.Kept != "" {
			return r.Kept
		}
	}
	return ""
}

// newest returns the newest version of a secret.
func (s *control) newest(ctx context.Context, env, name string) ([]byte, error) {
	versions, err := s.vault.Versions(ctx, env, []fairlead.SecretRef{{Name: name}})
	if err != nil {
		return nil, err
	}
	return s.vault.Reveal(ctx, env, name, versions[name])
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
		if err := atomicfile.Write(i.noted(), []byte(engine.Host+"\n"), 0o600); err != nil {
			return nil, errors.Join(err, engine.Close())
		}
		i.opened = engine
	}
	return i.opened, nil
}

// noted is where it is noted which engine has what is ours, for who ends it later.
func (i *images) noted() string { return filepath.Join(i.state, "engine") }

// usedEngine returns where the engine listens that has what is ours.
func (i *images) usedEngine() string {
	noted, err := os.ReadFile(i.noted())
	if err != nil {
		return i.host()
	}
	return strings.TrimSpace(string(noted))
}

// close ends what is under way and the connection to the engine, if there is one.
func (i *images) close() error {
	i.pulls.close()
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.opened == nil {
		return nil
	}
	return i.opened.Close()
}

// made is an image that was found or made for a release.
type made struct {
	container.Image
	pinned   string            // the registry's name by digest; none for one that no registry gave
	bases    map[string]string // of a Dockerfile
	buildLog fairlead.Digest
	kept     fairlead.Digest // the tree from which it can be loaded again
}

// resolve finds or makes the image that an App file names and makes it a part of a
// release.
func (i *images) resolve(ctx context.Context, m release.Making) (release.Imaged, error) {
	if m.Tell == nil {
		m.Tell = func(fairlead.Progress) {}
	}
	engine, err := i.engine(ctx)
	if err != nil {
		return release.Imaged{}, err
	}
	a := m.App.Spec.Artifact
	var found made
	var reference string
	switch {
	case a.Dockerfile != "":
		reference = a.Dockerfile
		found, err = i.built(ctx, engine, m)
	case a.Archive != "":
		reference = a.Archive
		found, err = i.loaded(ctx, engine, m)
	default:
		reference = a.Image
		found, err = i.fetched(ctx, engine, m)
	}
	if err == nil {
		err = found.RunsHere()
	}
	if err != nil {
		return release.Imaged{}, err
	}
	if found.pinned == "" && found.kept == "" {
		if found.kept = i.known(ctx, m.App.Metadata.Name, found.ID); found.kept == "" {
			found.kept, err = i.keepFiles(ctx, engine, found.Image, m.Tell)
		}
	}
	if err != nil {
		return release.Imaged{}, err
	}
	m.Tell(fairlead.Progress{Doing: "reading what the image holds"})
	tree, err := i.tree(ctx, engine, found.Image, m.App.Spec)
	if err != nil {
		return release.Imaged{}, err
	}
	imaged := release.Imaged{
		Image: fairlead.Image{
			ID: found.ID, Reference: reference, Pinned: found.pinned, Platform: found.Platform, Bases: found.bases,
			BuildLog: found.buildLog, User: found.User, WorkDir: found.WorkDir, Bytes: found.Bytes,
		},
		Tree: tree, Command: found.Command, Kept: found.kept,
	}
	if len(found.Ports) == 1 {
		imaged.Port = found.Ports[0]
	}
	return imaged, nil
}

// fetched returns an image that the file names by tag or digest, as its registry or
// this machine has it now.
func (i *images) fetched(ctx context.Context, engine *container.Engine, m release.Making) (made, error) {
	reference := m.App.Spec.Artifact.Image
	repository, version := container.Split(reference)
	name, byDigest := repository+":"+version, fairlead.Digest(version).Valid()
	if byDigest {
		name = repository + "@" + version
	}
	held, err := engine.Image(ctx, name)
	has := err == nil
	if err != nil && fairlead.CodeOf(err) != fairlead.NotFound {
		return made{}, err
	}
	if has && byDigest {
		return made{Image: held, pinned: container.Pinned(repository, version)}, nil
	}
	if has && held.PinnedIn(repository) == "" {
		// To ask a registry for the name of what was built here could fetch a stranger's.
		m.Tell(fairlead.Progress{Note: reference + " is an image of this machine: no registry was asked for it"})
		return made{Image: held}, nil
	}
	digest, err := i.pull(ctx, engine, m, name, has)
	if err != nil && has && ctx.Err() == nil && (engine.Podman() || fairlead.CodeOf(err) == fairlead.Unavailable) {
		m.Tell(fairlead.Progress{Note: fmt.Sprintf("%v; the image that this machine has by that name is taken", err)})
		if engine.Podman() { // it gives what was built here a registry's name too
			return made{Image: held}, nil
		}
		return made{Image: held, pinned: held.PinnedIn(repository)}, nil
	}
	if err != nil {
		return made{}, err
	}
	if held, err = engine.Image(ctx, name); err != nil {
		return made{}, err
	}
	found := made{Image: held, pinned: held.PinnedIn(repository)}
	if digest != "" {
		found.pinned = container.Pinned(repository, string(digest))
	}
	return found, nil
}

// pull fetches an image with the credentials that the file or the Docker
// configuration has for it.
func (i *images) pull(ctx context.Context, engine *container.Engine, m release.Making, name string, once bool) (fairlead.Digest, error) {
	credentials, err := i.credentials(ctx, m.App.Spec.Artifact.Credentials, m.Env, name)
	if err != nil {
		return "", err
	}
	order := container.Pull{Name: name, Credentials: credentials, Tell: m.Tell}
	if once {
		order.Attempts = 1
	}
	return i.pulls.pull(ctx, engine, order)
}

// credentials returns what opens the registry of an image.
func (i *images) credentials(ctx context.Context, secret, env, image string) (container.Credentials, error) {
	if secret == "" {
		return container.Login(ctx, i.getenv, image)
	}
	value, err := i.reveal(ctx, env, secret)
	if err != nil {
		return container.Credentials{}, fmt.Errorf("credentials of the registry: %w", err)
	}
	defer clear(value)
	return container.ReadCredentials(value, image)
}

// tree stores what a release shows of an image: what it says of itself, and the
// files that the App file names.
func (i *images) tree(ctx context.Context, engine *container.Engine, image container.Image, spec fairlead.AppSpec) (digest fairlead.Digest, err error) {
	dir, err := os.MkdirTemp(i.scratch, "image-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.WriteFile(filepath.Join(dir, imageFile), image.Config, 0o600); err != nil {
		return "", err
	}
	var named []string
	for _, files := range [][]string{spec.Model, spec.Prompt, spec.Config} {
		named = append(named, files...)
	}
	if err := i.extract(ctx, engine, image, named, dir); err != nil {
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

// place puts the files of a release in place, for an environment whose secrets open
// its registry.
func (i *images) place(ctx context.Context, r fairlead.Release, env string) (place, error) {
	image := r.Content.Image
	if image == nil {
		dir, err := i.trees.Materialise(ctx, r.Content.Artifact)
		return place{dir: dir}, err
	}
	engine, err := i.engine(ctx)
	if err != nil {
		return place{}, workload.Unable{Err: err}
	}
	err = i.hold(ctx, engine, r, env)
	if container.Gone(err) {
		err = workload.Unable{Err: err}
	}
	if err != nil {
		return place{}, err
	}
	return place{image: &workload.Image{ID: image.ID, Name: r.Name(), Engine: engine.Host, User: image.User, WorkDir: image.WorkDir}}, nil
}

// job gives a job of a release its place.
func (i *images) job(ctx context.Context, r fairlead.Release, env string) (string, *workload.Image, error) {
	where, err := i.place(ctx, r, env)
	return where.dir, where.image, err
}
