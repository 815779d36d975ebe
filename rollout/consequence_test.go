package rollout

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout/judge"
)

func TestAConsequenceSaysInNumbersWhatWillHappen(t *testing.T) {
	none := func(*State) {}
	held := func(why string) func(*State) { return func(s *State) { s.Rollout.Held = why } }
	for want, c := range map[string]struct {
		command Command
		change  func(*State)
	}{
		"triage@3 stays at 10 % of the traffic until somebody resumes it. Judging goes on: evidence of harm still rolls it back.":                        {Pause, none},
		"triage@3 waits before its traffic begins, until somebody resumes it.":                                                                           {Pause, func(s *State) { s.Rollout.Weight, s.Rollout.FirstTraffic = 0, time.Time{} }},
		"triage@2 gets all traffic back at once: triage@3 has 10 % now. It is recorded as rolled back.":                                                  {Rollback, none},
		"triage@2 gets all traffic back at once: triage@3 has 10 % now. It is recorded as aborted: a decision about the rollout, not about the release.": {Abort, none},
		"triage@3 ends here, before it took traffic. triage@2 keeps all traffic.":                                                                        {Abort, func(s *State) { s.Rollout.FirstTraffic = time.Time{} }},
		"triage@3 ends here, before it took traffic. No other release is live in production.":                                                            {Abort, func(s *State) { s.Rollout.FirstTraffic, s.Rollout.From = time.Time{}, 0 }},
		"triage@1 gets all traffic again as soon as its instances are ready (2 wanted); triage@2 has it now.":                                            {Rollback, func(s *State) { s.Rollout.Phase, s.Live.Replicas = Ended, 2 }},
		"triage@3 goes on at 10 % of the traffic, and advances as soon as its step is proven safe. The step's time begins anew.":                         {Resume, held(HeldPaused)},
		"triage@3 goes on at 10 % of the traffic past guard queue, which holds it no more.":                                                              {Resume, held(HeldGuard + "queue")},
		"triage@3 goes on at 10 % of the traffic, and proves its safety afresh. Your reason stands as the explanation of its share.":                     {Resume, held(HeldMismatch)},
		"triage@3 gets 10 % of the traffic again, and proves its safety afresh.":                                                                         {Resume, func(s *State) { s.Rollout.Held, s.Rollout.Weight = HeldLease, 0 }},
		"The alert is closed, and the watch of triage@3 goes on at 100 % of the traffic.": {Resume, func(s *State) {
			s.Rollout.Held, s.Rollout.Phase, s.Rollout.Outcome, s.Rollout.Weight = HeldHarm, Watching, Promoted, fairlead.Whole
		}},
		"triage@3 goes on to step 3 of 3 without evidence: with all traffic on it nothing can be proven.": {Resume, func(s *State) {
			s.Rollout.Held, s.Rollout.Weight, s.Rollout.Step = HeldInconclusive, fairlead.Whole, 2
		}},
		"triage@3 goes on, and takes traffic as soon as its gates hold and its instances are ready.": {Resume, func(s *State) {
			s.Rollout.Held, s.Rollout.FirstTraffic, s.Rollout.Phase, s.Rollout.Weight = HeldPaused, time.Time{}, Starting, 0
		}},
	} {
		s := told(func(s *State, _ *judge.Report) { c.change(s) })
		if got := s.Consequence(c.command); got != want {
			t.Errorf("%s: %s\nwant %s", c.command, got, want)
		}
	}
}
