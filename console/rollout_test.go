package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/workload"
)

// aReport is the judge's evidence of triage@3, which fails more than triage@2.
func aReport() client.Report {
	left := 70.0
	return client.Report{
		Harm: client.EValue{E: 17.32, Needed: 300}, Safety: client.EValue{E: 2, Needed: 20}, Expected: &left,
		Forecast: client.Forecast{Seconds: &left, Signal: "failures", Requests: 100},
		Share:    client.ShareCheck{StableUnits: 900, CanaryUnits: 100, E: 0.2, Needed: 1000},
		Stable:   client.FailedBy{Requests: 9000, Failed: map[string]uint64{"5xx": 45}},
		Canary:   client.FailedBy{Requests: 1000, Failed: map[string]uint64{"5xx": 40, "timeout": 8}},
		Signals: []client.SignalEvidence{
			{Name: "failures", Protected: true, Stable: client.SignalArm{AtRisk: 900, Hit: 5, Rate: 0.0056}, Canary: client.SignalArm{AtRisk: 100, Hit: 5, Rate: 0.05},
				OddsRatio: &client.Interval{Estimate: 9.4, Low: 1.2, High: 40, HighOpen: true}, Harm: 20, HarmShare: 0.5, Safety: client.SafetyPart{E: 2, Needed: 20}, Expected: &left},
			{Name: "latency p99", Protected: true, Stable: client.SignalArm{AtRisk: 900, Hit: 9, Rate: 0.01}, Canary: client.SignalArm{AtRisk: 100, Hit: 1, Rate: 0.01},
				OddsRatio: &client.Interval{Estimate: 1, Low: 0.3, High: 2.1}, Harm: 1, HarmShare: 0.075, Safety: client.SafetyPart{E: 24, Needed: 20}},
			{Name: "quality", Kind: fairlead.KindScore, Protected: true, Stable: client.SignalArm{}, Canary: client.SignalArm{}},
		},
		Restarts: client.Restarts{Canary: client.ArmRestarts{Restarts: 1}, Harm: 1.5},
	}
}

// aRollout is triage@3 in its first step.
func aRollout(change func(*client.Rollout, *client.Report)) client.Rollout {
	at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	left, holdback := 70.0, fairlead.Percent(5)
	entry := uint64(18)
	r := client.Rollout{
		ID: "ro-3", App: "triage", Env: "production", From: 2, To: 3, Phase: "stepping", Step: 1, Weights: []fairlead.Weight{1000, 5000, 9500}, Weight: 1000,
		Verdict: fairlead.Verdict{Finding: fairlead.Inconclusive}, LeftSecs: &left, Hurt: 48,
		Stable: client.Arm{Requests: 9000, Failed: 45}, Canary: client.Arm{Requests: 1000, Failed: 48},
		Started: at(0), FirstTraffic: at(1), StepBegan: at(1), Headline: "triage@3 has 10 % of the traffic and fails 4.8 % where triage@2 fails 0.5 %.",
		Story: []string{"triage@3 is on its way to production", "step 1 of 3: 10 % of the traffic goes to triage@3"}, Told: []time.Time{at(0), at(1)},
		Strategy: "canary", Policy: fairlead.Strategy{Type: "canary", Alpha: 1.0 / 300, Beta: 0.05, Margin: fairlead.Margin{Ratio: 2, Absolute: 0.01},
			MinStep: fairlead.Duration(5 * time.Second), MaxStep: fairlead.Duration(time.Hour), RollbackWindow: fairlead.Duration(30 * time.Minute), Holdback: &holdback},
		Gates: []client.Gate{{Name: "accuracy", State: "passed", Digest: "sha256:4eb9f794fb5c", Began: at(0), Ended: at(1), Expires: at(86400), Entry: &entry}},
		Can:   []string{"pause", "abort", "rollback"}, BackTo: 2,
		Would: map[string]string{"pause": "It stays at 10 %.", "abort": "triage@2 gets all traffic back at once.", "rollback": "triage@2 gets all traffic back at once: triage@3 has 10 % now."},
	}
	report := aReport()
	if change != nil {
		change(&r, &report)
	}
	if r.Evidence == nil && !r.FirstTraffic.IsZero() && r.From > 0 {
		r.Evidence, _ = json.Marshal(report)
	}
	return r
}

