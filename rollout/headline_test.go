package rollout

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout/judge"
)

// told is a rollout of triage@3 after triage@2 as a headline finds it: ten seconds after
// its first traffic, with figures of both releases.
func told(change func(s *State, report *judge.Report)) State {
	at := func(s int) time.Time { return epochStart.Add(time.Duration(s) * time.Second) }
	left := 70.4
	report := judge.Report{
		Verdict: fairlead.Verdict{Finding: fairlead.Inconclusive}, Expected: &left,
		Harm: judge.Evidence{E: 1, Needed: 300}, Safety: judge.Evidence{E: 2, Needed: 20},
		Signals: []judge.SignalReport{
			{Name: "failures", Protected: true, Expected: &left},
			{Name: "latency p99", Stable: judge.ArmSignal{AtRisk: 900, Hit: 9, Rate: 0.01}, Canary: judge.ArmSignal{AtRisk: 100, Hit: 41, Rate: 0.41}},
		},
	}
	r := Rollout{
		ID: "ro-1", Site: fairlead.Site{App: "triage", Env: "production"}, Kind: Forward, From: 2, To: 3, Phase: Stepping, Step: 1,
		Weights: []fairlead.Weight{1000, 5000, 9500}, Weight: 1000, Began: epochStart, FirstTraffic: at(1), StepBegan: at(1),
		Notes:    []Note{{Time: epochStart, Text: "triage@3 is on its way to production"}},
		Strategy: fairlead.Strategy{RollbackWindow: fairlead.Duration(30 * time.Minute)},
	}
	s := State{
		Rollout: &r, Live: Live{Site: r.Site, Stable: 2, Previous: 1, Rollout: r.ID},
		Tally: Tally{Stable: ArmTally{9000, 45}, Canary: ArmTally{1000, 4}},
	}
	change(&s, &report)
	s.Report, _ = json.Marshal(report)
	if s.Rollout.FirstTraffic.IsZero() {
		s.Report = nil
	}
	return s
}

// decided ends told's rollout 20 s after it began, for a reason.
func decided(s *State, outcome Outcome, why string) {
	r := s.Rollout
	r.Phase, r.Outcome, r.Weight, r.Decided = Ended, outcome, 0, epochStart.Add(20*time.Second)
	r.Notes = append(r.Notes, Note{Time: r.Decided, Text: why}, Note{Time: r.Decided.Add(time.Second), Text: "all traffic is back on triage@2"})
	s.Tally = Tally{Stable: ArmTally{9000, 45}, Canary: ArmTally{1316, 63}}
}

func harmful(s *State, signal string) {
	decided(s, RolledBack, "triage@3 is worse: "+signal+", E = 410 of 300 needed")
	s.Rollout.Verdict = fairlead.Verdict{Finding: fairlead.Harmful, Signal: signal, E: 410, Needed: 300}
}

// change makes a case of told's rollout.
type change = func(s *State, report *judge.Report)

// before takes told's rollout back to before its traffic.
func before(s *State) {
	s.Rollout.FirstTraffic, s.Rollout.Weight, s.Rollout.Step, s.Tally = time.Time{}, 0, 0, Tally{}
}

func held(why string) change { return func(s *State, _ *judge.Report) { s.Rollout.Held = why } }

// headlines says that each change of told's rollout has its headline.
func headlines(t *testing.T, cases map[string]change) {
	t.Helper()
	for want, change := range cases {
		s := told(change)
		got := Headline(s, epochStart.Add(10*time.Minute+20*time.Second))
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if strings.Contains(got, "NaN") || strings.Contains(got, "Inf") {
			t.Errorf("no number: %s", got)
		}
	}
}

