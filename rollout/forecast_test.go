package rollout

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout/judge"
)

func TestAnExplanationSaysHowLongTheStepTakesAndWhatWouldHelp(t *testing.T) {
	at := func(needs float64, rate float64, weight fairlead.Weight) string {
		report, err := json.Marshal(judge.Report{
			Verdict:  fairlead.Verdict{Finding: fairlead.Inconclusive, Needed: 20},
			Forecast: judge.Forecast{Seconds: &needs, Signal: "latency p99", Requests: rate},
		})
		if err != nil {
			t.Fatal(err)
		}
		r := Rollout{
			Site: fairlead.Site{App: "triage", Env: "production"}, Phase: Stepping, From: 1, To: 2, Step: 1, Weight: weight,
			Weights: []fairlead.Weight{1000, 9500}, StepBegan: epochStart, Strategy: fairlead.Strategy{MaxStep: fairlead.Duration(time.Hour)},
		}
		return strings.Join(Explain(State{Live: Live{Site: r.Site, Stable: 1}, Rollout: &r, Report: report}, epochStart.Add(10*time.Minute)), "\n")
	}
	for _, c := range []struct {
		name        string
		needs, rate float64
		weight      fairlead.Weight
		says, keeps string // what it says, and what it does not
	}{
		{"soon", 40, 100, 1000, "At 100 requests/s the step needs about 40 s more; latency p99 takes longest.", "widen"},
		{"long", 2400, 1, 1000, "At 1 request/s the step needs about 40 min more; latency p99 takes longest; widen the canary or add copies of requests (mirror).", "inconclusive."},
		{"wide already", 2400, 1, 5000, "takes longest; add copies of requests (mirror).", "widen"},
		{"too long", 20000, 0.25, 1000, "At 0.25 requests/s the step needs about 6 h more; latency p99 takes longest. It has 50 min, so that it will probably be inconclusive", "days"},
	} {
		text := at(c.needs, c.rate, c.weight)
		if !strings.Contains(text, c.says) || strings.Contains(text, c.keeps) {
			t.Errorf("%s: it says\n%s\nwant %q, and nothing of %q", c.name, text, c.says, c.keeps)
		}
	}
}

func TestSpansAreForPeople(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0 s": -time.Second, "80 s": 80 * time.Second, "40 min": 40 * time.Minute, "5 h": 5 * time.Hour, "3 days": 72 * time.Hour,
	} {
		if got := Span(d); got != want {
			t.Errorf("%s is written %q, want %q", d, got, want)
		}
	}
}

func TestAnExplanationNamesTheSignalThatHasNoForecastYet(t *testing.T) {
	report, err := json.Marshal(judge.Report{
		Verdict:  fairlead.Verdict{Finding: fairlead.Inconclusive, Needed: 20},
		Forecast: judge.Forecast{Signal: "quality", Requests: 10},
		Signals: []judge.SignalReport{{
			Name: "quality", Kind: fairlead.KindScore, Protected: true, Safety: judge.SafetyPart{E: 1.1, Needed: 20},
			Stable: judge.ArmSignal{AtRisk: 8}, Canary: judge.ArmSignal{AtRisk: 2},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := Rollout{
		Site: fairlead.Site{App: "triage", Env: "production"}, Phase: Stepping, From: 1, To: 2, Step: 1, Weight: 1000,
		Weights: []fairlead.Weight{1000, 9500}, StepBegan: epochStart, Strategy: fairlead.Strategy{MaxStep: fairlead.Duration(time.Hour)},
	}
	text := strings.Join(Explain(State{Live: Live{Site: r.Site, Stable: 1}, Rollout: &r, Report: report}, epochStart.Add(20*time.Second)), "\n")
	for _, want := range []string{"When the step ends cannot be told yet: quality has no forecast.", "no forecast yet: the step waits for it"} {
		if !strings.Contains(text, want) {
			t.Errorf("it says\n%s\nwant %q", text, want)
		}
	}
}
