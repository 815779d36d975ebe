package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
)

func TestTheOldReleaseIsBackWhenAllOfItIsAndSaysHowLongRequestsWaited(t *testing.T) {
	now := epochStart.Add(time.Hour)
	for _, c := range []struct {
		name    string
		had     int
		old     Group
		traffic bool // the new release had it
		want    string
	}{
		{name: "none is ready", had: 3},
		{name: "not all are", had: 3, old: Group{Ready: 2}},
		{name: "all are", had: 3, old: Group{Ready: 3}, want: "triage@2 has all traffic again; requests waited for 40 s"},
		{name: "it had none, and one is wanted all the same", had: 0, old: Group{Ready: 0}},
		{name: "since it gave way, where the new one never had the traffic", had: 1, old: Group{Ready: 1}, want: "requests waited for 40 s"},
		{name: "since it was decided, where the new one had", had: 1, old: Group{Ready: 1}, traffic: true, want: "requests waited for 15 s"},
		{name: "it does not come up", had: 2, old: Group{Ready: 1, Broken: "crash loop: exit status 1"}, want: "nothing serves"},
	} {
		r := Rollout{
			ID: "ro-1", Site: fairlead.Site{App: "triage", Env: "production"}, Kind: Forward, From: 2, To: 3, Exclusive: true, Step: 1,
			Weights: []fairlead.Weight{fairlead.Whole}, Phase: Returning, Outcome: Failed, OldReplicas: c.had, Replicas: 1,
			Began: epochStart, StepBegan: epochStart, Decided: now.Add(-15 * time.Second), Replacement: &Replacement{Began: now.Add(-40 * time.Second)},
			Strategy: fairlead.Strategy{Type: fairlead.Replace, MaxStep: fairlead.Duration(24 * time.Hour)},
		}
		if c.traffic {
			r.FirstTraffic = now.Add(-30 * time.Second)
		}
		d := Decide(r, Input{Now: now, Old: c.old}, fairlead.Verdict{}, Outlook{})
		if ended := d.Rollout.Phase == Ended; ended != (c.want != "") || !strings.Contains(d.Text, c.want) {
			t.Errorf("%s: it is in phase %s, %q, want %q", c.name, d.Rollout.Phase, d.Text, c.want)
		}
	}
}

func TestOnlyWhatTakesThePlaceOfAnotherReleaseReplaces(t *testing.T) {
	for _, c := range []struct {
		r    Rollout
		want bool
	}{
		{Rollout{Exclusive: true, From: 2, To: 3}, true}, {Rollout{Exclusive: true, From: 3, To: 2}, true},
		{Rollout{Exclusive: true, From: 0, To: 1}, false}, // the first
		{Rollout{Exclusive: true, From: 2, To: 2}, false}, // it is live already
		{Rollout{From: 2, To: 3}, false},
	} {
		for _, phase := range []Phase{Gating, Clearing, Starting, Watching, Returning, Ended} {
			c.r.Phase = phase
			queues := c.want && (phase == Clearing || phase == Starting || phase == Returning)
			if c.r.Replaces() != c.want || c.r.Queues() != queues {
				t.Errorf("from %d to %d in phase %s it replaces: %t, and requests wait: %t; want %t and %t", c.r.From, c.r.To, phase, c.r.Replaces(), c.r.Queues(), c.want, queues)
			}
		}
	}
}
