package readiness_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/artifact"
	"github.com/fairlead/fairlead/readiness"
	"github.com/fairlead/fairlead/store/sqlite"
	"github.com/fairlead/fairlead/workload"
)

var ctx = context.Background()

// processes runs jobs as plain processes, without a sandbox. It can be told to fail
// as a runner does: the job could not be run.
type processes struct {
	jobs    []workload.Job
	broken  error
	started func() // called when a job is about to start, if set
}

func (p *processes) RunJob(ctx context.Context, job workload.Job) (workload.JobResult, error) {
	p.jobs = append(p.jobs, job)
	if p.started != nil {
		p.started()
	}
	if p.broken != nil {
		return workload.JobResult{}, p.broken
	}
	ctx, cancel := context.WithTimeout(ctx, job.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, job.Command[0], job.Command[1:]...)
	cmd.Dir = job.Dir
	for name, value := range job.Env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	output, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if cmd.ProcessState == nil && ctx.Err() != nil {
		return workload.JobResult{ExitCode: -1}, nil // killed before it began
	}
	if err != nil && !errors.As(err, &exit) {
		return workload.JobResult{}, err
	}
	return workload.JobResult{ExitCode: cmd.ProcessState.ExitCode(), TimedOut: ctx.Err() != nil, Output: output}, nil
}

type fixture struct {
	gates *readiness.Gates
	jobs  *processes
	store *sqlite.Store
	blobs *artifact.Store
	now   time.Time
	r     fairlead.Release
}

