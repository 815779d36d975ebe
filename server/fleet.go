package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/release"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/container"
)

// fleet runs instances of releases on a runtime: it puts the artifact in place
// and hands over the secrets.
type fleet struct {
	workload.Runtime
	program  string // of Fairlead, the first process of each container
	now      func() time.Time
	releases *release.Maker
	places   places
	volumes  *volumes
	devices  *devices // nil where none are kept
	deliver  func(ctx context.Context, env string, versions map[string]int) (map[string][]byte, error)
}

// Start starts an instance of a release.
func (f fleet) Start(ctx context.Context, order fairlead.Order, id string, p rollout.Place) error {
	r, err := f.releases.Get(ctx, p.Site.App, p.Release)
	if err != nil {
		return err
	}
	env, err := release.Environment(r, p.Site.Env)
	if err != nil {
		return err
	}
	if err := f.ableTo(r); err != nil {
		return err
	}
	where, err := f.places.of(ctx, r, p.Site.Env)
	if err != nil {
		return fmt.Errorf("put the artifact of %s in place: %w", r.Name(), err)
	}
	volumes, err := f.volumes.prepare(ctx, r, env.Name, where.image)
	if err != nil {
		return err
	}
	secrets, err := f.deliver(ctx, p.Site.Env, r.Content.Secrets[p.Site.Env])
	if err != nil {
		return fmt.Errorf("secrets of %s: %w", r.Name(), err)
	}
	return f.startWithDevices(ctx, order, p, f.spec(id, where, volumes, r, env), secrets)
}

// ableTo says why no instance of a release can be started here, whatever it is.
func (f fleet) ableTo(r fairlead.Release) error {
	if r.Content.Image == nil {
		return nil
	}
	if err := container.RunsInContainers(f.program); err != nil {
		return workload.Unable{Err: fmt.Errorf("%w; %s", err, fairlead.HintOf(err))}
	}
	return nil
}

func (f fleet) spec(id string, where place, volumes []workload.Volume, r fairlead.Release, env fairlead.Environment) workload.Spec {
	c := r.Content
	variables := maps.Clone(c.Env)
	if variables == nil {
		variables = map[string]string{}
	}
	maps.Copy(variables, c.EnvIn[env.Name])
	return workload.Spec{
		ID: id, Site: fairlead.Site{App: r.App, Env: env.Name}, Release: r.Number, Digest: r.Digest,
		Dir: where.dir, Image: where.image, Loosen: c.Loosen, Command: c.Command, Env: variables, Port: c.Port, Readiness: c.Readiness, Health: c.Health,
		Resources: c.Resources, Network: c.Network, Volumes: volumes, Sandbox: env.Sandbox, Ordered: f.now(),
	}
}

// endAll stops and forgets every instance, for the end of everything.
func (f fleet) endAll(ctx context.Context, order func() fairlead.Order) error {
	all, err := f.List(ctx) // those that can be read end also where some cannot
	failed := make(chan error, len(all))
	for _, s := range all {
		go func() {
			err := f.Stop(ctx, order(), s.ID, 5*time.Second)
			if err == nil {
				err = f.Remove(ctx, order(), s.ID)
			}
			failed <- err
		}()
	}
	for range all {
		err = errors.Join(err, <-failed)
	}
	return err
}
