package rollout

import (
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

func TestNothingStartsBesideWhatItMustNotMeet(t *testing.T) {
	instance := func(id string, release int, state workload.State) workload.Status {
		return workload.Status{ID: id, Release: release, State: state, Started: epochStart}
	}
	alone, room := Limit{Alone: true}, Limit{Most: 3}
	for _, c := range []struct {
		name    string
		limit   Limit
		want    Want
		have    []workload.Status
		leaving []string
		gone    []string
		start   int
	}{
		{name: "nothing is there", limit: alone, want: Want{1: 0, 2: 2}, start: 2},
		{name: "the old one runs", limit: alone, want: Want{1: 0, 2: 1}, have: []workload.Status{instance("a", 1, workload.Ready)}},
		{name: "the old one starts", limit: alone, want: Want{1: 0, 2: 1}, have: []workload.Status{instance("a", 1, workload.Starting)}},
		{name: "the old one drains", limit: alone, want: Want{1: 0, 2: 1}, have: []workload.Status{instance("a", 1, workload.Ready)}, leaving: []string{"a"}},
		{name: "the old one stops", limit: alone, want: Want{1: 0, 2: 1}, have: []workload.Status{instance("a", 1, workload.Stopping)}},
		{name: "its shim died, and its container may go on", limit: alone, want: Want{1: 0, 2: 1}, have: []workload.Status{instance("a", 1, workload.Exited)}},
		{name: "it is over for certain", limit: alone, want: Want{1: 0, 2: 1}, have: []workload.Status{instance("a", 1, workload.Exited)}, gone: []string{"a"}, start: 1},
		{name: "it was stopped, and runs all the same", limit: alone, want: Want{1: 0, 2: 1}, have: []workload.Status{instance("a", 1, workload.Ready)}, gone: []string{"a"}},
		{name: "one of its own failed a while ago", limit: alone, want: Want{2: 1}, have: []workload.Status{instance("a", 2, workload.CrashLoop)}},
		{name: "one of its own failed, and is gone", limit: alone, want: Want{2: 1}, have: []workload.Status{instance("a", 2, workload.CrashLoop)}, gone: []string{"a"}, start: 1},
		{name: "one of its own stops, as before a restart", limit: alone, want: Want{2: 1}, have: []workload.Status{instance("a", 2, workload.Stopping)}},
		{name: "one of its own serves", limit: alone, want: Want{2: 2}, have: []workload.Status{instance("a", 2, workload.Ready)}, start: 1},
		{name: "nobody must be alone", want: Want{1: 1, 2: 1}, have: []workload.Status{instance("a", 1, workload.Ready)}, start: 1},
		{name: "there is room for one more", limit: room, want: Want{1: 1, 2: 2},
			have: []workload.Status{instance("a", 1, workload.Ready), instance("b", 1, workload.Ready)}, leaving: []string{"b"}, start: 1},
		{name: "there is room when the old one has ended", limit: room, want: Want{1: 1, 2: 2},
			have: []workload.Status{instance("a", 1, workload.Ready), instance("b", 1, workload.Exited)}, gone: []string{"b"}, start: 2},
		{name: "what may linger takes room", limit: room, want: Want{1: 1, 2: 2},
			have: []workload.Status{instance("a", 1, workload.Ready), instance("b", 1, workload.Exited), instance("c", 1, workload.Exited)}, start: 0},
		{name: "there are too many already", limit: room, want: Want{2: 1}, have: []workload.Status{
			instance("a", 1, workload.Ready), instance("b", 1, workload.Ready), instance("c", 1, workload.Ready), instance("d", 1, workload.Ready)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := func(ids []string) func(string) bool { return func(id string) bool { return slices.Contains(ids, id) } }
			start, _ := Converge(epochStart.Add(time.Hour), fairlead.Site{}, c.want, c.have, in(c.leaving))
			if got := len(c.limit.Allow(start, c.want, c.have, in(c.leaving), in(c.gone))); got != c.start {
				t.Errorf("%d of %d may start, want %d", got, len(start), c.start)
			}
		})
	}
}

// rolled returns the rollout of release n after what is live, and what is live once it is promoted.
func rolled(live Live, n int, kind Kind, strategy string) (Rollout, Live) {
	r := newRollout(Beginning{Site: live.Site, Release: n, Kind: kind, Environment: fairlead.Environment{
		Replicas: 1, Strategy: fairlead.Strategy{Type: strategy, Steps: []fairlead.Percent{50}}}}, live, epochStart, rand.Reader)
	live.Exclusive = r.Exclusive
	promoted := r
	promoted.Outcome = Promoted
	return r, settle(live, r, promoted)
}

func TestAReleaseThatMustBeAloneIsLeftAloneByTheNextOneToo(t *testing.T) {
	live := Live{Site: fairlead.Site{App: "triage", Env: "production"}, Stable: 1, Replicas: 1}
	r, live := rolled(live, 2, Forward, fairlead.Replace)
	if !r.Replaces() || !live.Exclusive || r.Phase != Gating || len(r.Weights) != 1 {
		t.Fatalf("replace begins as %+v, live is %+v", r, live)
	}
	back, _ := rolled(live, 1, Back, fairlead.Canary)
	if !back.Replaces() || back.Phase != Clearing {
		t.Errorf("the way back to a release that knows nothing of it begins in %s", back.Phase)
	}
	next, after := rolled(live, 3, Forward, fairlead.Canary)
	if !next.Replaces() || after.Exclusive {
		t.Errorf("the next one takes its place: %t; and what comes then must be alone: %t", next.Replaces(), after.Exclusive)
	}
	beside, _ := rolled(after, 4, Forward, fairlead.Canary)
	if beside.Replaces() || !(LimitOf(live, &next).Alone) || LimitOf(after, &beside).Alone {
		t.Error("who may run beside another does not")
	}
}

func TestARolloutThatReplacesIsKnownAsItBeganOnceItHasEnded(t *testing.T) {
	live := Live{Site: fairlead.Site{App: "triage", Env: "production"}, Stable: 1, Replicas: 1}
	for _, kind := range []Kind{Forward, Back} {
		r, _ := rolled(live, 2, kind, fairlead.Replace)
		want := row(RolloutRow, "", r).Value
		d := Decide(r, Input{Now: epochStart.Add(time.Minute), Gates: GateState{Satisfied: true}, Cleared: true}, fairlead.Verdict{}, Outlook{})
		if got := row(RolloutRow, "", d.Rollout.begun()).Value; d.Kind == "" || string(got) != string(want) {
			t.Errorf("%s began as\n%s\nand is taken to have begun as\n%s", kind, want, got)
		}
	}
}
