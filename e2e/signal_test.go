package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/store/sqlite"
)

// graded is an app whose answers have a quality. Nothing of its judging of harm is
// loosened.
func graded(more string) appFile {
	return appFile{
		lines: "  signals: [{name: quality}]\n",
		environments: "    - {name: production, strategy: {steps: [50], beta: 0.3, margin: {ratio: 5, absolute: 0.2}, " +
			"warmup: 100ms, minStep: 1s, rollbackWindow: 10m" + more + "}}\n",
	}
}

var (
	goodAnswers = []string{"quality=0.8", "quality=0.9", "quality=1"}
	badAnswers  = []string{"quality=0.3", "quality=0.4", "quality=0.8"}
)

func TestAReleaseWhoseAnswersAreOfBadQualityIsRolledBackAndReplayedToTheSameBlock(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.deploy(0, behaviour{Version: "v1", Signals: goodAnswers}, graded(""))
	l := w.startLoad(w.host())
	eventually(t, 20*time.Second, "traffic flows", func() bool { return l.by(1) > 200 })
	bad := w.deploy(3, behaviour{Version: "bad", Signals: badAnswers}, graded("")).Rollout
	if bad.Verdict.Finding != fairlead.Harmful || bad.Verdict.Signal != "quality" {
		t.Errorf("verdict %+v", bad.Verdict)
	}
	if why := w.must("explain", w.named); !strings.Contains(why, "decided by quality") || !strings.Contains(why, "quality (score): new mean 0.") {
		t.Errorf("explain says\n%s", why)
	}
	if _, header, _ := w.get(w.host(), "/v1/ask"); header.Get("Fairlead-Signal") != "" {
		t.Errorf("a client sees %q", header.Get("Fairlead-Signal"))
	}
	w.reaches("at its end", func(r client.Rollout) bool { return r.Phase == "ended" })
	l.stop()
	w.proven()
	w.must("down")
	w.replaysAt(bad)
}

// replaysAt folds the recorded inputs of a rollout that went back by harm, and says
// that the verdict falls at the same input with the same evidence.
func (w *world) replaysAt(r client.Rollout) {
	w.Helper()
	store, err := sqlite.Open(w.state, sqlite.Options{})
	if err != nil {
		w.Fatal(err)
	}
	defer store.Close()
	var began rollout.Rollout
	var decided struct {
		Verdict fairlead.Verdict
		Facts   struct{ N uint64 }
	}
	entries, err := store.Entries(w.Context(), 0, 10000)
	if err != nil {
		w.Fatal(err)
	}
	for _, e := range entries {
		switch {
		case e.Kind == "rollout.began" && strings.Contains(string(e.Data), `"`+r.ID+`"`):
			err = json.Unmarshal(e.Data, &began)
		case e.Kind == "rollout.rolledBack":
			err = json.Unmarshal(e.Data, &decided)
		}
		if err != nil {
			w.Fatal(err)
		}
	}
	m, blocks := rollout.NewMachine(began), 0
	for fact, err := range store.Facts(w.Context(), r.ID, 1) {
		var in rollout.Input
		if err == nil {
			err = json.Unmarshal(fact.Body, &in)
		}
		if err == nil {
			blocks += len(in.Blocks)
			_, _, err = m.Take(in)
		}
		if err != nil {
			w.Fatal(err)
		}
		if v := m.Rollout().Verdict; v.Finding == fairlead.Harmful {
			if fact.N != decided.Facts.N || v != decided.Verdict || v != r.Verdict || blocks == 0 {
				w.Errorf("replay finds %+v at input %d after %d blocks; live it was %+v at %d", v, fact.N, blocks, decided.Verdict, decided.Facts.N)
			}
			return
		}
	}
	w.Errorf("replay of %s never finds harm; live it did at input %d", r.ID, decided.Facts.N)
}

func TestAnErrorThatTheAppDeclaresIsAFailure(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.deploy(0, behaviour{Version: "v1"}, graded(""))
	l := w.startLoad(w.host())
	bad := w.deploy(3, behaviour{Version: "bad", Signals: []string{"error=1", "error=0"}}, graded("")).Rollout
	if bad.Verdict.Signal != "failures" || bad.Canary.Failed == 0 || bad.Stable.Failed != 0 {
		t.Errorf("verdict %+v, new %+v, old %+v", bad.Verdict, bad.Canary, bad.Stable)
	}
	l.stop()
	if n := l.failed["2"]; n != 0 {
		t.Errorf("%d answers with 5xx: the declared error is not the failure that was seen", n)
	}
	w.proven()
}