func TestAHeadlineTellsWhatARolloutBeforeItsTrafficWaitsFor(t *testing.T) {
	headlines(t, map[string]change{
		"triage@3 waits until every gate holds; it takes no traffic yet.": func(s *State, _ *judge.Report) { before(s); s.Rollout.Phase = Gating },
		"triage@1 waits until every gate holds; it is the first release in production.": func(s *State, _ *judge.Report) {
			before(s)
			s.Rollout.From, s.Rollout.To, s.Rollout.Phase = 0, 1, Gating
		},
		"Instances of triage@3 are starting; it takes no traffic yet.": func(s *State, _ *judge.Report) { before(s); s.Rollout.Phase = Starting },
		"triage@3 is held: a person paused it; it takes no traffic yet.": func(s *State, _ *judge.Report) {
			before(s)
			s.Rollout.Phase, s.Rollout.Held = Starting, HeldPaused
		},
		"triage@3 took no traffic: gate tests failed: exit status 1; triage@2 keeps the traffic.": func(s *State, _ *judge.Report) {
			before(s)
			decided(s, Failed, "triage@3 took no traffic: gate tests failed: exit status 1")
			s.Rollout.Notes = s.Rollout.Notes[:2]
		},
		"A person stopped triage@3 before it took traffic; triage@2 keeps the traffic.": func(s *State, _ *judge.Report) {
			before(s)
			decided(s, Aborted, "stopped by a person before triage@3 took traffic")
		},
	})
}

func TestAHeadlineTellsHowBothReleasesDo(t *testing.T) {
	headlines(t, map[string]change{
		"triage@3 has 10 % of the traffic, and no request has come to it yet; about 70 s to the next verdict.":         func(s *State, _ *judge.Report) { s.Tally = Tally{} },
		"triage@3 has 10 % of the traffic and fails 0.4 % where triage@2 fails 0.5 %; about 70 s to the next verdict.": func(*State, *judge.Report) {},
		"triage@3 has 10 % of the traffic and fails 0 % where triage@2 fails 0.5 %; no verdict is in sight yet.": func(s *State, report *judge.Report) {
			s.Tally.Canary.Failed = 0
			report.Expected, report.Signals[0].Expected = nil, nil
		},
		"triage@3 has 10 % of the traffic and fails 0.4 % of its requests; about 70 s to the next verdict.": func(s *State, _ *judge.Report) { s.Tally.Stable = ArmTally{} },
		"triage@3 has 10 % of the traffic and fails 0.4 % where triage@2 fails 0.5 %; its instances for 50 % are starting.": func(s *State, _ *judge.Report) {
			s.Rollout.Phase, s.Rollout.Step = Starting, 2
		},
		"triage@3 has 10 % of the traffic and fails 0.4 % where triage@2 fails 0.5 %; both fail far more than before, so nothing can be proven safe.": func(_ *State, report *judge.Report) {
			report.Shared, report.Blocked = true, "both releases fail far more than before"
		},
		"triage@3 has 10 % of the traffic and fails 0.4 % where triage@2 fails 0.5 %; it is proven safe at this step.": func(_ *State, report *judge.Report) {
			report.Verdict.Finding = fairlead.Safe
		},
		"triage@3 has 10 % of the traffic and fails 0.4 % where triage@2 fails 0.5 %; held: a person paused it.":                                  held(HeldPaused),
		"triage@3 has 10 % of the traffic and fails 0.4 % where triage@2 fails 0.5 %; held: neither safety nor harm was proven in its time.":      held(HeldInconclusive),
		"triage@3 has 10 % of the traffic and fails 0.4 % where triage@2 fails 0.5 %; held: nobody attended the gateway until its lease ran out.": held(HeldLease),
		"triage@3 has 10 % of the traffic and fails 0.4 % where triage@2 fails 0.5 %; held: its share of the users is not as it was told.":        held(HeldMismatch),
		"triage@3 has 10 % of the traffic and fails 0.4 % where triage@2 fails 0.5 %; held: guard queue is not good.":                             held(HeldGuard + "queue"),
		"Copies of 20 % of the requests go to triage@3, which no client meets; about 70 s to the next verdict.": func(s *State, _ *judge.Report) {
			s.Rollout.Strategy.Mirror, s.Rollout.Weight, s.Rollout.Weights[0] = &fairlead.Mirror{Share: 20}, 0, 0
			s.Tally.Canary = ArmTally{}
		},
	})
}