// answersOf are what the API says of a rollout, and of what runs at its site.
func answersOf(r client.Rollout) map[string]any {
	site := client.Site{App: r.App, Env: r.Env, Stable: r.From, Rollout: &r, Instances: []workload.Status{
		{ID: "triage-3-a", Release: r.To, State: workload.Ready, ReadySince: noon, Started: noon, Protections: []workload.Protection{{Name: "landlock", Enforced: true}, {Name: "memory limit"}}},
		{ID: "triage-2-a", Release: r.From, State: workload.Backoff, Restarts: 3, LastExit: "exit status 1", Started: noon},
		{ID: "triage-1-a", Release: r.From - 1, State: workload.Ready, Started: noon},
	}}
	if r.From == 0 {
		site.Instances = site.Instances[:1]
	}
	return map[string]any{
		"/v1/version": about, "/v1/rollouts/" + r.ID: r, "/v1/rollouts/" + r.ID + "/course": client.Course{Rollout: r.ID, Samples: []client.Sample{}, Marks: []client.CourseMark{}},
		"/v1/apps/" + r.App: client.App{Name: r.App, Newest: r.To, Sites: []client.Site{site}},
	}
}

func TestARolloutsPageSaysItAllInWords(t *testing.T) {
	server := openConsole(t, answersOf(aRollout(nil)))
	code, page := get(t, server, "/rollouts/ro-3")
	if code != http.StatusOK {
		t.Fatalf("status %d: %s", code, page)
	}
	has(t, page, "triage@3 has 10 % of the traffic and fails 4.8 %", "step 1 of 3, 10 %", "about 70 s", "failures takes longest", // where it stands
		"9,000", "48 ", "4.8 %", "40 answered 5xx, 8 timed out", // both releases
		"E = 17 of 300", "E = 2 of 20", "5 of 100 (5.0 %)", "odds × 9.4", "at least 1.2", "E = 20 of 600", "proven safe", "no evidence yet", "1 restart", // evidence
		"100 of 1,000 units at this weight met the new release (10 %), which fits the weight: E = 0.2 of 1,000 against it.",
		"is rolled back at most once in 300 rollouts", "1 percentage point", "5 s to 1 h", "30 min after promotion, with 5 % left", // terms
		"accuracy", "/ledger/18", "signed evidence of", "What the sandbox of 1 instance enforces", "landlock.", // gates
		"triage-3-a", "1 of 2 protections, without memory limit", "3 restarts", "exit status 1", // instances
		"on its way to production", "/ledger?app=triage&amp;env=production", "record.json")
	if strings.Contains(page, "triage-1-a") {
		t.Error("the page shows an instance of neither release")
	}
}

// told is a rollout, and what its page says and does not say of it.
type told struct {
	change  func(*client.Rollout, *client.Report)
	has     []string
	without []string
}

// ended takes a rollout to its end.
func ended(r *client.Rollout, o client.Outcome) {
	r.Phase, r.Outcome, r.Weight, r.Decided, r.LeftSecs, r.Can = "ended", o, 0, noon.Add(20*time.Second), nil, nil
}

// pages says that each rollout's page is as its case has it.
func pages(t *testing.T, cases map[string]told) {
	t.Helper()
	for name, c := range cases {
		server := openConsole(t, answersOf(aRollout(c.change)))
		code, page := get(t, server, "/rollouts/ro-3")
		if code != http.StatusOK {
			t.Errorf("%s: status %d", name, code)
		}
		for _, text := range c.has {
			if !strings.Contains(page, text) {
				t.Errorf("%s: the page does not say %q", name, text)
			}
		}
		for _, text := range append(c.without, "NaN", "%!", "ZgotmplZ") {
			if strings.Contains(page, text) {
				t.Errorf("%s: the page says %q", name, text)
			}
		}
	}
}

