package console

import (
	"context"
	"slices"
	"strconv"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// releasePage shows a release: where it is, what it has that another has not, and what
// is in it.
func releasePage(ctx context.Context, v visit) (view, error) {
	app, number, err := v.release()
	if err != nil {
		return view{}, err
	}
	r, err := v.api.Release(ctx, app, number)
	if err != nil {
		return view{}, err
	}
	page := view{Title: releaseName(app, number), Crumbs: appCrumbs(app), Styles: []string{"release.css"}}
	page.Parts = []part{
		{ID: "origin", Template: "release-origin", Data: r, Still: true},
		{ID: "places", Template: "release-places", Data: places{r}},
	}
	if v.live {
		return page, nil
	}
	c, err := v.compared(ctx, r)
	if err != nil {
		return view{}, err
	}
	files, err := v.api.ReleaseFiles(ctx, app, number)
	if err != nil {
		return view{}, err
	}
	page.Parts = append(page.Parts,
		part{ID: "difference", Template: "release-difference", Data: c, Still: true},
		part{ID: "holds", Template: "release-holds", Data: holdings{Release: r, Files: files}, Still: true})
	return page, nil
}

// release reads which release the path names.
func (v visit) release() (app string, number int, err error) {
	number, err = strconv.Atoi(v.path("number"))
	if err != nil || number < 1 {
		return "", 0, fairlead.Errorf(fairlead.NotFound, "find release", "%.40q is not the number of a release", v.path("number")).
			WithHint("releases count from 1")
	}
	return v.path("app"), number, nil
}

// compared is the difference that the page's parameters ask for.
func (v visit) compared(ctx context.Context, r client.Release) (comparison, error) {
	app, err := v.api.App(ctx, r.App)
	if err != nil {
		return comparison{}, err
	}
	var d client.Difference
	from, chosen := 0, v.query("from") != ""
	if chosen {
		if from, err = strconv.Atoi(v.query("from")); err != nil {
			return comparison{}, fairlead.Errorf(fairlead.Invalid, "compare releases", "%.40q is not the number of a release", v.query("from"))
		}
		d, err = v.api.DifferenceFrom(ctx, r.App, from, r.Number)
	} else {
		d, err = v.api.Difference(ctx, r.App, r.Number)
	}
	if err != nil {
		return comparison{}, err
	}
	c := compared(d, releasePath(r.App, r.Number), v.query("file"))
	c.Newest, c.Chosen, c.Listed = app.Newest, chosen, chosen || d.From > 0
	return c, nil
}

// Others are the releases that a release can be compared with, newest first; nil where
// there are too many to choose from a list.
func (c comparison) Others() []int {
	if c.Newest > 60 {
		return nil
	}
	var all []int
	for n := c.Newest; n > 0; n-- {
		if n != c.To {
			all = append(all, n)
		}
	}
	return all
}

// places is where a release came to.
type places struct{ client.Release }

// Rows are the release's rollouts, newest first.
func (p places) Rows() []tookRow {
	var rows []tookRow
	for _, t := range slices.Backward(p.Rollouts) {
		rows = append(rows, tookRow{App: p.App, To: p.Number, Took: t})
	}
	return rows
}

// tookRow is a rollout in a list.
type tookRow struct {
	App string
	To  int
	client.Took
}

// rollout is as much of the rollout as its words need.
func (t tookRow) rollout() client.Rollout {
	return client.Rollout{Outcome: t.Outcome, Phase: t.Phase, Held: t.Held, Step: t.Step, Weights: t.Weights, Weight: t.Weight}
}

// Standing says how it ended or what it does, and Tone is its badge's.
func (t tookRow) Standing() string { return standing(t.rollout()) }

// Tone is the tone of the badge of Standing.
func (t tookRow) Tone() string { return tone(t.rollout()) }