func TestAHeadlineTellsOfAPromotion(t *testing.T) {
	headlines(t, map[string]change{
		"triage@3 was promoted after 19 s with 95 % of the traffic and fails 0.4 % where triage@2 fails 0.5 %; it is watched for another 20 min.": func(s *State, _ *judge.Report) {
			decided(s, Promoted, "triage@3 is promoted")
			s.Rollout.Phase, s.Rollout.Weight, s.Rollout.Decided = Watching, 9500, epochStart.Add(20*time.Second)
			s.Tally.Canary = ArmTally{1000, 4}
		},
		"triage@3 was promoted after 19 s with 100 % of the traffic and fails 4.8 % where triage@2 fails 0.5 %; it should be looked at: it looks worse, and no holdback remains to prove it.": func(s *State, _ *judge.Report) {
			decided(s, Promoted, "triage@3 is promoted")
			s.Rollout.Phase, s.Rollout.Weight, s.Rollout.Held = Watching, fairlead.Whole, HeldHarm
		},
		"triage@3 was promoted after 19 s; it failed 4.8 % where triage@2 failed 0.5 %.": func(s *State, _ *judge.Report) { decided(s, Promoted, "triage@3 is promoted") },
		"triage@3 was promoted without evidence after 19 s; it failed 4.8 % where triage@2 failed 0.5 %.": func(s *State, _ *judge.Report) {
			decided(s, Promoted, "a person lets triage@3 go on without evidence")
		},
		"triage@1 has all traffic: it is the first release in production, with nothing to compare it with.": func(s *State, _ *judge.Report) {
			decided(s, Promoted, "triage@1 has all traffic")
			s.Rollout.From, s.Rollout.To = 0, 1
		},
		"triage@3 was live in production already; its replicas and route follow the file.": func(s *State, _ *judge.Report) {
			decided(s, Promoted, "live already")
			s.Rollout.From = 3
		},
	})
}

func TestAHeadlineTellsWhichSignalWasWorse(t *testing.T) {
	headlines(t, map[string]change{
		"triage@3 fails 4.8 % where triage@2 fails 0.5 %; rolled back after 19 s; 63 requests were hurt.": func(s *State, _ *judge.Report) { harmful(s, "failures") },
		"triage@3 fails 4.8 % where triage@2 fails 0.5 %; rolled back after 19 s, and its traffic is going back; 63 requests were hurt.": func(s *State, _ *judge.Report) {
			harmful(s, "failures")
			s.Rollout.Phase = Returning
		},
		"41 % of the units of triage@3 waited beyond the earlier p99 latency, and 1.0 % of those of triage@2; rolled back after 19 s; no request was hurt.": func(s *State, _ *judge.Report) {
			harmful(s, "latency p99")
			s.Tally.Canary.Failed = 0
		},
		"triage@3 restarted 5 times where triage@2 did once; rolled back after 19 s; 1 request was hurt.": func(s *State, report *judge.Report) {
			harmful(s, "restarts")
			report.Restarts.Canary.Restarts, report.Restarts.Stable.Restarts, s.Tally.Canary.Failed = 5, 1, 1
		},
		"With triage@3 quality is 0.71 on average where it is 0.82 with triage@2; rolled back after 19 s; 63 requests were hurt.": func(s *State, report *judge.Report) {
			harmful(s, "quality")
			old, new := 0.82, 0.71
			report.Signals = append(report.Signals, judge.SignalReport{Name: "quality", Kind: fairlead.KindScore,
				Stable: judge.ArmSignal{AtRisk: 90, Mean: &old}, Canary: judge.ArmSignal{AtRisk: 10, Mean: &new}})
		},
		"With triage@3 tokens is 3,018 on average where it is 982 with triage@2; rolled back after 19 s; 63 requests were hurt.": func(s *State, report *judge.Report) {
			harmful(s, "tokens p90")
			old, new := 982.0, 3018.0
			report.Signals = append(report.Signals, judge.SignalReport{Name: "tokens p90", Kind: fairlead.KindAmount,
				Stable: judge.ArmSignal{AtRisk: 90, Mean: &old}, Canary: judge.ArmSignal{AtRisk: 10, Mean: &new}})
		},
		"12 % of the units of triage@3 had no solved, and 3.0 % of those of triage@2; rolled back after 19 s; 63 requests were hurt.": func(s *State, report *judge.Report) {
			harmful(s, "solved")
			report.Signals = append(report.Signals, judge.SignalReport{Name: "solved", Kind: fairlead.KindSuccess,
				Stable: judge.ArmSignal{AtRisk: 900, Hit: 27, Rate: 0.03}, Canary: judge.ArmSignal{AtRisk: 100, Hit: 12, Rate: 0.12}})
		},
		"1,212 of 9,000 mirrored requests were answered worse by triage@3, and 3 by triage@2 (failures (mirrored)); rolled back after 19 s; no client met it.": func(s *State, report *judge.Report) {
			harmful(s, "failures (mirrored)")
			s.Rollout.Weights[0], s.Tally.Canary = 0, ArmTally{}
			report.Signals = append(report.Signals, judge.SignalReport{Name: "failures (mirrored)", Mirrored: true,
				Stable: judge.ArmSignal{AtRisk: 9000, Hit: 3}, Canary: judge.ArmSignal{AtRisk: 9000, Hit: 1212}})
		},
	})
}