func TestThePageOfARolloutThatMoves(t *testing.T) {
	pages(t, map[string]told{
		"waiting for gates": {func(r *client.Rollout, _ *client.Report) {
			r.Phase, r.Step, r.Weight, r.FirstTraffic, r.StepBegan, r.LeftSecs = "gating", 0, 0, time.Time{}, time.Time{}, nil
			r.Stable, r.Canary, r.Gates[0].State = client.Arm{}, client.Arm{}, "running"
		}, []string{"waits for its gates", "none yet", "Runs for"}, []string{"Requests of both", "NaN", "ro-evidence-head"}},
		"starting": {func(r *client.Rollout, _ *client.Report) {
			r.Phase, r.Step, r.Weight, r.FirstTraffic, r.StepBegan, r.LeftSecs = "starting", 1, 0, time.Time{}, time.Time{}, nil
		}, []string{"starts its instances"}, []string{`aria-current="step"`, "<dt>Step</dt>"}},
		"queued": {func(r *client.Rollout, _ *client.Report) {
			r.Phase, r.Step, r.Weight, r.Weights, r.Strategy = "clearing", 1, 0, []fairlead.Weight{fairlead.Whole}, fairlead.Replace
			r.Queued, r.Waiting, r.FirstTraffic, r.LeftSecs = true, 1204, time.Time{}, nil
		}, []string{"takes the place of the old release", "1,204</span> requests wait", "replace: the old release ends"}, []string{"ro-bar", "NaN"}},
		"copies": {func(r *client.Rollout, _ *client.Report) { r.Weights, r.Weight = []fairlead.Weight{0, 5000, 9500}, 0 },
			[]string{`aria-current="step">copies<`, "canary: copies, 50 %, 95 %"}, nil},
		"adaptive": {func(r *client.Rollout, _ *client.Report) {
			r.Policy.Adaptive, r.Policy.Steps = &fairlead.Adaptive{First: 5, Most: 50}, nil
		}, []string{"canary, adaptive: from 5 % to at most 50 % as the evidence grows, then 95 %"}, nil},
		"blue-green": {func(r *client.Rollout, _ *client.Report) {
			r.Strategy, r.Weights = fairlead.BlueGreen, []fairlead.Weight{9500, 9500}
		}, []string{"blue-green: all at once, 95 %<"}, nil},
		"paused": {func(r *client.Rollout, _ *client.Report) {
			r.Held, r.Can = "paused", []string{"resume", "abort", "rollback"}
		},
			[]string{"held: paused", "do-resume"}, []string{"do-pause"}},
		"blocked": {func(r *client.Rollout, report *client.Report) {
			report.Blocked, report.Share.Mismatch, report.Gaps = "the share is not as it was told", true, 2
		},
			[]string{"Safe cannot be concluded: the share is not as it was told.", "which is not the 10 % that was ordered", "2 losses of observations"}, nil},
		"guarded": {func(r *client.Rollout, _ *client.Report) {
			r.Guards = []client.Guard{{Name: "queue", Text: "12, where at most 10 is good", Bad: 2}}
			r.Waits = "guard queue: 12, where at most 10 is good"
		}, []string{"no guarantee", "2 bad looks", "waits for guard queue"}, nil},
	})
}

func TestThePageOfARolloutThatIsDecided(t *testing.T) {
	pages(t, map[string]told{
		"a shared incident while it is watched": {func(r *client.Rollout, report *client.Report) {
			r.Phase, r.Outcome, r.Weight, r.Decided, r.LeftSecs = "watching", client.Promoted, 9500, noon, nil
			report.Shared, report.Blocked = true, "both releases fail far more than before"
		}, []string{"Both releases fail far more than before: a shared incident"}, []string{"Safe cannot be concluded"}},
		"rolled back by a guard": {func(r *client.Rollout, _ *client.Report) {
			ended(r, client.RolledBack)
			r.Verdict = fairlead.Verdict{Finding: fairlead.Inconclusive}
		}, []string{"the evidence did not decide"}, []string{">open<"}},
		"promoted, and worse later": {func(r *client.Rollout, _ *client.Report) {
			ended(r, client.Promoted)
			r.Verdict = fairlead.Verdict{Finding: fairlead.Inconclusive}
		}, []string{"when its watch ended"}, []string{"did not decide"}},
		"promoted and watched": {func(r *client.Rollout, _ *client.Report) {
			r.Phase, r.Outcome, r.Weight, r.Decided, r.LeftSecs = "watching", client.Promoted, 9500, noon, nil
		}, []string{"promoted, watched", "Watch ends", "95 %"}, []string{"Decided after"}},
		"going back": {func(r *client.Rollout, _ *client.Report) {
			r.Phase, r.Outcome, r.Weight, r.Decided, r.Can = "returning", client.RolledBack, 0, noon, nil
		}, []string{"rolled back, traffic goes back"}, []string{"do-abort"}},
		"rolled back": {func(r *client.Rollout, _ *client.Report) {
			ended(r, client.RolledBack)
			r.Verdict = fairlead.Verdict{Finding: fairlead.Harmful, Signal: "failures", E: 410, Needed: 300}
			r.Can, r.BackTo = []string{"rollback"}, 1
		}, []string{"Go back further, from triage@2 to triage@1", "rolled back", "Decided after", "19 s", "by failures, E = 410 of 300", "48 requests", "at the end", "What to do next", "See what triage@3 has that triage@2 has not"},
			[]string{"Shares of the traffic now", "do-abort", `role="group"`, "In this step", "left</span>"}},
		"failed before traffic": {func(r *client.Rollout, _ *client.Report) {
			ended(r, client.Failed)
			r.FirstTraffic, r.StepBegan, r.Step = time.Time{}, time.Time{}, 0
			r.Stable, r.Canary, r.Hurt = client.Arm{}, client.Arm{}, 0
			r.Gates[0].State, r.Gates[0].Detail = "failed", "exit status 1, 0.71 is under the floor"
		}, []string{"failed", "0.71 is under the floor", "0 requests"}, []string{"NaN", "Decided after"}},
		"the first release": {func(r *client.Rollout, _ *client.Report) {
			ended(r, client.Promoted)
			r.From, r.To, r.Weights, r.Weight, r.Evidence = 0, 1, []fairlead.Weight{10000}, 10000, nil
		}, []string{"nothing to compare it with", "100 %"}, []string{"triage@0", "no release"}},
		"the way back": {func(r *client.Rollout, _ *client.Report) {
			ended(r, client.Promoted)
			r.Kind, r.From, r.To, r.Weights, r.Weight, r.Evidence, r.Gates = "rollback", 3, 2, []fairlead.Weight{10000}, 10000, json.RawMessage("null"), nil
		}, []string{"a way back to a release that had the traffic before", "from when it was asked for"}, []string{"ro-gates-head", "A good release"}},
	})
}

