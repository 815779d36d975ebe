package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/artifact"
	"github.com/fairlead/fairlead/release"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/secret"
	"github.com/fairlead/fairlead/store/sqlite"
)

// workshop makes releases of the triage app in a real store, and serves them.
type workshop struct {
	*testing.T
	trees   *artifact.Store
	maker   *release.Maker
	engine  *rollout.Engine
	vault   *secret.Vault
	handler http.Handler
	c       *client.Client
}

// noSecret is what no answer may hold: the value of the secret that releases name.
const noSecret = "hunter2"

var maker = fairlead.Principal{ID: "system:maker", Role: fairlead.Operator}

func openWorkshop(t *testing.T) *workshop {
	t.Helper()
	store, err := sqlite.Open(t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	w := &workshop{T: t}
	dir := t.TempDir()
	if w.vault, err = secret.Open(filepath.Join(dir, "vault"), filepath.Join(dir, "vault.key"), store); err != nil {
		t.Fatal(err)
	}
	if w.trees, err = artifact.Open(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	w.maker = &release.Maker{
		Store: store, Now: time.Now,
		Files: func(_ context.Context, tree fairlead.Digest) (map[string]fairlead.Digest, error) {
			m, err := w.trees.Manifest(tree)
			files := map[string]fairlead.Digest{}
			for _, f := range m.Files {
				files[f.Path] = f.Digest
			}
			return files, err
		},
		Secrets: w.vault.Versions,
	}
	if w.engine, err = rollout.Open(t.Context(), store, time.Now, rand.Reader); err != nil {
		t.Fatal(err)
	}
	c := testConfig(fairlead.Viewer)
	c.Releases, c.Engine = w.maker, w.engine
	c.Contents = &release.Contents{Get: w.maker.Get, Open: w.trees.Open, Tree: w.tree}
	w.handler = New(c)
	server := httptest.NewServer(w.handler)
	t.Cleanup(server.Close)
	w.c = client.Remote(server.URL, "right")
	w.setSecret()
	return w
}

// setSecret stores a new version of the secret that releases name, in both environments.
func (w *workshop) setSecret() {
	w.Helper()
	admin := fairlead.Principal{ID: "system:admin", Role: fairlead.Admin}
	for _, env := range []string{"qa", "production"} {
		if _, err := w.vault.Set(w.Context(), admin, time.Now(), env, "kb-key", []byte(noSecret)); err != nil {
			w.Fatal(err)
		}
	}
}

func (w *workshop) tree(_ context.Context, digest fairlead.Digest) ([]release.File, error) {
	m, err := w.trees.Manifest(digest)
	var files []release.File
	for _, f := range m.Files {
		files = append(files, release.File{Path: f.Path, Executable: f.Executable, Bytes: f.Size, Digest: f.Digest, Link: f.Link})
	}
	return files, err
}

// release makes one of files; prompt.txt is its prompt.
func (w *workshop) release(files map[string]string) fairlead.Release {
	w.Helper()
	dir := w.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			w.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			w.Fatal(err)
		}
	}
	tree, _, err := w.trees.PutTree(w.Context(), dir)
	if err != nil {
		w.Fatal(err)
	}
	r, _, err := w.maker.Make(w.Context(), release.Making{Tree: tree, App: fairlead.App{Metadata: fairlead.Metadata{Name: "triage"}, Spec: fairlead.AppSpec{
		Command: []string{"triage"}, Readiness: &fairlead.Check{Path: "/"}, Prompt: []string{"prompt.txt"},
		Secrets: []fairlead.SecretRef{{Name: "kb-key"}}, Environments: []fairlead.Environment{{Name: "qa"}, {Name: "production"}},
	}}}, maker)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

func TestAReleaseIsComparedWithTheOneBefore(t *testing.T) {
	w := openWorkshop(t)
	w.release(map[string]string{"prompt.txt": "Hello\n", "run": "\x00one"})
	w.setSecret()
	second := w.release(map[string]string{"prompt.txt": "Hello there\n", "run": "\x00two"})
	d, err := w.c.Difference(t.Context(), "triage", 2)
	if err != nil || d.From != 1 || d.To != 2 || d.Why != "it is the release with the number before" {
		t.Fatalf("%+v, %v", d, err)
	}
	changed := map[string]client.PartChange{}
	for _, p := range d.Parts {
		if p.Change == client.Changed {
			changed[p.Part] = p
		}
	}
	if len(changed) != 3 || changed["prompt"].Files[0].Diff != "@@ -1 +1 @@\n-Hello\n+Hello there\n" || changed["artifact"].Files[0].NoDiff != "it is not text" {
		t.Errorf("%+v", changed)
	}
	if v := changed["secrets"].Values; len(v) != 2 || v[0] != (client.ValueChange{Name: "production/kb-key", Change: client.Changed, Before: "version 1", After: "version 2"}) {
		t.Errorf("%+v", v)
	}
	if d, err = w.c.Difference(t.Context(), "triage", 1); err != nil || d.From != 0 || d.Why != "it is the first release" {
		t.Errorf("%+v, %v", d, err)
	}
	for _, path := range []string{"", "/2", "/2/files", "/2/file?path=prompt.txt", "/2/difference", "/2/difference?from=0"} {
		answer := ask(w.handler, http.MethodGet, "/v1/apps/triage/releases"+path, nil)
		if answer.Code != http.StatusOK || strings.Contains(answer.Body.String(), noSecret) {
			t.Errorf("%s: status %d, or it tells a secret's value: %s", path, answer.Code, answer.Body)
		}
	}
	one, err := w.c.Release(t.Context(), "triage", 2)
	if err != nil || one.Digest != second.Digest || len(one.Policy) != 2 || len(one.Rollouts) != 0 {
		t.Errorf("%+v, %v", one, err)
	}
}

func TestTheReleaseBeforeIsTheOneThatHadTheTraffic(t *testing.T) {
	w := openWorkshop(t)
	var all []fairlead.Release
	for n := range 3 {
		all = append(all, w.release(map[string]string{"prompt.txt": fmt.Sprintln(n)}))
	}
	enter := func(r fairlead.Release, env string) rollout.Rollout {
		began, err := w.engine.Begin(t.Context(), rollout.Beginning{
			Site: fairlead.Site{App: "triage", Env: env}, Release: r.Number, Digest: r.Digest, Kind: rollout.Forward, By: maker,
			Environment: fairlead.Environment{Name: env, Replicas: 1, Strategy: fairlead.Strategy{Type: fairlead.Canary, Steps: []fairlead.Percent{50}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return began
	}
	first := enter(all[0], "production")
	r, err := w.c.Release(t.Context(), "triage", 1)
	if err != nil || len(r.Rollouts) != 1 || r.Rollouts[0].ID != first.ID || r.Rollouts[0].Env != "production" || r.Rollouts[0].Phase != "gating" {
		t.Fatalf("%+v, %v", r, err)
	}
	if d, err := w.c.Difference(t.Context(), "triage", 3); err != nil || d.From != 2 {
		t.Errorf("brought nowhere, from %d, %v", d.From, err)
	}
	if d, err := w.c.DifferenceFrom(t.Context(), "triage", 1, 3); err != nil || d.From != 1 || d.Why != "" {
		t.Errorf("asked from 1: from %d because %q, %v", d.From, d.Why, err)
	}
	newest, err := w.c.NewestReleases(t.Context(), "triage", 2)
	if err != nil || len(newest) != 2 || newest[0].Number != 3 {
		t.Errorf("%+v, %v", newest, err)
	}
}

func TestWrongComparisonsAreRefusedInWords(t *testing.T) {
	w := openWorkshop(t)
	w.release(map[string]string{"prompt.txt": "a"})
	for path, want := range map[string]string{
		"/v1/apps/triage/releases/2":                              "not_found there is no release triage@2",
		"/v1/apps/nothing/releases/1":                             "not_found there is no release nothing@1",
		"/v1/apps/triage/releases/x":                              `invalid "x" is not the number of a release`,
		"/v1/apps/triage/releases/0":                              `invalid "0" is not the number of a release`,
		"/v1/apps/triage/releases/1/difference?from=1":            "invalid release 1 was to be compared with itself",
		"/v1/apps/triage/releases/1/difference?from=-1":           `invalid "-1" is not the number of a release`,
		"/v1/apps/triage/releases/1/difference?from=9":            "not_found there is no release triage@9",
		"/v1/apps/triage/releases/1/difference?from=%3Cscript%3E": `invalid "<script>" is not the number of a release`,
		"/v1/apps/triage/releases/1/file?path=../../etc/passwd":   `not_found it has no file "../../etc/passwd"`,
		"/v1/apps/triage/releases/9999999999999999999/files":      `invalid "9999999999999999999" is not the number of a release`,
	} {
		var p client.Problem
		if err := json.Unmarshal(ask(w.handler, http.MethodGet, path, nil).Body.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%s %s", p.Code, p.Detail); got != want || p.Hint == "" {
			t.Errorf("%s: %s (%s), want %s", path, got, p.Hint, want)
		}
	}
}

func TestFilesOfAReleaseAreListedAndRead(t *testing.T) {
	w := openWorkshop(t)
	w.release(map[string]string{"prompt.txt": "Hello\r\n", "bin": "\xff\xfe", "a b/<b>.txt": "x"})
	l, err := w.c.ReleaseFiles(t.Context(), "triage", 1)
	if err != nil || l.Count != 3 || l.Bytes != 10 || l.Files[0].Path != "prompt.txt" || l.Files[0].Kinds[0] != "prompt" || l.More != 0 {
		t.Errorf("%+v, %v", l, err)
	}
	for path, want := range map[string][2]string{"prompt.txt": {"Hello\r\n", ""}, "bin": {"", "it is not text"}, "a b/<b>.txt": {"x", ""}} {
		if f, err := w.c.ReleaseFile(t.Context(), "triage", 1, path); err != nil || f.Text != want[0] || f.NoText != want[1] {
			t.Errorf("%s: %+v, %v", path, f, err)
		}
	}
}

func TestADifferenceAsTextKeepsForeignNamesOnTheirLines(t *testing.T) {
	w := openWorkshop(t)
	w.release(map[string]string{"prompt.txt": "a"})
	w.release(map[string]string{"prompt.txt": "a", "evil\n+++ b/prompt.txt": "x\n"})
	d, err := w.c.Difference(t.Context(), "triage", 2)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := client.WriteUnified(&text, d); err != nil {
		t.Fatal(err)
	}
	const want = "# triage@2, compared with triage@1: it is the release with the number before\n\n# artifact\n" +
		"# \"evil\\n+++ b/prompt.txt\": added, 0 -> 2 bytes\n--- /dev/null\n+++ b/\"evil\\n+++ b/prompt.txt\"\n@@ -0,0 +1 @@\n+x\n"
	if text.String() != want {
		t.Errorf("%q\nwant\n%q", text.String(), want)
	}
}

// BenchmarkPageOfALargeRelease is what a release's page asks for its difference and its
// files, of an artifact of 100,000 files.
func BenchmarkPageOfALargeRelease(b *testing.B) {
	trees, err := artifact.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	var releases [3]fairlead.Release
	for n := 1; n <= 2; n++ {
		var m artifact.Manifest
		for i := range 100_000 {
			m.Files = append(m.Files, artifact.File{Path: fmt.Sprintf("site-packages/package/%06d.py", i), Size: 100 << 10, Digest: fairlead.DigestOf(fmt.Append(nil, i+n*(i%2)))})
		}
		digest, _, err := trees.Put(b.Context(), bytes.NewReader(m.JSON()))
		if err != nil {
			b.Fatal(err)
		}
		releases[n] = fairlead.Release{App: "triage", Number: n, Content: fairlead.Content{Artifact: digest}}
	}
	w := &workshop{trees: trees}
	look := func(c *release.Contents) {
		d, err := c.Difference(b.Context(), "triage", 1, 2)
		if err != nil || len(d.Parts[0].Files) == 0 {
			b.Fatal(len(d.Parts[0].Files), err)
		}
		if l, err := c.List(b.Context(), "triage", 2, maxFiles); err != nil || l.Count != 100_000 {
			b.Fatal(l.Count, err)
		}
	}
	contents := func() *release.Contents {
		return &release.Contents{Tree: w.tree, Get: func(_ context.Context, _ string, n int) (fairlead.Release, error) { return releases[n], nil },
			Open: func(fairlead.Digest) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil }}
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			look(contents())
		}
	})
	b.Run("again", func(b *testing.B) {
		c := contents()
		look(c)
		for b.Loop() {
			look(c)
		}
	})
}