func TestAHeadlineTellsWhoElseEndedIt(t *testing.T) {
	headlines(t, map[string]change{
		"triage@3 does not stay up: exit status 1, 5 times; rolled back after 19 s; 63 requests were hurt.": func(s *State, _ *judge.Report) {
			decided(s, RolledBack, "triage@3 does not stay up: exit status 1, 5 times")
		},
		"triage@3 was rolled back after 19 s: guard queue (no guarantee): 12, where at most 10 is good, at 3 looks in a row; 63 requests were hurt.": func(s *State, _ *judge.Report) {
			decided(s, RolledBack, "guard queue (no guarantee): 12, where at most 10 is good, at 3 looks in a row")
		},
		"triage@3 was rolled back by a person after 19 s; it failed 4.8 % where triage@2 failed 0.5 %; 63 requests were hurt.": func(s *State, _ *judge.Report) {
			decided(s, RolledBack, stoppedByPerson)
			s.Rollout.Verdict.Finding = fairlead.Harmful // a person who follows an alert
		},
		"triage@3 was aborted by a person after 0.0 s; no request was hurt.": func(s *State, _ *judge.Report) {
			decided(s, Aborted, stoppedByPerson)
			s.Rollout.FirstTraffic, s.Tally.Canary = s.Rollout.Decided, ArmTally{}
		},
	})
}

func TestAHeadlineTellsOfTheWayBack(t *testing.T) {
	headlines(t, map[string]change{
		"triage@2 gets all traffic back from triage@3 when its instances are ready.": func(s *State, _ *judge.Report) {
			before(s)
			s.Rollout.Kind, s.Rollout.From, s.Rollout.To, s.Rollout.Phase = Back, 3, 2, Starting
		},
		"triage@2 has all traffic again, 20 s after it was asked for.": func(s *State, _ *judge.Report) {
			decided(s, Promoted, "triage@2 has all traffic again")
			s.Rollout.Kind, s.Rollout.From, s.Rollout.To = Back, 3, 2
		},
	})
}

func TestWhereNothingWasRolledOutThereIsNoHeadline(t *testing.T) {
	if got := Headline(State{}, epochStart); got != "" {
		t.Errorf("the headline is %q", got)
	}
}

func TestTheWatchIsCountedFromThePromotion(t *testing.T) {
	s := told(func(s *State, _ *judge.Report) {
		decided(s, Promoted, "triage@3 is promoted")
		s.Rollout.Phase, s.Rollout.Weight, s.Rollout.Decided = Watching, 9500, epochStart.Add(10*time.Minute)
	})
	if got := Headline(s, epochStart.Add(15*time.Minute)); !strings.HasSuffix(got, "; it is watched for another 25 min.") {
		t.Errorf("five minutes after the promotion, of thirty: %s", got)
	}
}