func TestAnOlderRolloutLeadsToTheNewestOne(t *testing.T) {
	old := aRollout(func(r *client.Rollout, _ *client.Report) { r.Phase, r.Outcome, r.Can = "ended", client.Promoted, nil })
	newer := aRollout(func(r *client.Rollout, _ *client.Report) { r.ID, r.From, r.To = "ro-4", 3, 4 })
	answers := answersOf(old)
	answers["/v1/apps/triage"] = answersOf(newer)["/v1/apps/triage"]
	_, page := get(t, openConsole(t, answers), "/rollouts/ro-3")
	has(t, page, "others have come after", `href="/rollouts/ro-4"`)
}

func TestALongStoryIsBounded(t *testing.T) {
	r := aRollout(func(r *client.Rollout, _ *client.Report) {
		for i := range 40 {
			r.Story, r.Told = append(r.Story, fmt.Sprintf("sentence %d", i)), append(r.Told, noon.Add(time.Duration(i)*time.Minute))
		}
	})
	_, page := get(t, openConsole(t, answersOf(r)), "/rollouts/ro-3")
	before, rest, found := strings.Cut(page, "Show 8 earlier sentences")
	if !found || !strings.Contains(before, "sentence 39") || strings.Contains(before, "sentence 31<") || !strings.Contains(rest, "sentence 31<") || !strings.Contains(rest, "26 sentences before them, in the ledger") {
		t.Error("the newest sentences do not stand before those that are folded away")
	}
}

func TestNothingOfARolloutIsMarkup(t *testing.T) {
	const script, breakout = `<script>alert(1)</script>`, `" onmouseover="alert(2)`
	r := aRollout(func(r *client.Rollout, report *client.Report) {
		r.App, r.Env, r.Headline, r.Held, r.Waits = script, breakout, script, script, "guard "+script
		r.Story = []string{script, breakout}
		r.Guards = []client.Guard{{Name: script, Text: breakout}}
		r.Gates[0].Name, r.Gates[0].Detail, r.Gates[0].State, r.Gates[0].Digest = script, breakout, script, script
		r.Would = map[string]string{"abort": script + breakout}
		report.Signals[0].Name, report.Signals[0].Kind, report.Blocked, report.Afresh = script, breakout, script, breakout
		report.Forecast.Signal = script
	})
	r.ID = "ro-3"
	answers := answersOf(r)
	app := answers["/v1/apps/"+r.App].(client.App)
	app.Sites[0].Needs = script
	app.Sites[0].Instances[0].ID, app.Sites[0].Instances[1].LastExit = breakout, script
	answers["/v1/apps/"+r.App] = app
	server := openConsole(t, answers)
	for _, path := range []string{"/rollouts/ro-3", "/rollouts/ro-3/abort"} {
		code, page := get(t, server, path)
		if code != http.StatusOK || !strings.Contains(page, "&lt;script&gt;") {
			t.Errorf("%s: status %d, and the name is not text", path, code)
		}
		if strings.Contains(page, "<script>alert") || strings.Contains(page, `" onmouseover`) {
			t.Errorf("%s holds markup from outside:\n%s", path, page)
		}
	}
}

func TestASitesPathLeadsToItsNewestRollout(t *testing.T) {
	server := openConsole(t, answersOf(aRollout(nil)))
	server.Client().CheckRedirect = func(r *http.Request, _ []*http.Request) error { return nil }
	if code, page := get(t, server, "/apps/triage/production"); code != http.StatusOK || !strings.Contains(page, "triage@3 to production") {
		t.Errorf("status %d: %s", code, page)
	}
	if code, _ := get(t, server, "/apps/triage/nowhere"); code != http.StatusNotFound {
		t.Errorf("a site that is not there: status %d", code)
	}
}

func TestARolloutsNumbersDownload(t *testing.T) {
	r := aRollout(nil)
	code, body := get(t, openConsole(t, answersOf(r)), "/rollouts/ro-3/record.json")
	var both struct {
		Rollout client.Rollout
		Course  client.Course
	}
	if err := json.Unmarshal([]byte(body), &both); err != nil || code != http.StatusOK || both.Rollout.Canary != r.Canary || both.Course.Rollout != r.ID {
		t.Errorf("status %d, %v: %s", code, err, body)
	}
}
