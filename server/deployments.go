package server

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/app"
	"github.com/fairlead/fairlead/release"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/server/images"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/room"
)

// deployments bring releases into environments: a release is made, and a rollout
// begun.
type deployments struct {
	releases *release.Maker
	images   *images.Store
	engine   *rollout.Engine
	routes   *sync.Mutex // held from the look for a free route and for room until a rollout has them
	making   *sites      // where a deploy is being made
	rooms    *rooms
	log      *slog.Logger
}

// sites are those where something is under way. It is safe for concurrent use.
type sites struct {
	mu   sync.Mutex
	busy map[fairlead.Site]bool
}

// enter takes a site, or says that another deploy has it: of two at once one would
// make a release for nothing.
func (s *sites) enter(site fairlead.Site) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[site] {
		return fairlead.Errorf(fairlead.Conflict, "deploy "+site.App, "another deploy to %s is on its way", site.Env).
			WithHint("wait for it: fairlead status %s; or stop it then: fairlead abort %s --env %s", site.App, site.App, site.Env)
	}
	s.busy[site] = true
	return nil
}

func (s *sites) leave(site fairlead.Site) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, site)
}

// Deploy makes a release of a file and its tree and begins its rollout. tell, which
// may be nil, hears how far it is.
func (d deployments) Deploy(ctx context.Context, in client.Deploy, by fairlead.Principal, tell func(fairlead.Progress)) (fairlead.Release, rollout.Rollout, bool, error) {
	complete := app.Complete(in.App)
	if err := app.Check(complete); err != nil {
		return fairlead.Release{}, rollout.Rollout{}, false, err
	}
	environment, err := release.Environment(fairlead.Release{App: in.App.Metadata.Name, Policy: complete.Spec.Environments}, in.Env)
	if err != nil {
		return fairlead.Release{}, rollout.Rollout{}, false, err
	}
	site := fairlead.Site{App: in.App.Metadata.Name, Env: environment.Name}
	if err := d.making.enter(site); err != nil {
		return fairlead.Release{}, rollout.Rollout{}, false, err
	}
	defer d.making.leave(site)
	if err := d.possible(ctx, complete, site, environment); err != nil {
		return fairlead.Release{}, rollout.Rollout{}, false, err
	}
	if err := d.warn(ctx, complete.Spec, site, environment, tell); err != nil {
		return fairlead.Release{}, rollout.Rollout{}, false, err
	}
	defer d.made(ctx, site)
	r, made, err := d.releases.Make(ctx, release.Making{App: complete, Tree: in.Tree, Env: site.Env, Tell: tell}, by)
	if err != nil {
		return r, rollout.Rollout{}, false, err
	}
	if text := runsAs(r, site.Env); made && text != "" && tell != nil {
		tell(fairlead.Progress{Note: text})
	}
	if err := d.images.Keep(ctx, r); err != nil {
		return r, rollout.Rollout{}, false, err
	}
	ro, err := d.begin(ctx, r, in.Env, rollout.Forward, "", by)
	return r, ro, made, err
}

// madeWithin bounds how long an engine is asked to remove what a deploy leaves.
const madeWithin = 30 * time.Second

// made removes what a deploy leaves in the engine beside a release, also when nobody
// waits for the deploy any more.
func (d deployments) made(ctx context.Context, site fairlead.Site) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), madeWithin)
	defer cancel()
	if err := d.images.Made(ctx, site); err != nil {
		d.log.Warn("what was made for a deploy stays in the engine; down removes it", "app", site.App, "env", site.Env, "error", err)
	}
}

// possible refuses a deploy that would be refused after a release was made for
// nothing: something is moving there already, its route is another's, it lacks a secret,
// or the machine has no room for it at all.
func (d deployments) possible(ctx context.Context, a fairlead.App, site fairlead.Site, environment fairlead.Environment) error {
	for _, state := range d.engine.Sites() {
		if r := state.Rollout; state.Live.Site == site && r != nil && r.Moving() {
			return fairlead.Errorf(fairlead.Conflict, "deploy "+site.App, "%s@%d is on its way to %s (%s)", r.Site.App, r.To, site.Env, r.Phase).
				WithHint("wait for it, or stop it with: fairlead abort %s --env %s", r.Site.App, site.Env)
		}
	}
	if err := d.routeFree(site, environment.Route); err != nil {
		return err
	}
	versions, err := d.releases.Secrets(ctx, site.Env, a.Spec.Secrets)
	if err != nil {
		return err
	}
	var missing []string
	for _, ref := range a.Spec.Secrets {
		if versions[ref.Name] == 0 {
			missing = append(missing, ref.Name)
		}
	}
	if err := lacking("deploy "+site.App, site.Env, missing); err != nil {
		return err
	}
	return d.rooms.possible(ctx, wish{
		Beginning: rollout.Beginning{Site: site, Release: room.NotMade, Environment: environment, Kind: rollout.Forward},
		resources: a.Spec.Resources, volumes: a.Spec.Volumes,
	})
}

// warn tells what of a file may hurt users while its release comes in.
func (d deployments) warn(ctx context.Context, spec fairlead.AppSpec, site fairlead.Site, environment fairlead.Environment, tell func(fairlead.Progress)) error {
	if tell == nil {
		return nil
	}
	instances, err := d.rooms.list(ctx)
	if err != nil {
		return err
	}
	if text := app.Impatience(spec, environment, startOf(instances, site)); text != "" {
		tell(fairlead.Progress{Note: text})
	}
	return nil
}

