package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/workload"
)

type appPath struct {
	App string `path:"app"`
}

type sitePath struct {
	App string `path:"app"`
	Env string `path:"env"`
}

func (p sitePath) site() fairlead.Site { return fairlead.Site{App: p.App, Env: p.Env} }

// actInput names its site by fields of its own: huma does not look into embedded
// structs that are not exported.
type actInput struct {
	App    string `path:"app"`
	Env    string `path:"env"`
	Action string `path:"action" enum:"rollback,pause,resume,abort"`
	Body   client.Act
}

func (in actInput) site() fairlead.Site { return fairlead.Site{App: in.App, Env: in.Env} }

func (s *server) registerSites(api huma.API) {
	register(api, http.MethodGet, "/v1/apps", "listApps", "All apps",
		func(ctx context.Context, _ *struct{}) ([]client.App, error) { return s.apps(ctx) })
	register(api, http.MethodGet, "/v1/apps/{app}", "getApp", "One app in all its environments",
		func(ctx context.Context, in *appPath) (client.App, error) { return s.app(ctx, in.App) })
	register(api, http.MethodGet, "/v1/rollouts/{id}", "getRollout", "A rollout",
		func(ctx context.Context, in *struct {
			ID string `path:"id"`
		}) (client.Rollout, error) {
			return s.rollout(ctx, in.ID)
		})
	register(api, http.MethodGet, "/v1/sites/{app}/{env}/explain", "explain", "Why a site is where it is",
		func(ctx context.Context, in *sitePath) (client.Explanation, error) { return s.explain(ctx, in.site()) })
	register(api, http.MethodPost, "/v1/sites/{app}/{env}/{action}", "act", "Roll back, pause, resume or abort",
		func(ctx context.Context, in *actInput) (client.Rollout, error) { return s.act(ctx, in) })
}

func (s *server) act(ctx context.Context, in *actInput) (client.Rollout, error) {
	by := principal(ctx)
	why, err := s.sealReason(ctx, in.Body.Reason, by)
	if err != nil {
		return client.Rollout{}, err
	}
	ask := rollout.Ask{Command: rollout.Command(in.Action), Why: why, Rollout: in.Body.Rollout, To: in.Body.To}
	var r rollout.Rollout
	if in.Action == "rollback" {
		r, err = s.Deployments.Rollback(ctx, in.site(), ask, by)
	} else {
		r, err = s.Engine.Act(ctx, in.site(), ask, by)
	}
	if err != nil {
		return client.Rollout{}, err
	}
	return s.rollout(ctx, r.ID)
}

// sealReason makes a person's reason storable, as theirs. One of nothing but space is none.
func (s *server) sealReason(ctx context.Context, reason string, by fairlead.Principal) (fairlead.Sealed, error) {
	reason = strings.TrimSpace(reason)
	if reason == "" {
		return "", nil
	}
	return s.Seal(ctx, s.Open(ctx, by.ID), reason)
}

func (s *server) rollout(ctx context.Context, id string) (client.Rollout, error) {
	state, err := s.Engine.Find(ctx, id)
	if err != nil {
		return client.Rollout{}, err
	}
	return s.viewRollout(ctx, state)
}

func (s *server) apps(ctx context.Context) ([]client.App, error) {
	instances, err := s.Instances.List(ctx)
	if err != nil {
		return nil, err
	}
	apps := []client.App{}
	for _, state := range s.Engine.Sites() {
		name := state.Live.Site.App
		if len(apps) == 0 || apps[len(apps)-1].Name != name {
			app, err := s.viewApp(ctx, name, instances)
			if err != nil {
				return nil, err
			}
			apps = append(apps, app)
		}
	}
	return apps, nil
}

func (s *server) app(ctx context.Context, name string) (client.App, error) {
	instances, err := s.Instances.List(ctx)
	if err != nil {
		return client.App{}, err
	}
	return s.viewApp(ctx, name, instances)
}

// viewApp puts an app's sites in the order of its newest release's file.
func (s *server) viewApp(ctx context.Context, name string, instances []workload.Status) (client.App, error) {
	newest, err := s.Releases.Newest(ctx, name, 1)
	if err != nil {
		return client.App{}, err
	}
	if len(newest) == 0 {
		return client.App{}, fairlead.Errorf(fairlead.NotFound, "find app", "there is no app %q", name).
			WithHint("see which there are with: fairlead status")
	}
	app := client.App{Name: name, Newest: newest[0].Number, Sites: []client.Site{}}
	for _, state := range s.Engine.Sites() {
		if state.Live.Site.App != name {
			continue
		}
		site, err := s.viewSite(ctx, state, instances)
		if err != nil {
			return client.App{}, err
		}
		app.Sites = append(app.Sites, site)
	}
	order := map[string]int{}
	for i, env := range newest[0].Policy {
		order[env.Name] = i
	}
	slices.SortStableFunc(app.Sites, func(a, b client.Site) int { return order[a.Env] - order[b.Env] })
	return app, nil
}

func (s *server) explain(ctx context.Context, site fairlead.Site) (client.Explanation, error) {
	instances, err := s.Instances.List(ctx)
	if err != nil {
		return client.Explanation{}, err
	}
	for _, state := range s.Engine.Sites() {
		if state.Live.Site == site {
			view, err := s.viewSite(ctx, state, instances)
			return client.Explanation{Site: view, Sentences: append(rollout.Explain(state, s.Now()), warnings(view)...)}, err
		}
	}
	return client.Explanation{}, fairlead.Errorf(fairlead.NotFound, "explain", "nothing was deployed to %s", site).
		WithHint("see what is where with: fairlead status")
}
