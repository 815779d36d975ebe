// Package images makes what App files say of container images into what releases
// hold, and sees to it that the engine has the images of releases for as long as
// there are any.
//
// The engine is opened when the first image asks for it: apps without images need none.
package images

import (
	"context"
	"errors"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/artifact"
	"github.com/fairlead/fairlead/release"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/container"
)

// Config is what a Store needs. All fields are required.
type Config struct {
	Host    func() string // where an engine listens, or nothing
	Root    string        // the directory of the runtime, whose owner labels what is ours
	Program string        // this one, which runs in containers
	Scratch string        // a directory for what is being made
	Trees   *artifact.Store
	Reveal  func(ctx context.Context, env, name string) ([]byte, error) // the newest version of a secret
	Getenv  func(string) string                                         // names the Docker configuration
	// Known returns what one of an app's releases that has an image already holds of it:
	// the tree in which it is kept, and the log of its build; either may be nothing.
	Known func(ctx context.Context, app string, id fairlead.Digest) (kept, buildLog fairlead.Digest)
}

// Store has the images of releases, in an engine and in the content store. It is safe
// for concurrent use, and must not be copied.
type Store struct {
	engine   connection
	pulls    *pulls
	fetched  *fetched
	making   *making
	resolver resolver
	keeper   keeper
}

// New returns a Store, which the caller closes. It asks no engine.
func New(c Config) *Store {
	pulls, fetched := newPulls(), newFetched(c.Root)
	fetcher := fetcher{pulls: pulls, logins: logins{reveal: c.Reveal, getenv: c.Getenv}, fetched: fetched}
	archives, making := archives{c.Trees}, &making{root: c.Root, names: map[fairlead.Site]string{}}
	return &Store{
		engine: connection{host: c.Host, root: c.Root},
		pulls:  pulls, fetched: fetched, making: making,
		resolver: resolver{
			fetcher: fetcher, builder: builder{trees: c.Trees, fetcher: fetcher, root: c.Root, program: c.Program}, archives: archives,
			making: making, shown: shown{trees: c.Trees, root: c.Root, scratch: c.Scratch}, known: c.Known,
		},
		keeper: keeper{root: c.Root, fetcher: fetcher, archives: archives},
	}
}

// Close ends what is under way and the connection to the engine, if there is one.
func (s *Store) Close() error {
	s.pulls.close()
	return s.engine.close()
}

// Resolve finds or makes the image that an App file names and says what a release
// holds of it. It is a release.Images.
func (s *Store) Resolve(ctx context.Context, m release.Making) (release.Imaged, error) {
	if m.Tell == nil {
		m.Tell = func(fairlead.Progress) {}
	}
	engine, err := s.engine.get(ctx)
	if err != nil {
		return release.Imaged{}, err
	}
	return s.resolver.resolve(ctx, engine, m)
}

// Made ends what Resolve has begun for a site: what it made there leaves the engine
// unless it is kept.
func (s *Store) Made(ctx context.Context, site fairlead.Site) error {
	if engine := s.engine.used(); engine != nil {
		return s.making.end(ctx, engine, site)
	}
	return nil
}

// Keep names a release's image in the engine, so that it stays there while others are
// cleaned up. A release without an image needs nothing.
func (s *Store) Keep(ctx context.Context, r fairlead.Release) error {
	if r.Content.Image == nil {
		return nil
	}
	engine, err := s.engine.get(ctx)
	if err != nil {
		return err
	}
	return s.keeper.keep(ctx, engine, r)
}

// Provide sees to it that the engine has the image of a release that has one, for an
// environment whose secrets open its registry, and returns how instances and jobs
// name it. An engine that does not answer is a workload.Unable.
func (s *Store) Provide(ctx context.Context, r fairlead.Release, env string) (*workload.Image, error) {
	engine, err := s.engine.get(ctx)
	if err != nil {
		return nil, workload.Unable{Err: err}
	}
	err = s.keeper.provide(ctx, engine, r, env)
	if container.Gone(err) {
		err = workload.Unable{Err: err}
	}
	if err != nil {
		return nil, err
	}
	image := r.Content.Image
	return &workload.Image{ID: image.ID, Name: r.Name(), Engine: engine.Host, User: image.User, WorkDir: image.WorkDir}, nil
}

// Sweep takes our names from images in the engine that none of the releases has.
// Without an engine that we ever had anything in, none is asked.
func (s *Store) Sweep(ctx context.Context, releases []fairlead.Release) error {
	return s.untag(ctx, releases, false)
}

// Forget takes all our names from images in the engine, and the registries' from those
// that were fetched for us: a release that starts again brings its image back, from its
// registry or the content store.
func (s *Store) Forget(ctx context.Context, releases []fairlead.Release) error {
	err := errors.Join(s.untag(ctx, releases, true), s.forgetFetched(ctx))
	if err != nil {
		return fairlead.Errorf(fairlead.Unavailable, "remove the names of images", "%w", err).
			WithHint("they begin with %s: docker image ls '%s*'", prefix, prefix)
	}
	return nil
}

// forgetFetched asks no engine that has nothing of ours by a registry's name.
func (s *Store) forgetFetched(ctx context.Context) error {
	names, err := s.fetched.in(s.engine.host())
	if err != nil || len(names) == 0 {
		return err
	}
	engine, err := s.engine.get(ctx)
	if err != nil {
		return err
	}
	return s.fetched.forget(ctx, engine)
}

func (s *Store) untag(ctx context.Context, releases []fairlead.Release, all bool) error {
	names, err := s.keeper.names(releases)
	if err != nil {
		return err
	}
	if last, err := container.LastEngine(s.engine.root); err != nil || last == "" {
		return err
	}
	engine, err := s.engine.get(ctx)
	if err != nil {
		return err
	}
	return s.keeper.untag(ctx, engine, func(name string) bool {
		return !all && (names[name] || s.making.has(name))
	})
}

// rootWithin bounds the question to an engine where its images are.
const rootWithin = 2 * time.Second

// DataRoot returns the directory in which the engine keeps its images, or nothing
// while none is used or it does not answer.
func (s *Store) DataRoot(ctx context.Context) string {
	engine := s.engine.used()
	if engine == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, rootWithin)
	defer cancel()
	about, err := engine.About(ctx)
	if err != nil {
		return ""
	}
	return about.Root
}
