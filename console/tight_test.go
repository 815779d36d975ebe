package console

import (
	"strings"
	"testing"
)

func TestANumberStaysOnTheLineOfItsUnit(t *testing.T) {
	for text, want := range map[string]string{
		"it fails 4.8 % where a@1 fails 0.5 %; after 3 min 20 s, of 5.": "it fails 4.8_% where a@1 fails 0.5_%; after 3_min 20_s, of 5.",
		"canary: 25 %, 95 %": "canary: 25_%, 95_%",
		"step 2 is safe":     "step 2 is safe",
		"the % of s":         "the % of s",
		"":                   "",
	} {
		if got := strings.ReplaceAll(tight(text), noBreak, "_"); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestTheSentencesOfARolloutAreTight(t *testing.T) {
	r := aRollout(nil)
	r.Headline, r.Story = "triage@3 has 10 % of the traffic.", []string{"step 1 of 3: 10 % of the traffic goes to triage@3"}
	p := rolloutPage{Rollout: r}
	for name, want := range map[string]string{
		"rollout-headline": "has 10" + noBreak + "% of", "rollout-story": "3: 10" + noBreak + "% of", "rollout-terms": "10" + noBreak + "%, 50" + noBreak + "%",
	} {
		shown, err := part{Template: name, Data: p}.render()
		if err != nil || !strings.Contains(string(shown), want) {
			t.Errorf("%s does not say %q: %v\n%s", name, want, err, shown)
		}
	}
}
