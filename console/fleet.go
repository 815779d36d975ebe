package console

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/figures"
)

// fleet shows every app in every environment: first what waits for a person, then what
// moves.
func fleet(ctx context.Context, v visit) (view, error) {
	apps, err := v.api.Apps(ctx)
	if err != nil {
		return view{}, err
	}
	about, err := v.api.Version(ctx)
	if err != nil {
		return view{}, err
	}
	page := fleetPage{Gateway: about.Gateway, Clock: clockOff(about.ClockOff), Groups: groups(apps)}
	page.Summary = summary(apps, page.Groups)
	page.Groups = fitted(page.Groups)
	return view{Title: "Fleet", Styles: []string{"fleet.css"}, Parts: []part{
		{ID: "fleet-summary", Template: "fleet-summary", Data: page, Announce: true},
		{ID: "fleet", Template: "fleet", Data: page},
	}}, nil
}

// fleetPage is what the fleet's parts show.
type fleetPage struct {
	Summary string
	Gateway string // where traffic enters, host:port
	Clock   string // what is wrong with the machine's clock; "" for nothing
	Groups  []fleetGroup
}

// fleetGroup are the sites that want the same of the reader.
type fleetGroup struct {
	ID    string
	Title string
	Sites []siteRow
	Brief []siteRow // those for which there is no room, in a few words
	More  int       // those that are not even named
}

// How many sites the fleet shows, and how many more it names.
const (
	mostSites = 32
	mostBrief = 100
)

// fitted leaves so many sites as a page has room for: those that want most of the reader.
func fitted(all []fleetGroup) []fleetGroup {
	rows, names := mostSites, mostBrief
	for i := range all {
		g := &all[i]
		whole := g.Sites
		g.Sites = whole[:min(rows, len(whole))]
		g.Brief = whole[len(g.Sites):min(len(whole), len(g.Sites)+names)]
		g.More = len(whole) - len(g.Sites) - len(g.Brief)
		rows, names = rows-len(g.Sites), names-len(g.Brief)
	}
	return all
}

// siteRow is one app in one environment.
type siteRow struct {
	client.Site
	Health client.Health
	Steps  []step
	Moves  bool   // a rollout has not ended
	State  string // of its newest rollout, in words
	Tone   string
}

// groups sorts sites by what they want: a person, a look, or nothing. Within a group they
// stand as the API gives them.
func groups(apps []client.App) []fleetGroup {
	all := []fleetGroup{{ID: "act", Title: "Somebody must act"}, {ID: "moving", Title: "Moving"}, {ID: "rest", Title: "At rest"}}
	for _, a := range apps {
		for _, site := range a.Sites {
			row := rowOf(site)
			g := &all[2]
			switch {
			case site.Needs != "":
				g = &all[0]
			case row.Moves:
				g = &all[1]
			}
			g.Sites = append(g.Sites, row)
		}
	}
	return slices.DeleteFunc(all, func(g fleetGroup) bool { return len(g.Sites) == 0 })
}

func rowOf(site client.Site) siteRow {
	row := siteRow{Site: site, Health: site.Health(), State: "no rollout yet", Tone: "quiet"}
	if r := site.Rollout; r != nil {
		row.Moves = r.Phase != "ended"
		row.State, row.Tone = standing(*r), tone(*r)
		row.Steps = stepsOf(*r)
	}
	return row
}

// Short reports that fewer instances are ready than there should be.
func (r siteRow) Short() bool { return r.Health.Ready < r.Health.Wanted }

// Headline is the newest rollout in a sentence, where there is something to tell.
func (r siteRow) Headline() string {
	if r.Rollout == nil || !r.Moves && r.Rollout.Outcome == client.Promoted {
		return ""
	}
	return r.Rollout.Headline
}

// Ended is when the newest rollout was decided, or the zero time.
func (r siteRow) Ended() time.Time {
	if r.Rollout == nil {
		return time.Time{}
	}
	return r.Rollout.Decided
}

// summary says in a sentence how the fleet is.
func summary(apps []client.App, all []fleetGroup) string {
	sites, act, move, short := 0, 0, 0, 0
	for _, g := range all {
		for _, row := range g.Sites {
			sites++
			switch {
			case row.Needs != "":
				act++
			case row.Moves:
				move++
			}
			if row.Short() {
				short++
			}
		}
	}
	var says []string
	if act > 0 {
		says = append(says, fmt.Sprintf("%s for a person", verb(act, "waits", "wait")))
	}
	if move > 0 {
		says = append(says, verb(move, "moves", "move"))
	}
	if short > 0 {
		says = append(says, verb(short, "has", "have")+" too few instances ready")
	}
	if len(says) == 0 {
		says = append(says, "nothing moves, and nobody must act")
	}
	text := figures.Plural(uint64(len(apps)), "app", "apps") + " in " + figures.Plural(uint64(sites), "environment", "environments")
	return text + ": " + strings.Join(says, ", ") + "."
}

func verb(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// clockOff says that the machine has another time than its records, or nothing.
func clockOff(seconds float64) string {
	by := figures.Elapsed(time.Duration(math.Abs(seconds) * float64(time.Second)))
	switch cmp.Compare(seconds, 0) {
	case -1:
		if seconds < -5 {
			return "The machine's clock is " + by + " behind the ledger's newest times. Fairlead keeps to the ledger's and never goes back."
		}
	case 1:
		if seconds > 5 {
			return "The machine's clock was set forward by " + by + ". Fairlead takes it over at its next start."
		}
	}
	return ""
}
