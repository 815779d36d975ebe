package readiness_test

import (
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
