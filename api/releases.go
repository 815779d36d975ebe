package api

import (
	"context"
	"math"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/rollout"
)

func (s *server) registerReleases(api huma.API) {
	register(api, http.MethodGet, "/v1/apps/{app}/releases", "listReleases", "An app's releases, newest first",
		func(ctx context.Context, in *struct {
			App   string `path:"app"`
			Limit int    `query:"limit" minimum:"0" doc:"how many at most; default all"`
		}) ([]client.Release, error) {
			return s.releases(ctx, in.App, in.Limit)
		})
	register(api, http.MethodPost, "/v1/deploy", "deploy", "Make a release and bring it to an environment",
		func(ctx context.Context, in *struct{ Body client.Deploy }) (client.Deployed, error) {
			rel, r, made, err := s.Deployments.Deploy(ctx, in.Body, principal(ctx), nil)
			return s.deployed(ctx, rel, r, made, err)
		})
	register(api, http.MethodPost, "/v1/promote", "promote", "Bring a release to another environment",
		func(ctx context.Context, in *struct{ Body client.Promote }) (client.Deployed, error) {
			rel, r, err := s.Deployments.Promote(ctx, in.Body, principal(ctx))
			return s.deployed(ctx, rel, r, false, err)
		})
}

func (s *server) deployed(ctx context.Context, rel fairlead.Release, r rollout.Rollout, made bool, err error) (client.Deployed, error) {
	if err != nil {
		return client.Deployed{}, err
	}
	d := client.Deployed{Created: made}
	if d.Rollout, err = s.rollout(ctx, r.ID); err == nil {
		d.Release, err = s.viewRelease(ctx, rel)
	}
	return d, err
}

func (s *server) releases(ctx context.Context, app string, limit int) ([]client.Release, error) {
	if limit == 0 {
		limit = math.MaxInt
	}
	all, err := s.Releases.Newest(ctx, app, limit)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fairlead.Errorf(fairlead.NotFound, "list releases", "there is no app %q", app).
			WithHint("see which there are with: fairlead status")
	}
	views := make([]client.Release, len(all))
	for i, r := range all {
		if views[i], err = s.viewRelease(ctx, r); err != nil {
			return nil, err
		}
	}
	return views, nil
}

func (s *server) viewRelease(ctx context.Context, r fairlead.Release) (client.Release, error) {
	view := client.Release{
		App: r.App, Number: r.Number, Digest: r.Digest, Created: r.Created, By: s.Open(ctx, r.By),
		Content: r.Content, History: map[string]string{}, RunsAs: s.RunsAs(r),
	}
	if c := r.Source; c != nil {
		view.Commit = &client.Commit{
			Repository: c.Repository, Ref: c.Ref, Hash: c.Hash, Author: s.Open(ctx, c.Author),
			Time: c.Time, Subject: s.Open(ctx, c.Subject), BuildLog: string(c.BuildLog),
		}
	}
	for _, state := range s.Engine.Sites() {
		if state.Live.Site.App == r.App && state.Live.Stable == r.Number {
			view.Live = append(view.Live, state.Live.Site.Env)
		}
	}
	history, err := s.Engine.History(ctx, r.App, r.Number)
	for _, past := range history {
		view.History[past.Site.Env] = string(past.Outcome)
		view.Rollouts = append(view.Rollouts, s.took(ctx, past))
	}
	return view, err
}
