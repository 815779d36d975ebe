package console

import (
	"context"
	"fmt"
	"slices"

	"github.com/fairlead/fairlead/api/client"
)

// How many of an app's releases and rollouts its page lists.
const (
	listedReleases = 20
	listedRollouts = 10
)

// appPage shows an app: its environments, its releases and its newest rollouts.
func appPage(ctx context.Context, v visit) (view, error) {
	app, err := v.api.App(ctx, v.path("app"))
	if err != nil {
		return view{}, err
	}
	releases, err := v.api.NewestReleases(ctx, app.Name, listedReleases)
	if err != nil {
		return view{}, err
	}
	p := appView{App: app, Releases: releases, Older: max(0, app.Newest-len(releases))}
	for _, site := range app.Sites {
		p.Sites = append(p.Sites, rowOf(site))
	}
	return view{Title: app.Name, Crumbs: fleetCrumbs(), Styles: []string{"fleet.css", "release.css"}, Parts: []part{
		{ID: "app-sites", Template: "app-sites", Data: p},
		{ID: "app-releases", Template: "app-releases", Data: p},
		{ID: "app-rollouts", Template: "app-rollouts", Data: p},
	}}, nil
}

// appView is an app as its page shows it.
type appView struct {
	client.App
	Sites    []siteRow
	Releases []client.Release // newest first
	Older    int              // releases that are not listed
}

// Lines are the releases with how they fared, newest first.
func (a appView) Lines() []releaseLine {
	lines := make([]releaseLine, len(a.Releases))
	for i, r := range a.Releases {
		lines[i] = releaseLine{Release: r}
		for _, t := range newestOf(r) {
			lines[i].Fared = append(lines[i].Fared, tookRow{App: r.App, To: r.Number, Took: t})
		}
	}
	return lines
}

// releaseLine is a release in a list.
type releaseLine struct {
	client.Release
	Fared []tookRow // its newest rollout in each environment
}

// newestOf are a release's newest rollouts, one of each environment, in the order in
// which it came there first.
func newestOf(r client.Release) []client.Took {
	var newest []client.Took
	for _, t := range r.Rollouts {
		at := slices.IndexFunc(newest, func(n client.Took) bool { return n.Env == t.Env })
		if at < 0 {
			newest = append(newest, t)
		} else {
			newest[at] = t
		}
	}
	return newest
}

// Rollouts are the newest rollouts of the listed releases.
func (a appView) Rollouts() []tookRow {
	var rows []tookRow
	for _, r := range a.Releases {
		for _, t := range r.Rollouts {
			rows = append(rows, tookRow{App: r.App, To: r.Number, Took: t})
		}
	}
	slices.SortStableFunc(rows, func(a, b tookRow) int { return b.Began.Compare(a.Began) })
	return rows[:min(len(rows), listedRollouts)]
}

// Summary says in a sentence how the app is.
func (a appView) Summary() string {
	for _, site := range a.Sites {
		if site.Needs != "" {
			return fmt.Sprintf("In %s %s.", site.Env, site.Needs)
		}
	}
	for _, site := range a.Sites {
		if site.Moves {
			return fmt.Sprintf("%s is on its way in %s: %s.", releaseName(a.Name, site.Rollout.To), site.Env, site.State)
		}
	}
	return fmt.Sprintf("%s is the newest release. Nothing moves, and nobody must act.", releaseName(a.Name, a.Newest))
}
