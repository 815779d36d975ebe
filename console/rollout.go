package console

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// rolloutPages serves rollouts, and what a person asks of one.
func (s *console) rolloutPages(mux *http.ServeMux) {
	s.page(mux, "/rollouts/{id}", rollout)
	mux.Handle("GET /rollouts/{id}/record.json", s.logged(s.record))
	mux.Handle("GET /apps/{app}/{env}", s.logged(s.site))
	s.actPages(mux)
}

// rollout shows a release that enters an environment, live and afterwards as a record.
func rollout(ctx context.Context, v visit) (view, error) {
	p, err := lookAt(ctx, v)
	if err != nil {
		return view{}, err
	}
	shown := view{
		Title: p.Name() + " to " + p.Env, Styles: []string{"chart.css", "rollout.css"}, Scripts: []string{"chart.js", "act.js"},
		Crumbs: appCrumbs(p.App),
		Parts: []part{
			{ID: "ro-notice", Template: "rollout-notice", Data: did(v.query("done")), Still: true},
			{ID: "ro-said", Template: "rollout-said", Data: p, Announce: true},
			{ID: "ro-headline", Template: "rollout-headline", Data: p},
			{ID: "ro-actions", Template: "rollout-actions", Data: p},
			{ID: "ro-status", Template: "rollout-status", Data: p},
			{ID: "ro-arms", Template: "rollout-arms", Data: p},
		},
	}
	shown.Parts = append(shown.Parts, p.charts()...)
	shown.Parts = append(shown.Parts,
		part{ID: "ro-evidence", Template: "rollout-evidence", Data: p},
		part{ID: "ro-story", Template: "rollout-story", Data: p},
		part{ID: "ro-proof", Template: "rollout-proof", Data: p},
	)
	return shown, nil
}

// charts are the charts, empty where there is nothing to draw: before the first traffic,
// and after the end of a rollout without any.
func (p rolloutPage) charts() []part {
	parts := charts(p.Rollout, p.course)
	if p.Drawing {
		for i := range parts {
			parts[i].Data = nil
		}
		parts[0].Template, parts[0].Data = "rollout-drawing", p
		return parts
	}
	if p.FirstTraffic.IsZero() || p.Over() && p.Canary.Requests+p.Stable.Requests == 0 {
		for i := range parts {
			parts[i].Data = nil
		}
	}
	return parts
}

// rolloutPage is a rollout as its page shows it.
type rolloutPage struct {
	client.Rollout
	May       bool   // the reader may act
	Needs     string // what a person must do, and who; "" where nobody must
	Newest    string // id of the rollout that has come after it; "" where it is the newest
	Instances []instance
	Evidence  *evidence // nil before anything is judged
	Drawing   bool      // the course is long and not read to its end yet
	course    client.Course
}

// How long a page and a stream wait for a course. One that is not read by then is read on
// by the next look: by the stream that follows the page, or when it is reloaded.
const (
	courseWithin       = 200 * time.Millisecond
	streamCourseWithin = 2 * time.Second
)

// courseSoon returns a rollout's course, or that it is still being read.
func courseSoon(ctx context.Context, v visit, id string) (c client.Course, reading bool, err error) {
	patience := courseWithin
	if v.live {
		patience = streamCourseWithin
	}
	soon, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err = v.api.Course(soon, id)
	if err != nil && soon.Err() != nil && ctx.Err() == nil {
		return client.Course{}, true, nil
	}
	return c, false, err
}

func lookAt(ctx context.Context, v visit) (rolloutPage, error) {
	r, err := v.api.Rollout(ctx, v.path("id"))
	if err != nil {
		return rolloutPage{}, err
	}
	p := rolloutPage{Rollout: r, May: fairlead.Principal{Role: v.role}.May(fairlead.Operator)}
	if p.course, p.Drawing, err = courseSoon(ctx, v, r.ID); err != nil {
		return p, err
	}
	app, err := v.api.App(ctx, r.App)
	if err != nil {
		return p, err
	}
	p.Evidence = evidenceOf(r)
	for _, site := range app.Sites {
		if site.Env != r.Env {
			continue
		}
		p.Instances = instancesOf(r, site)
		if p.Needs = asSentence(site.Needs); site.Rollout != nil && site.Rollout.ID != r.ID {
			p.Newest, p.Needs = site.Rollout.ID, ""
		}
	}
	return p, nil
}

