package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/readiness"
	"github.com/fairlead/fairlead/release"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/store/sqlite"
	"github.com/fairlead/fairlead/workload"
)

// noInstances runs nothing.
type noInstances struct{}

func (noInstances) List(context.Context) ([]workload.Status, error) { return nil, nil }
func (noInstances) Logs(context.Context, string, workload.LogOptions, io.Writer) error {
	return nil
}

// turning is the way back of a site whose rollout moves.
type turning struct {
	Deployments
	engine *rollout.Engine
}

func (d turning) Rollback(ctx context.Context, site fairlead.Site, a rollout.Ask, by fairlead.Principal) (rollout.Rollout, error) {
	return d.engine.Act(ctx, site, a, by)
}

// scene is an API over a real store and engine, in which triage@2, which has a gate,
// takes traffic beside triage@1.
type scene struct {
	t       testing.TB
	api     http.Handler
	config  Config
	store   *sqlite.Store
	engine  *rollout.Engine
	signer  *readiness.Signer
	id      string
	release fairlead.Release
	now     time.Time
}

var accuracy = fairlead.Gate{Name: "accuracy", Command: []string{"./eval"}, Expires: fairlead.Duration(time.Hour)}

func newScene(t testing.TB) *scene {
	t.Helper()
	store, engine, id := judged(t, 10)
	signer, err := readiness.OpenSigner(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, store: store, engine: engine, signer: signer, id: id, now: time.Date(2026, 11, 1, 12, 0, 10, 0, time.UTC)}
	for number := 1; number <= 2; number++ {
		s.release = fairlead.Release{App: "triage", Number: number, Digest: fairlead.DigestOf([]byte{byte(number)}), Content: fairlead.Content{Gates: []fairlead.Gate{accuracy}}}
		value, _ := json.Marshal(s.release)
		s.commit("release.created", fairlead.Row{Kind: fairlead.ReleaseRow, Key: fairlead.ReleaseKey("triage", number), Value: value})
	}
	c := testConfig(fairlead.Operator)
	c.Engine, c.Releases, c.Instances, c.Volumes, c.Record, c.Ledger = engine, &release.Maker{Store: store}, noInstances{}, noVolumes{}, store, store
	c.Seen = &rollout.Seen{}
	c.Deployments = turning{engine: engine}
	c.Gates = &readiness.Gates{Store: store, Signer: signer, Log: slog.New(slog.DiscardHandler)}
	c.Now = func() time.Time { return s.now }
	c.Seal = store.Sealer().Seal
	c.Open = func(ctx context.Context, sealed fairlead.Sealed) string {
		text, err := store.Sealer().Open(ctx, sealed)
		if err != nil {
			return "[unreadable]"
		}
		return text
	}
	ada, err := store.Sealer().Seal(t.Context(), "ada", "ada")
	if err != nil {
		t.Fatal(err)
	}
	c.Identify = func(*http.Request) (fairlead.Principal, error) {
		return fairlead.Principal{ID: ada, Role: fairlead.Operator}, nil
	}
	s.api, s.config = New(c), c
	return s
}

// commit records an entry of the site, and returns its position.
func (s *scene) commit(kind string, rows ...fairlead.Row) uint64 {
	s.t.Helper()
	entries, err := s.store.Commit(s.t.Context(), fairlead.Change{Entries: []fairlead.Entry{{
		Time: s.now, Kind: kind, Site: fairlead.Site{App: "triage", Env: "production"}, Principal: "system:test", Data: []byte("{}"), Rows: rows,
	}}})
	if err != nil {
		s.t.Fatal(err)
	}
	return entries[0].Seq
}

// prove records evidence of the gate that ended so long after noon.
func (s *scene) prove(after time.Duration, passed bool) uint64 {
	s.t.Helper()
	s.now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC).Add(after)
	e := readiness.Evidence{Gate: "accuracy", Env: "production", Digest: s.release.Digest, Command: readiness.CommandDigest(accuracy),
		Passed: passed, Started: s.now.Add(-time.Second), Ended: s.now, Expires: s.now.Add(time.Hour)}
	if !passed {
		e.ExitCode, e.Output = 1, "0.71 is under the floor"
	}
	e, err := s.signer.Sign(e)
	if err != nil {
		s.t.Fatal(err)
	}
	value, _ := json.Marshal(e)
	return s.commit("gate.passed", fairlead.Row{Kind: readiness.Row, Key: readiness.Key(e.Digest, e.Env, e.Gate), Value: value})
}

