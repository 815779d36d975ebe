package rollout_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/rollout/judge"
)

// TestAnExplanationSaysWhatItsNumbersCount: a stranger must see which way is worse, and
// read digits.
func TestAnExplanationSaysWhatItsNumbersCount(t *testing.T) {
	mean := func(x float64) *float64 { return &x }
	report := judge.Report{
		Verdict: fairlead.Verdict{Finding: fairlead.Inconclusive},
		Harm:    judge.Evidence{E: 1, Needed: 1000},
		Signals: []judge.SignalReport{
			{Name: "failures", Protected: true, Canary: judge.ArmSignal{AtRisk: 1059, Hit: 5, Rate: 5. / 1059}, Stable: judge.ArmSignal{AtRisk: 15716}},
			{Name: "latency p50", Canary: judge.ArmSignal{AtRisk: 48, Hit: 7, Rate: 7. / 48}, Stable: judge.ArmSignal{AtRisk: 420, Hit: 58, Rate: 58. / 420},
				OddsRatio: &judge.Interval{Estimate: 0.0156, Low: 0.0156, High: 4.59, LowOpen: true}},
			{Name: "task-success", Kind: fairlead.KindSuccess, Canary: judge.ArmSignal{AtRisk: 67, Hit: 20, Rate: 20. / 67}, Stable: judge.ArmSignal{AtRisk: 633, Hit: 29, Rate: 29. / 633}},
			{Name: "tokens p50", Kind: fairlead.KindAmount, Canary: judge.ArmSignal{AtRisk: 59, Hit: 28, Mean: mean(25400)}, Stable: judge.ArmSignal{AtRisk: 59, Hit: 20, Mean: mean(244)}},
			{Name: "quality (mirrored)", Mirrored: true, Canary: judge.ArmSignal{AtRisk: 21, Hit: 21, Rate: 1}, Stable: judge.ArmSignal{AtRisk: 21},
				Preferred: &judge.Interval{Estimate: 0.015, Low: 0.015, High: 0.223, LowOpen: true}},
		},
	}
	report.Ignored.Undeclared = 10606
	report.Canary.Failed = map[string]uint64{fairlead.ServerError.String(): 2, fairlead.Declared.String(): 3}
	data, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	r := rollout.Rollout{Site: fairlead.Site{App: "answer", Env: "production"}, From: 1, To: 2, Phase: rollout.Stepping,
		StepBegan: now, Strategy: fairlead.Strategy{MaxStep: fairlead.Duration(time.Hour)}, Notes: []rollout.Note{{Time: now.Add(-97 * time.Second), Text: "it began"}}}
	said := rollout.Explain(rollout.State{Rollout: &r, Report: data}, now)
	for _, want := range []string{
		"Newest decision, 97 s ago: it began.",
		"Evidence of harm: E = 1; it is rolled back at 1,000.",
		"failures: new 5 of 1,059 (0.5 %), old 0 of 15,716 (0 %).",
		"  requests that failed in the new release: 2 answered 5xx, 3 declared errors by the app.",
		"latency p50, slower: new 7 of 48 (15 %), old 58 of 420 (14 %).",
		"  odds ratio 0.0156 or less, at most 4.59.",
		"task-success (success), units without: new 20 of 67 (30 %), old 29 of 633 (4.6 %).",
		"tokens p50 (amount), above: new 28 of 59 (mean 25,400), old 20 of 59 (mean 244).",
		"quality (mirrored), worse answers: new 21 of 21 (100 %), old 0 of 21 (0 %).",
		"  where one answer is better, it is the new one in 1.5 % or less, at most 22 %.",
		"10,606 reports were no evidence: the file does not declare their signal.",
		"The step becomes inconclusive in 60 min; then the file says: hold.",
	} {
		if !slices.Contains(said, want) {
			t.Errorf("it does not say %q; it says:\n%s", want, strings.Join(said, "\n"))
		}
	}
}

func TestAnExplanationSaysWhyTheTrafficWentBack(t *testing.T) {
	decided := time.Now()
	r := rollout.Rollout{Site: fairlead.Site{App: "answer", Env: "production"}, From: 1, To: 2, Phase: rollout.Ended,
		Outcome: rollout.RolledBack, Decided: decided, Notes: []rollout.Note{
			{Time: decided.Add(-time.Minute), Text: "step 1 of 2: 10 % of the traffic goes to answer@2"},
			{Time: decided, Text: "guard spend (no guarantee): 0.9, where at most 0.5 is good"},
			{Time: decided.Add(time.Second), Text: "all traffic is back on answer@1"},
		}}
	said := rollout.Explain(rollout.State{Rollout: &r}, decided.Add(5*time.Second))
	for _, want := range []string{"Why: guard spend (no guarantee): 0.9, where at most 0.5 is good.", "Newest decision, 4 s ago: all traffic is back on answer@1."} {
		if !slices.Contains(said, want) {
			t.Errorf("it does not say %q; it says:\n%s", want, strings.Join(said, "\n"))
		}
	}
}
