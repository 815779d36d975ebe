package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
)

func TestAHeadlineTellsWhoWaitsForWhat(t *testing.T) {
	at := func(s int) time.Time { return epochStart.Add(time.Duration(s) * time.Second) }
	for _, c := range []struct {
		name   string
		change func(s *State)
		want   string
	}{
		{"the old release ends", func(s *State) { s.Rollout.Phase = Clearing },
			"The traffic is queued while triage@2 ends, and triage@3 takes its place then; 1,204 requests wait."},
		{"the new one starts", func(s *State) { s.Rollout.Phase, s.Waiting = Starting, 1 },
			"The traffic is queued until triage@3 is ready in the place of triage@2; 1 request waits."},
		{"it never became ready", func(s *State) {
			s.Rollout.Phase, s.Rollout.Outcome, s.Rollout.Decided, s.Waiting = Returning, Failed, at(30), 0
			s.Rollout.Notes = append(s.Rollout.Notes, Note{Time: at(30), Text: "triage@3 took no traffic: crash loop: exit status 1"})
		}, "triage@3 took no traffic: crash loop: exit status 1; the traffic is queued until triage@2 is back."},
		{"a person stopped it", func(s *State) {
			s.Rollout.Phase, s.Rollout.Outcome, s.Rollout.Decided, s.Waiting = Returning, Aborted, at(30), 0
			s.Rollout.Notes = append(s.Rollout.Notes, Note{Time: at(30), Text: stoppedByPerson})
		}, "A person stopped triage@3; the traffic is queued until triage@2 is back."},
		{"the old one is back", func(s *State) {
			s.Rollout.Phase, s.Rollout.Outcome, s.Rollout.Decided = Ended, Failed, at(30)
			s.Rollout.Notes = append(s.Rollout.Notes, Note{Time: at(30), Text: "triage@3 took no traffic: crash loop: exit status 1"},
				Note{Time: at(33), Text: "triage@2 has all traffic again; requests waited for 33 s"})
		}, "triage@3 took no traffic: crash loop: exit status 1; triage@2 has the traffic again."},
		{"it took its place", func(s *State) {
			r := s.Rollout
			r.Phase, r.Outcome, r.Weight, r.Decided, r.FirstTraffic = Watching, Promoted, fairlead.Whole, at(4), at(4)
			r.Replacement = &Replacement{Began: at(0), Ended: at(4)}
		}, "triage@3 took the place of triage@2, for which requests waited 4.0 s; the two never ran at once, so nothing was compared; it is watched for another 24 min."},
		{"it was rolled back by a guard", func(s *State) {
			r := s.Rollout
			r.Phase, r.Outcome, r.Decided, r.FirstTraffic, s.Waiting = Returning, RolledBack, at(60), at(4), 0
			r.Notes = append(r.Notes, Note{Time: at(60), Text: "guard queue (no guarantee): 9, where at most 5 is good, at 3 looks in a row"})
		}, "Guard queue (no guarantee): 9, where at most 5 is good, at 3 looks in a row; the traffic is queued until triage@2 is back."},
	} {
		s := State{Waiting: 1204, Rollout: &Rollout{
			ID: "ro-1", Site: fairlead.Site{App: "triage", Env: "production"}, Kind: Forward, From: 2, To: 3, Exclusive: true, Step: 1,
			Weights: []fairlead.Weight{fairlead.Whole}, Began: epochStart, StepBegan: epochStart, Replacement: &Replacement{Began: epochStart},
			Notes:    []Note{{Time: epochStart, Text: "triage@3 is on its way to production"}},
			Strategy: fairlead.Strategy{Type: fairlead.Replace, RollbackWindow: fairlead.Duration(30 * time.Minute)},
		}}
		c.change(&s)
		if got := Headline(s, at(360)); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

func TestWhatEitherReleaseShowedAloneIsToldAsNoComparison(t *testing.T) {
	s := State{Rollout: &Rollout{
		Site: fairlead.Site{App: "triage", Env: "production"}, Kind: Forward, From: 2, To: 3, Exclusive: true, Step: 1, Phase: Ended, Outcome: Promoted,
		Weights: []fairlead.Weight{fairlead.Whole}, Notes: []Note{{Time: epochStart, Text: "it ended"}},
		Replacement: &Replacement{
			Before: &Own{Ended: 600, Failed: 3, P50: 10, P99: 100},
			After:  &Own{Ended: 400, Failed: 4, P50: 12, P99: 130},
		},
	}}
	said := strings.Join(Explain(s, epochStart), "\n")
	for _, want := range []string{
		"never run at once, so nothing compares them",
		"Before, triage@2 failed in 0.5 % of its 600 newest requests, with p50 10 ms and p99 100 ms.",
		"At the end of its watch, triage@3 failed in 1.0 % of its 400 newest requests, with p50 12 ms and p99 130 ms. That is information, and no comparison.",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
}
