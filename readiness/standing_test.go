package readiness_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/readiness"
)

func TestStandTellsWhereEachProofIs(t *testing.T) {
	signer := newSigner(t)
	s := func(e readiness.Evidence) readiness.Evidence { return sign(t, signer, e) }
	early := now.Add(-time.Minute)
	forged := s(failed(tests, early))
	forged.Passed = true
	type proof struct {
		state  readiness.State
		detail string
		counts bool
	}
	for name, c := range map[string]struct {
		evidence []readiness.Evidence
		running  map[string]time.Time
		want     [2]proof // of tests and scan
	}{
		"nothing":                {nil, nil, [2]proof{{readiness.Waiting, "", false}, {readiness.Waiting, "", false}}},
		"the first runs":         {nil, map[string]time.Time{"tests": early}, [2]proof{{readiness.Running, "", false}, {readiness.Waiting, "", false}}},
		"passed and failed":      {[]readiness.Evidence{s(passed(tests, early)), s(failed(scan, early))}, nil, [2]proof{{readiness.Passed, "", true}, {readiness.Failed, "exit status 3, 2 of 9 cases wrong", true}}},
		"expired":                {[]readiness.Evidence{s(passed(tests, early)), s(passed(scan, now.Add(-time.Hour)))}, nil, [2]proof{{readiness.Passed, "", true}, {readiness.Expired, "", true}}},
		"passed, runs again":     {[]readiness.Evidence{s(passed(tests, early))}, map[string]time.Time{"tests": early}, [2]proof{{readiness.Passed, "", true}, {readiness.Waiting, "", false}}},
		"expired, runs again":    {[]readiness.Evidence{s(passed(scan, now.Add(-time.Hour)))}, map[string]time.Time{"scan": early}, [2]proof{{readiness.Waiting, "", false}, {readiness.Running, "", true}}},
		"evidence by a stranger": {[]readiness.Evidence{forged}, nil, [2]proof{{readiness.Waiting, "no evidence that counts: it differs from its signed statement", false}, {readiness.Waiting, "", false}}},
	} {
		got := readiness.Stand(now, signer.Public(), both, "production", release, c.evidence, c.running)
		for i, want := range c.want {
			g := got[i]
			if (proof{g.State, g.Detail, g.Evidence != nil}) != want || g.Gate != both[i].Name || (g.State == readiness.Running) == g.Began.IsZero() {
				t.Errorf("%s: gate %d is %+v, want %+v", name, i, g, want)
			}
		}
	}
	if got := readiness.Stand(now, signer.Public(), []fairlead.Gate{scan}, "dev", release, nil, nil); len(got) != 0 {
		t.Errorf("a gate of another environment stands: %+v", got)
	}
}

func TestEvidenceThatIsNotWhereItBelongsIsNone(t *testing.T) {
	value, err := json.Marshal(readiness.Evidence{Digest: release, Env: "production", Gate: "tests", Passed: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readiness.EvidenceOf(fairlead.Row{Kind: readiness.Row, Key: readiness.Key(release, "production", "tests"), Value: value}); err != nil {
		t.Errorf("in its own place: %v", err)
	}
	if _, err := readiness.EvidenceOf(fairlead.Row{Kind: readiness.Row, Key: readiness.Key(release, "production", "scan"), Value: value}); err == nil {
		t.Error("evidence of one gate counts in the place of another")
	}
}

// intents are the rows of open intents.
type intents struct {
	readiness.Store
	rows []fairlead.Row
}

func (i intents) Rows(context.Context, string, string) ([]fairlead.Row, error) { return i.rows, nil }

func TestTheGatesOfAnotherSiteDoNotRunHere(t *testing.T) {
	here, there := fairlead.Site{App: "triage", Env: "production"}, fairlead.Site{App: "triage", Env: "staging"}
	var store intents
	for key, intent := range map[string]fairlead.Intent{
		"gate-1": {Action: "gate.run", Site: here, Target: "tests", Since: now}, "gate-2": {Action: "gate.run", Site: there, Target: "scan", Since: now},
		"gate-3": {Action: "gate.other", Site: here, Target: "other", Since: now},
	} {
		value, err := json.Marshal(intent)
		if err != nil {
			t.Fatal(err)
		}
		store.rows = append(store.rows, fairlead.Row{Key: key, Value: value})
	}
	running, err := (&readiness.Gates{Store: store}).Running(t.Context(), here)
	if err != nil || len(running) != 1 || !running["tests"].Equal(now) {
		t.Errorf("%v run here, want the tests alone: %v", running, err)
	}
}
