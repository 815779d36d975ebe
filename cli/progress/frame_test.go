package progress

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/workload"
)

var rewrite = flag.Bool("rewrite", false, "write the golden frames anew")

var start = time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)

func instance(release int, state workload.State, restarts int) workload.Status {
	return workload.Status{Release: release, State: state, Restarts: restarts}
}

// stepping is a rollout in the middle of its first step.
func stepping() client.Site {
	left := 12.4
	return client.Site{
		App: "triage", Env: "production", Stable: 2,
		Instances: []workload.Status{instance(3, workload.Ready, 0), instance(3, workload.Starting, 1), instance(2, workload.Ready, 0), instance(2, workload.Ready, 0)},
		Rollout: &client.Rollout{
			App: "triage", Env: "production", From: 2, To: 3, Phase: "stepping", Step: 1,
			Weights: []fairlead.Weight{2500, 5000, 9500}, Weight: 2500, LeftSecs: &left,
			Verdict:  fairlead.Verdict{Finding: fairlead.Inconclusive, E: 12, Needed: 20},
			Evidence: json.RawMessage(`{"harm":{"e":0.4,"needed":300},"safety":{"e":12,"needed":20}}`),
			Stable:   client.Arm{Requests: 13204, Units: 2950, Failed: 70}, Canary: client.Arm{Requests: 4410, Units: 990, Failed: 21},
			Started: start, StepBegan: start.Add(5 * time.Second), Reason: "step 1 of 2: 25 % of the units are on the new release",
		},
	}
}

func frameCases() map[string]client.Site {
	cases := map[string]client.Site{"stepping": stepping()}

	harmful := stepping()
	harmful.Rollout.Phase, harmful.Rollout.Outcome, harmful.Rollout.Weight = "returning", client.RolledBack, 0
	harmful.Rollout.Verdict = fairlead.Verdict{Finding: fairlead.Harmful, Signal: "failures", E: 341, Needed: 300}
	harmful.Rollout.Decided, harmful.Rollout.Reason = start.Add(16*time.Second), "harmful by failures: E = 341 of 300"
	cases["rolled-back"] = harmful

	held := stepping()
	held.Rollout.Held, held.Rollout.LeftSecs = "inconclusive", nil
	held.Rollout.Verdict.Blocked = "a gap in the blocks: 3 seconds of the gateway's observations were lost at 10:00:07"
	held.Rollout.Reason = "neither safety nor harm is proven after 1h0m0s at 25 %"
	cases["held"] = held

	seldom, hour := stepping(), 2400.0
	seldom.Rollout.LeftSecs = &hour
	seldom.Rollout.Evidence = json.RawMessage(`{"harm":{"e":0.4,"needed":300},"safety":{"e":1.2,"needed":20},"forecast":{"seconds":2400,"signal":"latency p99","requests":1.2}}`)
	cases["low-traffic"] = seldom

	gating := stepping()
	gating.Rollout.Phase, gating.Rollout.Step, gating.Rollout.Weight, gating.Rollout.LeftSecs = "gating", 0, 0, nil
	gating.Rollout.Stable, gating.Rollout.Canary = client.Arm{}, client.Arm{}
	gating.Rollout.Reason = "gate accuracy runs"
	cases["gating"] = gating

	cases["quiet"] = client.Site{App: "triage", Env: "staging", Stable: 7, Instances: []workload.Status{instance(7, workload.Ready, 0)}}
	return cases
}

func TestFramesLookAsTheyDid(t *testing.T) {
	styles := map[string]Style{"80": {Width: 80, UTF8: true}, "120": {Width: 120, UTF8: true}, "ascii": {Width: 80}, "color": {Width: 80, UTF8: true, Color: true}}
	for name, site := range frameCases() {
		for kind, style := range styles {
			got := strings.Join(Frame(site, start.Add(17*time.Second), style), "\n") + "\n"
			file := filepath.Join("testdata", name+"-"+kind+".txt")
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s (go test -rewrite if it is meant so):\n%s\nwant\n%s", file, got, want)
			}
		}
	}
}