func (s *scene) rollout() client.Rollout {
	s.t.Helper()
	w := ask(s.api, http.MethodGet, "/v1/rollouts/"+s.id, nil)
	var r client.Rollout
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil || w.Code != http.StatusOK {
		s.t.Fatalf("status %d: %v: %s", w.Code, err, w.Body)
	}
	return r
}

// act asks for an action; it returns the status and what was answered.
func (s *scene) act(action string, a client.Act) (int, client.Rollout, client.Problem) {
	s.t.Helper()
	body, _ := json.Marshal(a)
	w := ask(s.api, http.MethodPost, "/v1/sites/triage/production/"+action, func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Type", "application/json")
	})
	var r client.Rollout
	var p client.Problem
	_ = json.Unmarshal(w.Body.Bytes(), &p)
	_ = json.Unmarshal(w.Body.Bytes(), &r)
	return w.Code, r, p
}

func TestARolloutIsToldOnTheWireWithItsFigures(t *testing.T) {
	s := newScene(t)
	r := s.rollout()
	if want := "triage@2 has 50 % of the traffic and fails 20 % where triage@1 fails 0 %; "; !strings.HasPrefix(r.Headline, want) {
		t.Errorf("the headline is %q, want it to begin with %q", r.Headline, want)
	}
	if r.Hurt != r.Canary.Failed || r.Hurt != 10 || len(r.Told) != len(r.Story) || r.Told[0].After(r.Told[len(r.Told)-1]) {
		t.Errorf("%d were hurt; told at %v", r.Hurt, r.Told)
	}
	if r.Strategy != fairlead.Canary || r.Policy.Margin.Ratio != 2 || r.BackTo != 1 {
		t.Errorf("strategy %q, policy %+v, back to %d", r.Strategy, r.Policy, r.BackTo)
	}
	if got := strings.Join(r.Can, " "); got != "pause abort rollback" {
		t.Errorf("it can: %s", got)
	}
	for _, can := range r.Can {
		if !strings.Contains(r.Would[can], "50 %") {
			t.Errorf("%s would: %q, which says no share", can, r.Would[can])
		}
	}
}

