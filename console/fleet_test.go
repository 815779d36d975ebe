package console

import (
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/workload"
)

// aFleet has a site that waits for a person, one that moves and one at rest.
func aFleet() []client.App {
	steps := []fairlead.Weight{500, 2500, 9500}
	ready := func(release int) workload.Status { return workload.Status{Release: release, State: workload.Ready} }
	return []client.App{
		{Name: "quiet", Sites: []client.Site{{
			App: "quiet", Env: "production", Stable: 2, Wanted: map[int]int{2: 1}, Instances: []workload.Status{ready(2)},
			Rollout: &client.Rollout{ID: "r1", From: 1, To: 2, Phase: "ended", Outcome: client.Promoted, Decided: noon.Add(-time.Hour), Weights: steps},
		}}},
		{Name: "moving", Sites: []client.Site{{
			App: "moving", Env: "production", Stable: 3, Wanted: map[int]int{3: 2, 4: 1}, Instances: []workload.Status{ready(3), ready(3), ready(4)},
			Rollout: &client.Rollout{ID: "r2", From: 3, To: 4, Phase: "stepping", Step: 2, StepBegan: noon, Weight: 2500, Weights: steps, Headline: "moving@4 has 25 % of the traffic."},
			Traffic: &client.Traffic{PerSecond: 1204, Failed: 0.048, P99: 311},
		}}},
		{Name: "held", Sites: []client.Site{{
			App: "held", Env: "production", Stable: 1, Wanted: map[int]int{1: 2}, Instances: []workload.Status{ready(1), {Release: 1, State: workload.Backoff, Restarts: 4}},
			Rollout: &client.Rollout{ID: "r3", From: 1, To: 2, Phase: "stepping", Step: 1, Held: "inconclusive", Weight: 500, Weights: steps},
			Needs:   "an operator must resume or abort: inconclusive",
		}}},
	}
}

func TestTheFleetShowsFirstWhatNeedsAPerson(t *testing.T) {
	server := openConsole(t, map[string]any{"/v1/version": about, "/v1/apps": aFleet()})
	_, page := get(t, server, "/")
	has(t, page, "3 apps in 3 environments: 1 waits for a person, 1 moves, 1 has too few instances ready.",
		"an operator must resume or abort: inconclusive", "held: inconclusive", "1 of 2 ready", "4 restarts",
		"step 2 of 3, 25 %", "moving@4 has 25 % of the traffic.", `aria-current="step">25 %`, "1,204 requests/s", "4.8 % failed", "p99 311 ms", "3 of 3 ready",
		"promoted", "http://127.0.0.1:8080", `href="/rollouts/r2"`, `href="/apps/quiet/releases/2"`)
	at := -1
	for _, app := range []string{"held", "moving", "quiet"} {
		next := strings.Index(page, `id="site-`+app+`-production"`)
		if next <= at {
			t.Errorf("%s stands at %d, after what is less urgent at %d", app, next, at)
		}
		at = next
	}
}

func TestWhatApplicationsAreCalledStaysText(t *testing.T) {
	apps := aFleet()
	const script, breakout = `<script>alert(1)</script>`, `" onmouseover="alert(2)`
	for i := range apps {
		apps[i].Sites[0].App, apps[i].Sites[0].Env, apps[i].Sites[0].Needs = script, breakout, script+breakout
		apps[i].Sites[0].Rollout.Held, apps[i].Sites[0].Rollout.ID = script, breakout
	}
	hostile := about
	hostile.State, hostile.Gateway, hostile.Version = script, script, script
	server := openConsole(t, map[string]any{"/v1/version": hostile, "/v1/apps": apps})
	for _, path := range []string{"/", "/%3Cscript%3Ealert(1)%3C/script%3E"} {
		_, page := get(t, server, path)
		if strings.Contains(page, "<script>") || strings.Contains(page, `" onmouseover`) {
			t.Errorf("%s holds markup from outside:\n%s", path, page)
		}
		has(t, page, "&lt;script&gt;")
	}
}

func TestALargeFleetShowsWhatWantsMostAndNamesTheRest(t *testing.T) {
	server := openConsole(t, map[string]any{"/v1/version": about, "/v1/apps": aLargeFleet(300)})
	_, page := get(t, server, "/")
	has(t, page, "300 apps in 300 environments: 150 wait for a person, 150 move", "and 18 more: <code>fairlead status</code>", "and 150 more: <code>fairlead status</code>")
	if rows, names := strings.Count(page, `<tr id="site-`), strings.Count(page, `<li><a href="/apps/`); rows != mostSites || names != mostBrief {
		t.Errorf("%d sites are shown and %d named", rows, names)
	}
}

func TestAFleetWhereNothingHappensSaysSo(t *testing.T) {
	apps := aFleet()[:1]
	server := openConsole(t, map[string]any{"/v1/version": about, "/v1/apps": apps})
	_, page := get(t, server, "/")
	has(t, page, "1 app in 1 environment: nothing moves, and nobody must act.", "At rest")
	if strings.Contains(page, "Somebody must act") {
		t.Error("a group without sites is shown")
	}
}

func TestAClockThatDiffersIsSaid(t *testing.T) {
	for seconds, want := range map[float64]string{0: "", 4: "", -4: "", 90: "was set forward by 90 s", -400: "6 min 40 s behind"} {
		if got := clockOff(seconds); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%v s: %q, want %q", seconds, got, want)
		}
	}
}