func TestNoLineIsWiderThanTheTerminal(t *testing.T) {
	for name, site := range frameCases() {
		site.Rollout = clone(site.Rollout)
		if site.Rollout != nil {
			site.Rollout.Reason = strings.Repeat("a very long reason 很长的理由 ", 20)
		}
		for columns := 20; columns <= 200; columns += 7 {
			for _, line := range Frame(site, start, Style{Width: columns, UTF8: true}) {
				if width(line) > columns {
					t.Errorf("%s at %d columns has a line of %d: %q", name, columns, width(line), line)
				}
			}
		}
	}
}

func clone(r *client.Rollout) *client.Rollout {
	if r == nil {
		return nil
	}
	c := *r
	return &c
}

func TestTextFromOutsideCannotSteerTheTerminal(t *testing.T) {
	site := stepping()
	site.Rollout.Reason = "evil \x1b[2J\x1b]0;title\a reason\r\nsecond line \u202e"
	site.Rollout.Held = "held\x1b[1A"
	for _, line := range append(Frame(site, start, Style{Width: 80}), Line(*site.Rollout), Summary(*site.Rollout)) {
		if strings.ContainsAny(line, "\x1b\a\r\n\u202e") {
			t.Errorf("a control character is left in %q", line)
		}
	}
}

func TestATellerTellsEachSentenceOnceAndProgressWhenItIsDue(t *testing.T) {
	var teller Teller
	r := *stepping().Rollout
	r.Story = []string{"triage@3 is on its way to production"}
	if got := teller.Tell(r, false); len(got) != 2 || got[0] != "triage@3 is on its way to production" {
		t.Fatalf("first: %q", got)
	}
	if got := teller.Tell(r, true); len(got) != 0 {
		t.Fatalf("nothing has changed, but it tells %q", got)
	}
	r.Canary.Requests++
	if got := teller.Tell(r, false); len(got) != 0 {
		t.Fatalf("progress before it is due: %q", got)
	}
	r.Canary.Requests += 1000
	if got := teller.Tell(r, true); len(got) != 1 {
		t.Fatalf("due progress: %q", got)
	}
	r.Step, r.Weight = 2, 5000
	if got := teller.Tell(r, false); len(got) != 1 || !strings.Contains(got[0], "step 2 of 3, 50 %") {
		t.Fatalf("a new step: %q", got)
	}
}

func TestARolloutThatNobodyCallsSaysSo(t *testing.T) {
	site := stepping()
	if line := Line(*site.Rollout); strings.Contains(line, noRequests) {
		t.Errorf("requests have come, and yet: %q", line)
	}
	site.Rollout.Canary = client.Arm{}
	frame := strings.Join(Frame(site, start, Style{Width: 100}), "\n")
	if line := Line(*site.Rollout); !strings.Contains(line, noRequests) || !strings.Contains(frame, noRequests) {
		t.Errorf("nobody is told that requests are missing: %q\n%s", line, frame)
	}
}

func TestEvidenceThatBeginsAfreshBlocksNothing(t *testing.T) {
	site := stepping()
	site.Rollout.Evidence = json.RawMessage(`{"harm":{"e":1,"needed":300},"safety":{"e":1,"needed":20},"afresh":"a new version decides"}`)
	site.Rollout.Verdict.Blocked = "evidence of safety started afresh: a new version decides"
	frame := strings.Join(Frame(site, start, Style{Width: 80}), "\n")
	if strings.Contains(frame, "cannot be concluded") || !strings.Contains(frame, "safety is proven afresh: a new version decides") {
		t.Errorf("it reads as if safety could not be concluded:\n%s", frame)
	}
}