// newFixture is a release whose tree has a file data, with the given gates, over a
// real store.
func newFixture(t *testing.T, data string, gates ...fairlead.Gate) *fixture {
	t.Helper()
	dir := t.TempDir()
	store, err := sqlite.Open(filepath.Join(dir, "state"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := artifact.Open(filepath.Join(dir, "artifacts"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		trees, _ := filepath.Glob(filepath.Join(dir, "artifacts", "trees", "*"))
		for _, tree := range trees {
			_ = os.Chmod(tree, 0o700)
		}
	})
	source := t.TempDir()
	if err := os.WriteFile(filepath.Join(source, "data"), []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	tree, _, err := blobs.PutTree(ctx, source)
	if err != nil {
		t.Fatal(err)
	}
	content := fairlead.Content{Artifact: tree, Gates: gates, Env: map[string]string{"MODE": "all", "FAIRLEAD_APP": "x"}}
	f := &fixture{jobs: &processes{}, store: store, blobs: blobs, now: now, r: fairlead.Release{
		App: "triage", Number: 7, Digest: content.Digest(), Content: content,
		Policy: []fairlead.Environment{{Name: "production", Sandbox: fairlead.SandboxPreferred, Env: map[string]string{"MODE": "production"}}},
	}}
	f.gates = &readiness.Gates{
		Store: store, Jobs: f.jobs, Outputs: blobs, Place: func(ctx context.Context, r fairlead.Release, _ string) (string, *workload.Image, error) {
			dir, err := blobs.Materialise(ctx, r.Content.Artifact)
			return dir, nil, err
		}, Signer: newSigner(t),
		Now: func() time.Time { return f.now }, Log: slog.New(slog.DiscardHandler),
	}
	return f
}

func shell(name, script string) fairlead.Gate {
	return fairlead.Gate{Name: name, Command: []string{"/bin/sh", "-c", script}, Timeout: 20 * hour / 3600, Expires: hour}
}

func (f *fixture) prove(t *testing.T, env string) readiness.Verdict {
	t.Helper()
	v, err := f.gates.Prove(ctx, f.r, env)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (f *fixture) kinds(t *testing.T) string {
	t.Helper()
	entries, err := f.store.Entries(ctx, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range entries {
		kinds = append(kinds, e.Kind)
	}
	return strings.Join(kinds, " ")
}

func (f *fixture) evidence(t *testing.T, env, gate string) readiness.Evidence {
	t.Helper()
	row, ok, err := f.store.Row(ctx, readiness.Row, readiness.Key(f.r.Digest, env, gate))
	if err != nil || !ok {
		t.Fatalf("no evidence row: %v", err)
	}
	var e readiness.Evidence
	if err := json.Unmarshal(row.Value, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestAGateRunsAgainstTheReleaseAndItsOutcomeIsEvidence(t *testing.T) {
	f := newFixture(t, "good", shell("tests", `grep good data; echo "$FAIRLEAD_APP $FAIRLEAD_ENVIRONMENT $MODE $FAIRLEAD_RELEASE"; echo err >&2`))
	if v, err := f.gates.Check(ctx, f.r, "production"); err != nil || v.Holds() || len(v.Missing) != 1 {
		t.Errorf("before: %+v, %v", v, err)
	}
	v := f.prove(t, "production")
	if !v.Holds() || !v.Until.Equal(now.Add(time.Hour)) {
		t.Errorf("after: %+v", v)
	}
	e := f.evidence(t, "production", "tests")
	want := "good\ntriage production production " + string(f.r.Digest) + "\nerr\n"
	if e.Output != want || !e.Passed {
		t.Errorf("output %q, want %q", e.Output, want)
	}
	blob, err := f.blobs.Open(e.OutputDigest)
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Close()
	if whole, err := io.ReadAll(blob); err != nil || string(whole) != want {
		t.Errorf("the whole output is %q, %v", whole, err)
	}
	if kinds := f.kinds(t); kinds != "gate.run gate.passed" {
		t.Errorf("entries: %s", kinds)
	}
	if open, err := f.store.Rows(ctx, "intent", ""); err != nil || len(open) != 0 {
		t.Errorf("open intents: %v, %v", open, err)
	}
	job := f.jobs.jobs[0]
	if job.Writable || job.Sandbox != fairlead.SandboxPreferred || !strings.HasPrefix(job.ID, "gate-") || job.Timeout != 20*time.Second {
		t.Errorf("job %+v", job)
	}
}

func TestFreshEvidenceIsNotMadeAgainAndExpiredEvidenceIs(t *testing.T) {
	f := newFixture(t, "x", shell("tests", "true"))
	f.prove(t, "production")
	f.now = now.Add(time.Hour - 1)
	if v := f.prove(t, "production"); !v.Holds() || len(f.jobs.jobs) != 1 {
		t.Errorf("fresh: %+v after %d runs", v, len(f.jobs.jobs))
	}
	f.now = now.Add(time.Hour)
	if v, err := f.gates.Check(ctx, f.r, "production"); err != nil || len(v.Expired) != 1 {
		t.Errorf("expired: %+v, %v", v, err)
	}
	if v := f.prove(t, "production"); !v.Holds() || len(f.jobs.jobs) != 2 {
		t.Errorf("renewed: %+v after %d runs", v, len(f.jobs.jobs))
	}
	if v := f.prove(t, "dev"); !v.Holds() || len(f.jobs.jobs) != 3 {
		t.Errorf("another environment has evidence of its own: %+v after %d runs", v, len(f.jobs.jobs))
	}
	if job := f.jobs.jobs[2]; job.Sandbox != fairlead.SandboxRequired {
		t.Errorf("without a policy the sandbox is %s", job.Sandbox)
	}
}

func TestAFailedGateBlocksUntilItIsRunAgain(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	f := newFixture(t, "x", shell("flaky", "test -e "+mark+" || { echo not yet; exit 4; }"), shell("other", "true"))
	v := f.prove(t, "production")
	if v.Holds() || fmt.Sprint(v.Failed, v.Satisfied, v.Why) != "[flaky] [other] [gate flaky failed: exit status 4, not yet]" {
		t.Errorf("%+v", v)
	}
	if v, err := f.gates.Check(ctx, f.r, "production"); err != nil || v.Holds() || len(f.jobs.jobs) != 2 {
		t.Errorf("a look changes it: %+v, %v", v, err)
	}
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f.now = now.Add(time.Minute)
	if v := f.prove(t, "production"); !v.Holds() || len(f.jobs.jobs) != 3 {
		t.Errorf("run again: %+v after %d runs", v, len(f.jobs.jobs))
	}
	if kinds := f.kinds(t); kinds != "gate.run gate.failed gate.run gate.passed gate.run gate.passed" {
		t.Errorf("entries: %s", kinds)
	}
}

func TestAGateThatDoesNotEndFails(t *testing.T) {
	gate := fairlead.Gate{Name: "slow", Command: []string{"/bin/sleep", "600"}, Timeout: hour / 36000, Expires: hour}
	f := newFixture(t, "x", gate)
	if v := f.prove(t, "production"); v.Holds() || fmt.Sprint(v.Why) != "[gate slow failed: it did not end in its time]" {
		t.Errorf("%+v", v)
	}
}

func TestAGateThatCannotBeRunLeavesNoEvidence(t *testing.T) {
	f := newFixture(t, "x", shell("tests", "true"))
	f.jobs.broken = errors.New("no sandbox")
	if _, err := f.gates.Prove(ctx, f.r, "production"); err == nil || !strings.Contains(err.Error(), "no sandbox") {
		t.Errorf("%v", err)
	}
	if kinds := f.kinds(t); kinds != "gate.run gate.interrupted" {
		t.Errorf("entries: %s", kinds)
	}
	f.jobs.broken = nil
	if v := f.prove(t, "production"); !v.Holds() {
		t.Errorf("%+v", v)
	}
}

func TestAGateThatEndsWithTheServerLeavesNoEvidence(t *testing.T) {
	f := newFixture(t, "x", shell("tests", "exec sleep 600"))
	ending, cancel := context.WithCancel(ctx)
	f.jobs.started = cancel
	if _, err := f.gates.Prove(ending, f.r, "production"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if kinds := f.kinds(t); kinds != "gate.run gate.interrupted" {
		t.Errorf("entries: %s", kinds)
	}
}

func TestLongOutputIsKeptWholeAndItsEndIsInTheRow(t *testing.T) {
	f := newFixture(t, "x", shell("tests", `i=0; while [ $i -lt 1000 ]; do echo "line $i ä"; i=$((i+1)); done; printf '\000\377end'`))
	if v := f.prove(t, "production"); !v.Holds() {
		t.Fatalf("%+v", v)
	}
	e := f.evidence(t, "production", "tests")
	if len(e.Output) > 2048 || !strings.HasSuffix(e.Output, "line 999 ä\nend") {
		t.Errorf("%d bytes that end in %q", len(e.Output), e.Output[len(e.Output)-30:])
	}
	blob, err := f.blobs.Open(e.OutputDigest)
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Close()
	if whole, err := io.ReadAll(blob); err != nil || bytes.Count(whole, []byte("\n")) != 1000 {
		t.Errorf("the whole output has %d lines, %v", bytes.Count(whole, []byte("\n")), err)
	}
}

func TestEvidenceChangedInTheStoreNeverSatisfies(t *testing.T) {
	f := newFixture(t, "x", shell("tests", "exit 1"))
	f.prove(t, "production")
	e := f.evidence(t, "production", "tests")
	e.Passed, e.ExitCode = true, 0
	for name, key := range map[string]string{"in place": readiness.Key(f.r.Digest, "production", "tests"), "elsewhere": readiness.Key(f.r.Digest, "production", "zzz")} {
		value, _ := json.Marshal(e)
		_, err := f.store.Commit(ctx, fairlead.Change{Entries: []fairlead.Entry{{Time: now, Kind: "forged", Principal: "system:test",
			Rows: []fairlead.Row{{Kind: readiness.Row, Key: key, Value: value}}}}})
		if err != nil {
			t.Fatal(err)
		}
		if v, err := f.gates.Check(ctx, f.r, "production"); err != nil || v.Holds() {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
}

// crashing is a store whose outcome commits never happen, as when the process dies
// while a gate runs.
type crashing struct{ *sqlite.Store }

func (c crashing) Commit(ctx context.Context, change fairlead.Change) ([]fairlead.Entry, error) {
	if change.Entries[0].Kind != "gate.run" {
		return nil, errors.New("gone")
	}
	return c.Store.Commit(ctx, change)
}

func TestARunThatACrashEndedIsClosedAndRunAgain(t *testing.T) {
	f := newFixture(t, "x", shell("tests", "true"))
	f.gates.Store = crashing{f.store}
	if _, err := f.gates.Prove(ctx, f.r, "production"); err == nil {
		t.Fatal("the crash is hidden")
	}
	f.gates.Store = f.store
	if open, _ := f.store.Rows(ctx, "intent", ""); len(open) != 1 {
		t.Fatalf("the test needs an open intent: %v", open)
	}
	if err := f.gates.Recover(ctx); err != nil {
		t.Fatal(err)
	}
	if v := f.prove(t, "production"); !v.Holds() {
		t.Errorf("%+v", v)
	}
	if kinds := f.kinds(t); kinds != "gate.run gate.interrupted gate.run gate.passed" {
		t.Errorf("entries: %s", kinds)
	}
}

func TestTheSignersKeyIsKeptAndGuarded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys", "evidence.pem")
	first, err := readiness.OpenSigner(file)
	if err != nil {
		t.Fatal(err)
	}
	again, err := readiness.OpenSigner(file)
	if err != nil || !first.Public().Equal(again.Public()) {
		t.Errorf("another key after a restart: %v", err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readiness.OpenSigner(file); fairlead.CodeOf(err) != fairlead.Forbidden {
		t.Errorf("a key that others may read: %v", err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readiness.OpenSigner(file); fairlead.CodeOf(err) != fairlead.Corrupt {
		t.Errorf("a damaged key: %v", err)
	}
}
