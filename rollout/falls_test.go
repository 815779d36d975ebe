package rollout

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

func TestEndsAreToldWithTheirCause(t *testing.T) {
	for want, g := range map[string]Group{
		"": {},
		"instance x was killed for memory twice (limit 256Mi)":                              {Limit: "256Mi", Falls: []Fall{{Instance: "x", Times: 2, OOMKills: 2, Last: "out of memory"}}},
		"instance x ended by itself 3 times (last: exit status 7)":                          {Falls: []Fall{{Instance: "x", Times: 3, Last: "exit status 7"}}},
		"instance x ended by itself 3 times (last: exit status 7), once of that for memory": {Falls: []Fall{{Instance: "x", Times: 3, OOMKills: 1, Last: "exit status 7"}}},
		"instance a ended by itself once, instance b ended by itself once, instance c ended by itself once, and 2 more": {Falls: []Fall{
			{Instance: "a", Times: 1}, {Instance: "b", Times: 1}, {Instance: "c", Times: 1}, {Instance: "d", Times: 1}, {Instance: "e", Times: 1}}},
	} {
		if got := g.text(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Kills are counted over restarts of the control plane, and those of the time before
// the rollout are not.
func TestKillsForMemoryAreCountedOnce(t *testing.T) {
	began := time.Unix(1_700_000_000, 0)
	r := Rollout{From: 1, To: 2, Began: began}
	here := func(old, canary int) []workload.Status {
		return []workload.Status{
			{ID: "old", Release: 1, State: workload.Ready, Restarts: old, OOMKills: old, Started: began.Add(-time.Hour)},
			{ID: "canary", Release: 2, State: workload.Unready, Restarts: canary, OOMKills: canary, Started: began.Add(time.Second), LastExit: "out of memory"},
		}
	}
	first := newCounters(State{Rollout: &r}, here(5, 1))
	first.update(began.Add(10*time.Second), here(5, 1))
	first.update(began.Add(20*time.Second), here(5, 2))
	if o, n := first.of(1), first.of(2); o.OOMKills != 0 || o.Falls != nil || n.OOMKills != 2 || n.Unready != 10 || n.Falls[0] != (Fall{"canary", 2, 2, "out of memory"}) {
		t.Fatalf("old %+v, new %+v", o, n)
	}
	recorded := State{Rollout: &r, Old: first.of(1), New: first.of(2), Ends: first.ends(here(5, 2)), Counted: began.Add(20 * time.Second)}
	next := newCounters(recorded, here(5, 4)) // killed twice while nobody looked
	next.update(began.Add(60*time.Second), here(5, 4))
	next.update(began.Add(61*time.Second), here(6, 4))
	if o, n := next.of(1), next.of(2); o.OOMKills != 1 || n.OOMKills != 4 || n.Restarts != 4 || n.Falls[0].Times != 4 {
		t.Errorf("old %+v, new %+v", o, n)
	}
}

// What older records do not have stays out of new ones where nothing ended: they are
// read, and written, as they were.
func TestAnInputWithoutEndsIsWrittenAsBefore(t *testing.T) {
	data, err := json.Marshal(Group{Ready: 1, Restarts: 2, Seconds: 3})
	if err != nil || string(data) != `{"ready":1,"restarts":2,"seconds":3}` {
		t.Errorf("%s, %v", data, err)
	}
}

func TestHarmByRestartsSaysHowInstancesEnded(t *testing.T) {
	r := Rollout{
		Site: fairlead.Site{App: "triage", Env: "production"}, From: 1, To: 2, Kind: Forward, Phase: Stepping, Step: 1,
		Weights: []fairlead.Weight{1000, 9500}, Weight: 1000, FirstTraffic: time.Unix(1, 0),
	}
	in := Input{Now: time.Unix(2, 0), New: Group{Restarts: 4, Falls: []Fall{{Instance: "x", Times: 4, Last: "exit status 7"}}}}
	v := fairlead.Verdict{Finding: fairlead.Harmful, Signal: "restarts", E: 700, Needed: 600}
	d := Decide(r, in, v, Outlook{})
	if want := "triage@2 is worse: restarts, E = 700 of 600 needed: instance x ended by itself 4 times (last: exit status 7)"; d.Text != want {
		t.Errorf("%s", d.Text)
	}
	in.New.Falls = nil // as of a record from before ends were told
	if d := Decide(r, in, v, Outlook{}); d.Text != "triage@2 is worse: restarts, E = 700 of 600 needed" {
		t.Errorf("%s", d.Text)
	}
}

func TestOfAReleaseWhoseInstancesEndAnExplanationSaysWhereTheyWrote(t *testing.T) {
	site := fairlead.Site{App: "triage", Env: "production"}
	s := State{Live: Live{Site: site}, Rollout: &Rollout{Site: site, From: 1, To: 2, Phase: Ended, Outcome: RolledBack},
		New: Group{Falls: []Fall{{Instance: "x", Times: 3, Last: "exit status 7"}}}}
	all := strings.Join(Explain(s, time.Time{}), "\n")
	if !strings.Contains(all, "x ended by itself 3 times") || !strings.Contains(all, "fairlead logs triage --env production --release 2") || strings.Contains(all, "--release 1") {
		t.Errorf("%s", all)
	}
}
