package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/api/client"
)

func TestAnEndIsToldInItsFiguresWhereTwoReleasesWereCompared(t *testing.T) {
	headline := "triage@3 fails 4.8 % where triage@2 fails 0.5 %; rolled back after 19 s; 63 requests were hurt."
	for name, c := range map[string]struct {
		r    client.Rollout
		told bool
	}{
		"rolled back":         {client.Rollout{From: 2, Outcome: client.RolledBack}, true},
		"promoted":            {client.Rollout{From: 2, Outcome: client.Promoted}, true},
		"failed":              {client.Rollout{From: 2, Outcome: client.Failed}, false},
		"the first release":   {client.Rollout{Outcome: client.Promoted}, false},
		"a way back":          {client.Rollout{From: 3, Kind: "rollback", Outcome: client.Promoted}, false},
		"under way, and held": {client.Rollout{From: 2, Held: "paused"}, false},
	} {
		var out bytes.Buffer
		inv := &invocation{std: Std{Out: &out}}
		c.r.Headline = headline
		inv.figures(c.r)
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if got := strings.Join(lines, " "); (got == headline) != c.told || !c.told && got != "" {
			t.Errorf("%s: it says %q", name, got)
		}
		for _, line := range lines {
			if len(line) > 80 {
				t.Errorf("%s: %d columns: %q", name, len(line), line)
			}
		}
	}
}

func TestAFailureOnATerminalIsBrokenBetweenWordsAndItsHintIsNot(t *testing.T) {
	f := failure{Message: "deploy triage: this machine has no room for it\nthe second line is short", Hint: "ask for less under spec.resources, or end another app: fairlead room"}
	want := []string{"fairlead: deploy triage: this", "  machine has no room for it", "  the second line is short", "  hint: " + f.Hint}
	if got := failureLines(f, 34); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q, want %q", got, want)
	}
	if got := failureLines(f, 0); len(got) != 3 || got[0] != "fairlead: deploy triage: this machine has no room for it" {
		t.Errorf("in a pipe: %q", got)
	}
}