// grader asks the app and grades the answers later, with a token of its own.
type grader struct {
	w     *world
	token string
	mu    sync.Mutex
	last  string // trace
	taken int
	wrong []string
}

// grade asks the app and grades 50 answers in one call: those of a release by a number.
func (g *grader) grade(marks map[string]float64) {
	var in client.Signals
	for range 50 {
		_, header, _ := g.w.get(g.w.host(), "/v1/ask", "Cookie", fmt.Sprintf("fairlead_session=g%d", rand.Uint64()))
		trace := header.Get("Fairlead-Trace")
		if trace == "" {
			continue // nothing is rolled out yet, or any more
		}
		mark := marks[header.Get("X-Release")] + 0.1*rand.Float64()
		in.Reports = append(in.Reports, client.SignalReport{Trace: trace, Signal: "quality", Value: mark})
	}
	if len(in.Reports) > 0 {
		g.post(in)
	}
}

func (g *grader) post(in client.Signals) {
	g.mu.Lock()
	defer g.mu.Unlock()
	status, body := g.w.report(g.token, in)
	var taken client.SignalsTaken
	if err := json.Unmarshal(body, &taken); err != nil || status != http.StatusAccepted {
		g.wrong = append(g.wrong, fmt.Sprintf("status %d: %s", status, body))
		return
	}
	g.taken += taken.Taken
	g.last = in.Reports[0].Trace
}

// report posts signals with a token and returns the status and the answer.
func (w *world) report(token string, in any) (int, []byte) {
	w.Helper()
	data, err := json.Marshal(in)
	if err != nil {
		w.Fatal(err)
	}
	r, err := http.NewRequest("POST", "http://"+w.plane.at.API+"/v1/signals", bytes.NewReader(data))
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, []byte(err.Error())
	}
	defer answer.Body.Close()
	var body bytes.Buffer
	_, _ = body.ReadFrom(answer.Body) // what came is shown
	return answer.StatusCode, body.Bytes()
}

func TestALateGraderWithATokenOfItsOwnRollsBackABadRelease(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.deploy(0, behaviour{Version: "v1"}, graded(""))
	g := &grader{w: w, token: strings.TrimSpace(w.must("token", "create", "grader"))}
	l := w.startLoad(w.host())
	w.begin(behaviour{Version: "bad"}, graded(", onInconclusive: hold"))
	w.reaches("at its step", partial)
	r := w.rollout()
	deadline := time.Now().Add(90 * time.Second)
	for r.Outcome == "" && time.Now().Before(deadline) {
		g.grade(map[string]float64{"1": 0.85, "2": 0.3})
		r = w.rollout()
	}
	if r.Outcome != client.RolledBack || r.Verdict.Signal != "quality" || len(g.wrong) > 0 && r.Outcome == "" {
		t.Errorf("outcome %q, verdict %+v, %d taken, %q", r.Outcome, r.Verdict, g.taken, g.wrong)
	}
	if !strings.Contains(w.must("events", "--tail", "200"), "a token for grader with the role reporter") {
		t.Error("the ledger does not say that a token was made")
	}
	w.reaches("at its end", func(r client.Rollout) bool { return r.Phase == "ended" })
	if status, body := w.report(g.token, client.SignalReport{Trace: g.last, Signal: "quality", Value: 1}); status != http.StatusConflict || !strings.Contains(string(body), "has ended") {
		t.Errorf("after the end: status %d, %s", status, body)
	}
	l.stop()
	w.proven()
}