// startOf is how long instances of a site took to be ready, 0 where none is: the least of
// all, for one that was unready since, or started again, is ready since then only.
func startOf(instances []workload.Status, site fairlead.Site) time.Duration {
	var least time.Duration
	for _, i := range instances {
		took := i.ReadySince.Sub(i.Started)
		if i.Site == site && !i.ReadySince.IsZero() && took > 0 && (least == 0 || took < least) {
			least = took
		}
	}
	return least
}

// lacking is the error of an environment that has no value for some secrets, or nil.
func lacking(op, env string, missing []string) error {
	if len(missing) == 0 {
		return nil
	}
	return fairlead.Errorf(fairlead.Conflict, op, "%s has no value for: %s", env, strings.Join(missing, ", ")).
		WithHint("set it with: fairlead secret set %s --env %s; then deploy again, for a release names the versions that it takes", missing[0], env)
}

// Promote begins the rollout of an existing release in another environment.
func (d deployments) Promote(ctx context.Context, in client.Promote, by fairlead.Principal) (fairlead.Release, rollout.Rollout, error) {
	r, err := d.releases.Get(ctx, in.App, in.Number)
	if err != nil {
		return r, rollout.Rollout{}, err
	}
	if in.Env == "" {
		return r, rollout.Rollout{}, fairlead.Errorf(fairlead.Invalid, "promote "+r.Name(), "no environment is named")
	}
	ro, err := d.begin(ctx, r, in.Env, rollout.Forward, "", by)
	return r, ro, err
}

// Rollback turns a moving or watched rollout back, or brings the previous release
// back where none is.
func (d deployments) Rollback(ctx context.Context, site fairlead.Site, a rollout.Ask, by fairlead.Principal) (rollout.Rollout, error) {
	op := "roll back " + site.String()
	if !by.May(fairlead.Operator) {
		return rollout.Rollout{}, fairlead.Errorf(fairlead.Forbidden, op, "this needs the role %s", fairlead.Operator)
	}
	for _, state := range d.engine.Sites() {
		if state.Live.Site != site {
			continue
		}
		if state.Rollout != nil && state.Rollout.Phase != rollout.Ended {
			return d.engine.Act(ctx, site, a, by)
		}
		switch done, err := state.Meant(a, op); {
		case err != nil:
			return rollout.Rollout{}, err
		case done:
			return *state.Rollout, nil
		}
		if state.Live.Previous == 0 {
			return rollout.Rollout{}, fairlead.Errorf(fairlead.Conflict, op,
				"%s@%d is live and no release was live there before it", site.App, state.Live.Stable).
				WithHint("see which releases there are: fairlead releases %s; bring one back with: fairlead promote %s@N --to %s", site.App, site.App, site.Env)
		}
		r, err := d.releases.Get(ctx, site.App, state.Live.Previous)
		if err != nil {
			return rollout.Rollout{}, err
		}
		return d.begin(ctx, r, site.Env, rollout.Back, a.Why, by)
	}
	return rollout.Rollout{}, fairlead.Errorf(fairlead.NotFound, op, "nothing was deployed there").
		WithHint("see what is where with: fairlead status")
}

func (d deployments) begin(ctx context.Context, r fairlead.Release, env string, kind rollout.Kind, why fairlead.Sealed, by fairlead.Principal) (rollout.Rollout, error) {
	environment, err := release.Environment(r, env)
	if err != nil {
		return rollout.Rollout{}, err
	}
	site := fairlead.Site{App: r.App, Env: environment.Name}
	if err := lacking("bring "+r.Name()+" to "+site.Env, site.Env, release.MissingSecrets(r, site.Env)); err != nil {
		return rollout.Rollout{}, err
	}
	d.routes.Lock()
	defer d.routes.Unlock()
	if err := d.routeFree(site, environment.Route); err != nil {
		return rollout.Rollout{}, err
	}
	beginning, err := d.rooms.admit(ctx, wish{
		Beginning: rollout.Beginning{Site: site, Release: r.Number, Digest: r.Digest, Environment: environment, Kind: kind, By: by, Why: why, Loosened: r.Content.Loosen.Words()},
		resources: r.Content.Resources, volumes: r.Content.Volumes,
	})
	if err != nil {
		return rollout.Rollout{}, err
	}
	return d.engine.Begin(ctx, beginning)
}

// routeFree refuses a route that another site has, is about to have, or may go
// back to.
func (d deployments) routeFree(site fairlead.Site, route fairlead.Route) error {
	for _, state := range d.engine.Sites() {
		taken := []fairlead.Route{state.Live.Route}
		if r := state.Rollout; r != nil && r.Phase != rollout.Ended {
			taken = append(taken, r.Route, r.OldRoute)
		}
		if state.Live.Site != site && slices.ContainsFunc(taken, func(t fairlead.Route) bool { return sameRoute(t, route) }) {
			return fairlead.Errorf(fairlead.Conflict, "deploy to "+site.String(), "the route %s%s is %s's", route.Host, route.PathPrefix, state.Live.Site).
				WithHint("give it another host or path under spec.route")
		}
	}
	return nil
}

func sameRoute(a, b fairlead.Route) bool {
	return strings.EqualFold(a.Host, b.Host) && a.PathPrefix == b.PathPrefix
}
