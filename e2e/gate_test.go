package e2e

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/readiness"
	"github.com/fairlead/fairlead/store/sqlite"
)

const gateLines = "  gates:\n    - {name: check, command: [./app, gate]}\n"

func TestAGateDecidesBeforeAnyTrafficOnTheExactReleaseInTheSandbox(t *testing.T) {
	t.Parallel()
	w := start(t)
	host, err := net.Listen("tcp", "127.0.0.1:0") // what a gate must not reach
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	gated := func(version string, exit int) behaviour {
		b := behaviour{Version: version}
		b.Gate.Exit, b.Gate.Dial = exit, host.Addr().String()
		return b
	}
	file := appFile{lines: gateLines}
	w.deploy(0, gated("v1", 0), file)
	if n := w.count("gate.run"); n != 1 {
		t.Errorf("the gate ran %d times", n)
	}
	passed := w.last("gate.passed")
	if !strings.Contains(string(passed.Data), string(see[[]client.Release](w, "releases", w.named)[0].Digest)) {
		t.Errorf("the evidence is not for the release: %s", passed.Data)
	}
	w.signed()
	w.deploy(1, gated("v2", 3), file)
	if n := w.count("instance.start"); n != 1 {
		t.Errorf("%d instances were started, one of them of a release whose gate failed", n)
	}
	if why := w.must("explain", w.named); !strings.Contains(why, "check") {
		t.Errorf("explain says %q", why)
	}
	if status, header, _ := w.get(w.host(), "/"); status != 200 || header.Get("X-Release") != "1" {
		t.Errorf("%d by release %s", status, header.Get("X-Release"))
	}
	l := w.startLoad(w.host())
	w.deploy(0, gated("v3", 0), file) // new content: the gate runs again
	if n := w.count("gate.run"); n != 3 {
		t.Errorf("the gate ran %d times", n)
	}
	again := w.deploy(0, gated("v1", 0), file) // content that was proven
	if n := w.count("gate.run"); n != 3 || again.Created || again.Release.Number != 1 {
		t.Errorf("the gate ran %d times; %+v", n, again.Release)
	}
	l.stop()
	w.proven()
}

// signed says that the evidence of the first release counts for its digest, and
// neither for another one nor when it was changed.
func (w *world) signed() {
	w.Helper()
	r := see[[]client.Release](w, "releases", w.named)[0]
	signer, err := readiness.OpenSigner(filepath.Join(w.state, "evidence.key"))
	if err != nil {
		w.Fatal(err)
	}
	reader, err := sqlite.OpenReadOnly(w.state)
	if err != nil {
		w.Fatal(err)
	}
	defer reader.Close()
	row, ok, err := reader.Row(context.Background(), readiness.Row, readiness.Key(r.Digest, "production", "check"))
	var e readiness.Evidence
	if err != nil || !ok || json.Unmarshal(row.Value, &e) != nil {
		w.Fatalf("no evidence: %v %s", err, row.Value)
	}
	if !strings.Contains(e.Output, "gate write:") || !strings.Contains(e.Output, "gate dial:") {
		w.Errorf("the gate says %q", e.Output)
	}
	holds := func(digest fairlead.Digest, e readiness.Evidence) bool {
		return readiness.Decide(time.Now(), signer.Public(), r.Content.Gates, "production", digest, []readiness.Evidence{e}).Holds()
	}
	other := fairlead.DigestOf([]byte("another release"))
	forged := e
	forged.Digest = other
	if !holds(r.Digest, e) || holds(other, e) || holds(other, forged) {
		w.Error("the evidence does not count for exactly its digest")
	}
}

// entries are the ledger's, oldest first.
func (w *world) entries() []client.Event {
	w.Helper()
	var all []client.Event
	lines := json.NewDecoder(strings.NewReader(w.must("events", "--from", "0", "--output", "json")))
	for lines.More() {
		var e client.Event
		if err := lines.Decode(&e); err != nil {
			w.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// count returns how many entries are of a kind.
func (w *world) count(kind string) (n int) {
	w.Helper()
	for _, e := range w.entries() {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// last returns the newest entry of a kind.
func (w *world) last(kind string) (newest client.Event) {
	w.Helper()
	for _, e := range w.entries() {
		if e.Kind == kind {
			newest = e
		}
	}
	if newest.Kind == "" {
		w.Errorf("no entry %s", kind)
	}
	return newest
}

func TestAReleaseIsBuiltFromAGitCommit(t *testing.T) {
	t.Parallel()
	w := start(t)
	repo := filepath.Join(w.dir, "repo")
	w.lay(behaviour{Version: "repo"}, appFile{})
	file := filepath.Join(repo, "fairlead.yaml")
	fromGit := func(ref string) {
		from := w.lay(behaviour{Version: "other"}, appFile{artifact: "{from: {git: ., ref: " + ref + ", build: [./app, build, out], directory: out}}"})
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		write(w, file, string(text))
	}
	fromGit("main")
	w.git(repo, "init", "-q", "-b", "main")
	w.git(repo, "add", ".")
	w.git(repo, "commit", "-q", "-m", "Answer politely")
	commit := strings.TrimSpace(w.git(repo, "rev-parse", "HEAD"))
	write(w, filepath.Join(repo, "config.json"), "not committed")

	d := see[client.Deployed](w, "deploy", "-f", file, "--wait")
	c := d.Release.Commit
	if c == nil || c.Hash != commit || c.Author != "Ada Lovelace <ada@example.com>" || c.Subject != "Answer politely" || c.BuildLog == "" {
		t.Errorf("commit %+v, want %s", c, commit)
	}
	if status, header, _ := w.get(w.host(), "/"); status != 200 || header.Get("X-Version") != "repo" {
		t.Errorf("%d by version %s", status, header.Get("X-Version"))
	}
	if c != nil {
		blobs, _ := filepath.Glob(filepath.Join(w.state, "content", "*", "*", strings.TrimPrefix(c.BuildLog, "sha256:")[4:]))
		found := false
		for blob := range w.files() {
			data, err := os.ReadFile(blob)
			found = found || err == nil && string(data) == "building into out\n"
		}
		if !found {
			t.Errorf("the build's log %s is nowhere (%v)", c.BuildLog, blobs)
		}
	}
	fromGit("nowhere")
	w.says(w.refused(1, "deploy", "-f", file), "nowhere")
}

// git runs git in a repository of the test.
func (w *world) git(repo string, args ...string) string {
	w.Helper()
	cmd := exec.Command("git", append([]string{"-C", repo}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=Ada Lovelace", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada Lovelace", "GIT_COMMITTER_EMAIL=ada@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return string(out)
}