func TestWhoActsAndWhyIsInTheLedgerSealed(t *testing.T) {
	s := newScene(t)
	const why = "wrong answers in German"
	code, r, _ := s.act("abort", client.Act{Reason: "\r\n" + why + " ", Rollout: s.id}) // as a held Enter key and a hasty hand write it
	if code != http.StatusOK || r.Outcome != client.Aborted || !strings.Contains(strings.Join(r.Story, "\n"), why) {
		t.Fatalf("status %d: %+v", code, r)
	}
	entries, err := s.store.Entries(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	last := entries[len(entries)-1]
	who, err := s.store.Sealer().Open(t.Context(), last.Principal)
	if err != nil || who != "ada" || last.Kind != "rollout.aborted" {
		t.Errorf("the newest entry is %s by %q, %v", last.Kind, who, err)
	}
	if found, err := s.engine.Find(t.Context(), s.id); err != nil {
		t.Error(err)
	} else if told, _ := s.store.Sealer().Open(t.Context(), found.Rollout.Notes[len(found.Rollout.Notes)-1].Why); told != why {
		t.Errorf("the record gives the reason as %q", told)
	}
	for _, row := range last.Rows {
		if bytes.Contains(row.Value, []byte("German")) || bytes.Contains(last.Data, []byte("German")) {
			t.Error("the reason is in the ledger in the clear")
		}
	}
}

func TestAReasonOfNothingButSpaceIsNone(t *testing.T) {
	s := newScene(t)
	code, r, _ := s.act("pause", client.Act{Reason: " \r\n", Rollout: s.id})
	if told := strings.Join(r.Story, "\n"); code != http.StatusOK || strings.Contains(told, "\r") || strings.Contains(told, "reason") {
		t.Errorf("status %d, the story is %q", code, told)
	}
	found, err := s.engine.Find(t.Context(), s.id)
	if notes := found.Rollout.Notes; err != nil || notes[len(notes)-1].Why != "" {
		t.Errorf("the record keeps a reason: %v", err)
	}
}

func TestWhatIsAskedTwiceIsDoneOnce(t *testing.T) {
	s := newScene(t)
	rollback := client.Act{Rollout: s.id, To: 1}
	for range 2 {
		if code, r, p := s.act("rollback", rollback); code != http.StatusOK || r.ID != s.id || r.Outcome != client.RolledBack {
			t.Fatalf("status %d, %s is %q: %s", code, r.ID, r.Outcome, p.Detail)
		}
	}
	code, _, p := s.act("abort", client.Act{Rollout: s.id})
	if code != http.StatusConflict || p.Code != fairlead.Conflict || p.Detail == "" {
		t.Errorf("an abort after it: status %d, %+v", code, p)
	}
	code, _, p = s.act("pause", client.Act{Rollout: "ro-another"})
	if code != http.StatusConflict || !strings.Contains(p.Detail, "another rollout") || p.Hint == "" {
		t.Errorf("a pause of another rollout: status %d, %+v", code, p)
	}
	stopped := 0
	for _, told := range s.rollout().Story {
		stopped += strings.Count(told, "stopped by a person")
	}
	if stopped != 1 {
		t.Errorf("it was stopped %d times", stopped)
	}
}

func TestAGateShowsItsEvidenceAndTheEntryThatHoldsIt(t *testing.T) {
	s := newScene(t)
	if g := s.rollout().Gates; len(g) != 1 || g[0].State != "waiting" || g[0].Entry != nil {
		t.Fatalf("before any evidence: %+v", g)
	}
	seq := s.prove(5*time.Second, true)
	for range 2 { // found, then remembered
		g := s.rollout().Gates[0]
		if g.Name != "accuracy" || g.State != "passed" || g.Entry == nil || *g.Entry != seq || g.Digest != s.release.Digest || !g.Expires.Equal(g.Ended.Add(time.Hour)) {
			t.Errorf("the gate stands as %+v, want passed by entry %d", g, seq)
		}
	}
}

// TestAGateThatFailsDuringTheLookThatDecidesIsInTheRecord is about a few milliseconds: the
// rollout is decided as of when the look began.
func TestAGateThatFailsDuringTheLookThatDecidesIsInTheRecord(t *testing.T) {
	s := newScene(t)
	release := rollout.Rollout{ID: "ro-9", Site: fairlead.Site{App: "triage", Env: "production"}, Kind: rollout.Forward, From: 1, To: 2,
		Phase: rollout.Ended, Outcome: rollout.Failed}
	failed := s.prove(5*time.Second, false)
	release.Decided = s.now.Add(-7 * time.Millisecond)
	gates, err := (&server{Config: s.config}).gates(t.Context(), release)
	if err != nil || len(gates) != 1 || gates[0].State != "failed" || gates[0].Entry == nil || *gates[0].Entry != failed {
		t.Errorf("%v: the gates are %+v, want failed by entry %d", err, gates, failed)
	}
}

func TestTheRecordOfARolloutShowsTheEvidenceThatItHad(t *testing.T) {
	s := newScene(t)
	had := s.prove(5*time.Second, true)
	s.now = s.now.Add(5 * time.Second)
	if code, _, p := s.act("abort", client.Act{}); code != http.StatusOK {
		t.Fatalf("status %d: %s", code, p.Detail)
	}
	epoch := uint32(0)
	if found, err := s.engine.Find(t.Context(), s.id); err == nil {
		epoch = found.Rollout.Epoch
	}
	if _, err := s.engine.Feed(t.Context(), s.id, rollout.Input{Now: s.now, Applied: epoch}); err != nil {
		t.Fatal(err)
	}
	later := s.prove(2*time.Hour, false) // another rollout of the same release proves it again, and fails
	g := s.rollout().Gates[0]
	if g.State != "passed" || g.Entry == nil || *g.Entry != had || later == had {
		t.Errorf("after newer evidence the record shows %+v, want entry %d", g, had)
	}
}

// noVolumes are those of a machine on which no app has one.
type noVolumes struct{ Volumes }

func (noVolumes) Over(context.Context, fairlead.Site) ([]client.Volume, error) { return nil, nil }