func TestALineDoesNotEndBetweenANumberAndItsUnit(t *testing.T) {
	for text, want := range map[string]string{
		"old 0 of 6,699 (0 %).":       "old 0 of 6,699|(0 %).",
		"the step has 60 min: enough": "the step has|60 min: enough",
		"some share in % is right":    "some share in %|is right",
	} {
		if got := strings.Join(Wrap(text, 16), "|"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestOneRequestIsNotSeveral(t *testing.T) {
	site := stepping()
	site.Rollout.Canary = client.Arm{Requests: 1}
	if frame := strings.Join(Frame(site, start, Style{Width: 80}), "\n"); !strings.Contains(frame, " 1 request ") {
		t.Errorf("one request is not told as one:\n%s", frame)
	}
}

func TestOneRequestWaitsAndSeveralWait(t *testing.T) {
	site := stepping()
	site.Rollout.Queued = true
	for n, want := range map[int]string{0: "0 requests wait", 1: "1 request waits", 1200: "1,200 requests wait"} {
		site.Rollout.Waiting = n
		if frame := strings.Join(Frame(site, start, Style{Width: 80}), "\n"); !strings.Contains(frame, "nobody serves, "+want) {
			t.Errorf("%q is not told:\n%s", want, frame)
		}
	}
}

func TestAStepOfCopiesSaysSoAndAsksForNoClients(t *testing.T) {
	site := stepping()
	site.Rollout.Weight, site.Rollout.Canary = 0, client.Arm{}
	if line := Line(*site.Rollout); strings.Contains(line, noRequests) || !strings.Contains(line, "copies only") {
		t.Errorf("requests of the old release have come, which are copied: %q", line)
	}
	if got, want := Standing(*site.Rollout), "step 1 of 3, copies only"; got != want {
		t.Errorf("the table says %q, want %q", got, want)
	}
	site.Rollout.Stable = client.Arm{}
	if line := Line(*site.Rollout); !strings.Contains(line, noRequests) {
		t.Errorf("nobody is told that there is nothing to copy: %q", line)
	}
}

func TestASummaryNamesItsReleaseOnce(t *testing.T) {
	r := client.Rollout{App: "triage", Env: "production", To: 3, Outcome: client.Failed, Reason: "triage@3 took no traffic: crash loop: exit status 2"}
	if got, want := Summary(r), "triage@3 failed in production and took no traffic: crash loop: exit status 2"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	r.Outcome, r.Reason = client.Promoted, "triage@3 has all traffic again"
	r.Story = []string{r.Reason}
	if got, want := End(r), "triage@3 is promoted in production"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := Summary(r), "triage@3 is promoted in production: it has all traffic again"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestTheVerdictStandsInForAReportThatCannotBeRead(t *testing.T) {
	r := *stepping().Rollout
	r.Evidence = json.RawMessage(`["another shape"]`)
	if e := EvidenceOf(r); e.Safety.String() != "12 of 20" || e.Harm.String() != "-" {
		t.Errorf("got safety %s, harm %s", e.Safety, e.Harm)
	}
	r.Verdict = fairlead.Verdict{Finding: fairlead.Harmful, E: 1e300, Needed: 300}
	if e := EvidenceOf(r); e.Harm.String() != "over a million of 300" || e.Harm.Progress() != 1 {
		t.Errorf("got harm %s, progress %v", e.Harm, e.Harm.Progress())
	}
}

func TestAPauseIsNoEndButOtherHoldsAre(t *testing.T) {
	for held, over := range map[string]bool{"": false, "paused": false, "inconclusive": true, "lease expired": true, "harm seen": true} {
		if Over(client.Rollout{Held: held}) != over {
			t.Errorf("held %q: over is %v", held, !over)
		}
	}
	if !Over(client.Rollout{Outcome: client.Aborted}) {
		t.Error("an outcome is the end")
	}
}

func TestNumbersAreWrittenForPeople(t *testing.T) {
	for got, want := range map[string]string{
		Count(0): "0", Count(999): "999", Count(1234567): "1,234,567",
		Share(0, 0): "-", Share(1, 3000): "0.03 %", Share(5, 1000): "0.5 %", Share(1, 2): "50 %",
		Elapsed(400 * time.Millisecond): "0.4 s", Elapsed(90 * time.Second): "90 s", Elapsed(200 * time.Second): "3 min 20 s", Elapsed(125 * time.Minute): "2 h 5 min",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