// asSentence makes a sentence of a few words.
func asSentence(words string) string {
	if words == "" {
		return ""
	}
	return strings.ToUpper(words[:1]) + words[1:] + "."
}

// Name is the new release's.
func (p rolloutPage) Name() string { return releaseName(p.App, p.To) }

// Old is the old release's name.
func (p rolloutPage) Old() string { return releaseName(p.App, p.From) }

// Over reports that nothing of the rollout changes any more: the page is its record.
func (p rolloutPage) Over() bool { return p.Phase == "ended" }

// Standing is the badge's text.
func (p rolloutPage) Standing() string { return standing(p.Rollout) }

// Tone is the badge's tone.
func (p rolloutPage) Tone() string { return tone(p.Rollout) }

// Said is what a screen reader says when it changes: where the rollout stands, and what
// was decided last. Figures that change by the second are not in it.
func (p rolloutPage) Said() string {
	text := fmt.Sprintf("%s: %s.", p.Name(), p.Standing())
	if n := len(p.Story); n > 0 {
		text += " " + p.Story[n-1] + "."
	}
	return text
}

// WaitsForGuard says for which guard a step waits that is proven; "" for none.
func (p rolloutPage) WaitsForGuard() string {
	if strings.HasPrefix(p.Waits, "guard ") {
		return p.Waits
	}
	return ""
}

// Rest is the old release's share.
func (p rolloutPage) Rest() fairlead.Weight { return fairlead.Whole - p.Weight }

// Percent is the new release's share as a number for drawing.
func (p rolloutPage) Percent() float64 { return float64(p.Weight) / 100 }

// RestPercent is the old release's.
func (p rolloutPage) RestPercent() float64 { return 100 - p.Percent() }

// Steps are the steps for drawing.
func (p rolloutPage) Steps() []step { return stepsOf(p.Rollout) }

// Passed is how many steps were earned.
func (p rolloutPage) Passed() int {
	n := 0
	for _, s := range p.Steps() {
		if s.State == "done" {
			n++
		}
	}
	return n
}

// Most is the largest share that the new release has had.
func (p rolloutPage) Most() fairlead.Weight {
	most := p.Weight
	for _, s := range p.course.Samples {
		most = max(most, s.Weight)
	}
	return most
}

// Record is the path of the rollout's numbers as JSON.
func (p rolloutPage) Record() string { return rolloutPath(p.ID) + "/record.json" }

// site leads to the newest rollout of a site, or to its app where there is none.
func (s *console) site(w http.ResponseWriter, r *http.Request, session Session) {
	app, err := s.API(session.Who).App(r.Context(), r.PathValue("app"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	for _, site := range app.Sites {
		switch {
		case site.Env != r.PathValue("env"):
		case site.Rollout != nil:
			http.Redirect(w, r, rolloutPath(site.Rollout.ID), http.StatusSeeOther)
			return
		default:
			http.Redirect(w, r, appPath(app.Name), http.StatusSeeOther)
			return
		}
	}
	s.fail(w, r, fairlead.Errorf(fairlead.NotFound, "", "%s was never rolled out to %q", app.Name, r.PathValue("env")).
		WithHint("see where it is on its own page"))
}

// Back reports whether it is a way back: it waits for no gate and no evidence.
func (p rolloutPage) Back() bool { return p.Kind == "rollback" }

// Lasted is how long it took to be decided about.
func (p rolloutPage) Lasted() string { return took(p.since(), p.Decided) }

// since is when its time began to count: at its first traffic, or else at its beginning.
func (p rolloutPage) since() time.Time {
	if p.FirstTraffic.IsZero() || p.Back() {
		return p.Started
	}
	return p.FirstTraffic
}
