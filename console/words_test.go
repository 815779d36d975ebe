package console

import (
	"html/template"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

var noon = time.Date(2026, 11, 23, 12, 3, 4, 0, time.UTC)

// written is what a template of one expression gives.
func written(t *testing.T, expression string, data any) string {
	t.Helper()
	page, err := template.New("").Funcs(words()).Parse(expression)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := page.Execute(&out, data); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTemplatesWriteFiguresInOneStyle(t *testing.T) {
	for expression, want := range map[string]string{
		`{{count 12345}}`:                           "12,345",
		`{{plural 1 "request" "requests"}}`:         "1 request",
		`{{percent 0.048}}`:                         "4.8 %",
		`{{millis 24.2}}`:                           "24 ms",
		`{{rate 200.0}}`:                            "200 requests/s",
		`{{release "triage" 7}}`:                    "triage@7",
		`{{release "triage" 0}}`:                    "no release",
		`{{moment .}}`:                              `<time datetime="2026-11-23T12:03:04Z">2026-11-23 12:03:04 UTC</time>`,
		`{{clock .}}`:                               `<time datetime="2026-11-23T12:03:04Z" title="2026-11-23 12:03:04 UTC">12:03:04 UTC</time>`,
		`{{ago .}}`:                                 `<time datetime="2026-11-23T12:03:04Z" data-span="ago" title="2026-11-23 12:03:04 UTC">2026-11-23 12:03:04 UTC</time>`,
		`{{badge "safe" "<b>promoted</b>"}}`:        `<span class="badge badge-safe">` + string(icon("safe")) + `&lt;b&gt;promoted&lt;/b&gt;</span>`,
		`{{digest "sha256:0123456789abcdef"}}`:      `<code class="digest" title="sha256:0123456789abcdef"><span aria-hidden="true">sha256:</span>0123456789ab<span aria-hidden="true">cdef</span></code>`,
		`{{digest "\"><script>alert(1)</script>"}}`: `<code class="digest" title="&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"><span aria-hidden="true"></span>&#34;&gt;&lt;script&gt;al<span aria-hidden="true">ert(1)&lt;/script&gt;</span></code>`,
	} {
		if got := written(t, expression, noon); got != want {
			t.Errorf("%s gives %s\nwant %s", expression, got, want)
		}
	}
}

func TestARolloutsStandingIsSaidInWordsAndTone(t *testing.T) {
	moving := client.Rollout{Phase: "stepping", Step: 2, Weights: []fairlead.Weight{500, 2500, 10000}, Weight: 2500}
	with := func(change func(*client.Rollout)) client.Rollout { r := moving; change(&r); return r }
	for _, c := range []struct {
		r           client.Rollout
		words, tone string
	}{
		{moving, "step 2 of 3, 25 %", "move"},
		{with(func(r *client.Rollout) { r.Weight = 0 }), "step 2 of 3, copies only", "move"},
		{with(func(r *client.Rollout) { r.Phase = "gating" }), "waits for its gates", "move"},
		{with(func(r *client.Rollout) { r.Held = "inconclusive" }), "held: inconclusive", "held"},
		{with(func(r *client.Rollout) { r.Phase, r.Outcome = "ended", client.RolledBack }), "rolled back", "harm"},
		{with(func(r *client.Rollout) { r.Phase, r.Outcome = "returning", client.RolledBack }), "rolled back, traffic goes back", "harm"},
		{with(func(r *client.Rollout) { r.Phase, r.Outcome = "watching", client.Promoted }), "promoted, watched", "safe"},
		{with(func(r *client.Rollout) { r.Phase, r.Outcome = "ended", client.Aborted }), "aborted", "quiet"},
	} {
		if got := standing(c.r); got != c.words {
			t.Errorf("standing of %+v: %q, want %q", c.r, got, c.words)
		}
		if got := tone(c.r); got != c.tone {
			t.Errorf("tone of %q: %q, want %q", c.words, got, c.tone)
		}
	}
}

func TestNothingComesNextOnceARolloutHasEnded(t *testing.T) {
	for _, c := range []struct {
		r    client.Rollout
		want string
	}{
		{client.Rollout{Step: 1}, "next next next"}, // its instances start
		{client.Rollout{Step: 2, StepBegan: noon}, "done now next"},
		{client.Rollout{Step: 2, StepBegan: noon, Outcome: client.RolledBack}, "done ended unreached"},
		{client.Rollout{Outcome: client.Failed}, "unreached unreached unreached"},
		{client.Rollout{Step: 3, StepBegan: noon, Outcome: client.Promoted}, "done done done"},
	} {
		c.r.Weights = []fairlead.Weight{1000, 5000, 9500}
		var states []string
		for _, s := range stepsOf(c.r) {
			states = append(states, s.State)
		}
		if got := strings.Join(states, " "); got != c.want {
			t.Errorf("step %d, outcome %q: %q, want %q", c.r.Step, c.r.Outcome, got, c.want)
		}
	}
}
