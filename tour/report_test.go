package tour

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/app"
	"github.com/fairlead/fairlead/cli/progress"
)

// good is the report of a tour in which all went as it must.
func good() Report {
	return Report{
		Releases: []Result{
			{Release: "v2", Expected: "promoted", Outcome: "promoted", Seconds: 21.3, Requests: 4100, Failures: 20},
			{Release: "v3", Expected: "rolledBack", Outcome: "rolledBack", Seconds: 6.1, Requests: 700, Failures: 36},
			{Release: "v4", Expected: "rolledBack", Outcome: "rolledBack", Seconds: 3, Requests: 210, Failures: 190},
			{Release: "v5", Expected: "failed", Outcome: "failed", Seconds: 9},
			{Release: "v6", Expected: "failed", Outcome: "failed", Seconds: 9},
		},
		Requests: 40000, Ledger: LedgerReport{Entries: 321, Verified: true, Replayed: true},
	}
}

func TestATourIsOnlyGoodIfEverythingIs(t *testing.T) {
	if p := good().problem(); p != "" {
		t.Errorf("a good tour has the problem %q", p)
	}
	for want, spoil := range map[string]func(*Report){
		"v3 must end rolledBack and ended promoted": func(r *Report) { r.Releases[1].Outcome = "promoted" },
		"v5 must take no request and took 1":        func(r *Report) { r.Releases[3].Requests = 1 },
		"not every release was tried":               func(r *Report) { r.Releases = r.Releases[:4] },
		"2 of 40000 requests were lost":             func(r *Report) { r.Lost = 2 },
		"the ledger was not verified":               func(r *Report) { r.Ledger.Verified = false },
		"the decisions were not replayed":           func(r *Report) { r.Ledger.Replayed = false },
	} {
		r := good()
		spoil(&r)
		if p := r.problem(); p != want {
			t.Errorf("problem %q, want %q", p, want)
		}
	}
}

func TestTheJSONReportIsOneObjectWithTheDocumentedNames(t *testing.T) {
	var out bytes.Buffer
	r := good()
	r.OK = true
	if err := r.print(Options{JSON: true, Out: &out}); err != nil {
		t.Fatal(err)
	}
	want := `{"releases":[{"release":"v2","expected":"promoted","outcome":"promoted","seconds_to_verdict":21.3,"canary_requests":4100,"canary_failures":20},`
	end := `"requests":40000,"lost_requests":0,"ledger":{"entries":321,"verified":true,"replayed":true},"ok":true}` + "\n"
	if got := out.String(); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, end) || strings.Count(got, "\n") != 1 {
		t.Errorf("got %s", got)
	}
}

func TestTheAppFileOfTheTourIsValidAndLoosensNothing(t *testing.T) {
	a, err := app.Parse("tour.yaml", []byte(strings.Replace(appFile, "%s", "{directory: ./v1}", 1)))
	if err != nil {
		t.Fatal(err)
	}
	s := app.Complete(a).Spec.Environments[0].Strategy
	if s.Alpha != 1.0/300 || s.Beta != 1.0/20 || s.Tolerance != 1 || s.Margin.Ratio != 2 || len(s.Steps) != 2 || s.Steps[0] != 25 || s.Steps[1] != 50 {
		t.Errorf("the strategy is %+v", s)
	}
}

func TestAllStagesAreThere(t *testing.T) {
	if n := len(stages()); n != 5 {
		t.Errorf("%d stages, want v2 to v6", n)
	}
}

func TestTheFrameFitsAnyTerminalAndSaysWhatMatters(t *testing.T) {
	began := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	left := 12.0
	v3 := stages()[1]
	s := scene{
		began: began, stage: &v3, past: good().Releases[:1], traffic: &pace{perSecond: 500.2, sent: 18204, failed: 110},
		doing: "step 1 of 2: 25 % of the units are on the new release",
		rollout: &client.Rollout{
			App: "triage", Env: "production", From: 2, To: 3, Phase: "stepping", Step: 1, Weight: 2500, LeftSecs: &left,
			Evidence: json.RawMessage(`{"harm":{"e":41,"needed":300},"safety":{"e":0.2,"needed":20}}`),
			Verdict:  fairlead.Verdict{Finding: fairlead.Inconclusive, E: 41, Needed: 300},
			Canary:   client.Arm{Requests: 640, Failed: 31}, Stable: client.Arm{Requests: 1910, Failed: 9},
		},
	}
	for _, columns := range []int{40, 80, 120} {
		lines := frame(s, began.Add(37*time.Second), progress.Style{Width: columns, UTF8: true})
		for _, line := range lines {
			if n := len([]rune(line)); n > columns {
				t.Errorf("%d columns: a line of %d: %q", columns, n, line)
			}
		}
		if columns < 80 {
			continue
		}
		text := strings.Join(lines, "\n")
		for _, want := range []string{"E = 41 of 300, about 12 s left", "new 25 %  old 75 %", "500 requests/s", "0 lost", "v2  promoted", "v3  retries"} {
			if !strings.Contains(text, want) {
				t.Errorf("%d columns: %q is missing in\n%s", columns, want, text)
			}
		}
	}
}