func TestAReportIsRecordedOnceAndOutlivesTheControlPlane(t *testing.T) {
	t.Parallel()
	w := start(t)
	slow := graded("")
	slow.environments = strings.Replace(slow.environments, "minStep: 1s", "minStep: 5m", 1)
	w.deploy(0, behaviour{Version: "v1"}, slow)
	token := strings.TrimSpace(w.must("token", "create", "grader"))
	w.begin(behaviour{Version: "v2"}, slow)
	w.reaches("at its step", partial)
	trace := ""
	eventually(t, 20*time.Second, "answers have a trace", func() bool {
		_, header, _ := w.get(w.host(), "/v1/ask")
		trace = header.Get("Fairlead-Trace")
		return trace != ""
	})
	one := client.SignalReport{Trace: trace, Signal: "quality", Value: 0.5}
	if status, body := w.report(token, one); status != http.StatusAccepted || !strings.Contains(string(body), `"taken":1`) {
		t.Fatalf("status %d, %s", status, body)
	}
	w.plane.kill()
	w.up()
	if status, body := w.report(token, one); status != http.StatusAccepted || !strings.Contains(string(body), `"repeated":1`) {
		t.Errorf("after a crash: status %d, %s", status, body)
	}
	says := func(what string, in any, status int, words ...string) {
		t.Helper()
		got, body := w.report(token, in)
		for _, word := range words {
			if got != status || !strings.Contains(string(body), word) {
				t.Errorf("%s: status %d, %s; want %d with %q", what, got, body, status, word)
			}
		}
	}
	says("an unknown signal", client.SignalReport{Trace: trace, Signal: "qualty", Value: 1}, 400, "did you mean quality?", "it declares: quality")
	says("a value out of range", client.SignalReport{Trace: trace, Signal: "quality", Value: 7}, 400, "between 0 and 1, not 7")
	says("an error", client.SignalReport{Trace: trace, Signal: "error", Value: 1}, 400, "Fairlead-Signal: error=1")
	says("a changed trace", client.SignalReport{Trace: trace[:len(trace)-6] + "AAAAAA", Signal: "quality", Value: 1}, 400, "Fairlead-Trace")
	says("no trace", client.SignalReport{Trace: "x", Signal: "quality", Value: 1}, 400, "does not have the form of one")
	token = "fl_" + strings.Repeat("0", 64)
	says("another token", one, 401, "no valid token")
	token = strings.TrimSpace(w.must("token", "create", "second"))
	w.must("token", "revoke", "second")
	says("a revoked token", one, 401, "no valid token")
	if out := w.must("signal", trace, "quality=1"); !strings.Contains(out, "had a value already") {
		t.Errorf("a person's report says %q", out)
	}
	w.must("abort", w.named, "--wait")
	w.proven()
}

func TestAGuardHoldsAReleaseUntilAPersonLetsItGoOn(t *testing.T) {
	t.Parallel()
	w := start(t)
	guarded := appFile{environments: "    - {name: production, strategy: {steps: [50], beta: 0.3, margin: {ratio: 5, absolute: 0.2}, warmup: 100ms, minStep: 1s, rollbackWindow: 10m, " +
		"guards: [{name: queue, metric: 'queue_depth{kind=\"gpu\"}', max: 5, interval: 1s, failures: 2}]}}\n"}
	w.deploy(0, behaviour{Version: "v1", Queue: 9}, guarded)
	l := w.startLoad(w.host())
	held := w.deploy(4, behaviour{Version: "v2", Queue: 9}, guarded).Rollout
	if held.Held != "guard queue" || len(held.Guards) != 1 || held.Guards[0].Value == nil || *held.Guards[0].Value != 9 || held.Guards[0].Guarantee {
		t.Errorf("held %q, guards %+v", held.Held, held.Guards)
	}
	for _, command := range []string{"explain " + w.named, "status " + w.named} {
		if out := strings.Join(strings.Fields(w.must(strings.Fields(command)...)), " "); !strings.Contains(out, "9, where at most 5 is good") || !strings.Contains(out, "guarantee") {
			t.Errorf("%s says\n%s", command, out)
		}
	}
	w.must("resume", w.named, "--reason", "the queue drains")
	on := w.reaches("promoted", outcome(client.Promoted))
	if story := strings.Join(on.Story, "\n"); !strings.Contains(story, "past guard queue") {
		t.Errorf("the story is\n%s", story)
	}
	good := w.deploy(0, behaviour{Version: "v3", Queue: 2}, guarded).Rollout
	if story := strings.Join(good.Story, "\n"); strings.Contains(story, "guard") {
		t.Errorf("a good number: the story is\n%s", story)
	}
	l.stop()
	w.proven()
}
