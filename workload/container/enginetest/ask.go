package enginetest

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Client speaks HTTP to the engine, whatever host a URL names.
func (e *Engine) Client() *http.Client {
	return &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", e.Socket())
		},
	}}
}

// Ask calls the engine's API past all code of Fairlead, such as GET
// /containers/json, and decodes the answer into answer unless it is nil; a
// *[]byte gets it as it is. Any answer that is no success fails the test.
func (e *Engine) Ask(t testing.TB, method, path string, body, answer any) {
	t.Helper()
	if err := e.Try(method, path, body, answer); err != nil {
		t.Fatal(err)
	}
}

// Try is Ask where a failure is expected. It sends a reader as a tar stream and anything
// else as JSON.
func (e *Engine) Try(method, path string, body, answer any) error {
	kind, sent := "application/x-tar", io.Reader(nil)
	if reader, ok := body.(io.Reader); ok {
		sent = reader
	} else if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		kind, sent = "application/json", bytes.NewReader(text)
	}
	r, err := http.NewRequest(method, "http://engine/v1.40"+path, sent)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", kind)
	a, err := e.Client().Do(r)
	if err != nil {
		return fmt.Errorf("%s: %w", e.Name, err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode >= 300 {
		return fmt.Errorf("%s answers %s %s with %s: %s (%v)", e.Name, method, path, a.Status, bytes.TrimSpace(text), err)
	}
	if answer == nil {
		return nil
	}
	if raw, ok := answer.(*[]byte); ok {
		*raw = text
		return nil
	}
	return json.Unmarshal(text, answer)
}

// Build has the engine build the image name from a directory with a Dockerfile, and
// returns the image's id.
func (e *Engine) Build(t testing.TB, name, dir string) string {
	t.Helper()
	var packed bytes.Buffer
	pack := tar.NewWriter(&packed)
	if err := pack.AddFS(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := pack.Close(); err != nil {
		t.Fatal(err)
	}
	build := func() error { return e.Try("POST", "/build?q=true&t="+name, bytes.NewReader(packed.Bytes()), nil) }
	err := build()
	if errors.Is(err, syscall.ECONNRESET) { // a busy Docker did so once, for no reason that it told
		t.Logf("build %s again: %v", name, err)
		err = build()
	}
	if err != nil {
		t.Fatal(err)
	}
	var made struct{ ID string }
	e.Ask(t, "GET", "/images/"+name+"/json", nil, &made) // a build that failed has answered with 200 too
	return made.ID
}

// Push puts an image into its registry, of which the engine has it by that tag.
func (e *Engine) Push(t testing.TB, repository, tag string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, "http://engine/v1.40/images/"+repository+"/push?tag="+tag, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Registry-Auth", base64.URLEncoding.EncodeToString([]byte("{}")))
	answer, err := e.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil || bytes.Contains(said, []byte("errorDetail")) || answer.StatusCode != http.StatusOK {
		t.Fatalf("push %s: %v %s", repository, err, said)
	}
}

// Save writes an image with its name into an archive.
func (e *Engine) Save(t testing.TB, name, file string) {
	t.Helper()
	var packed []byte
	e.Ask(t, "GET", "/images/"+name+"/get", nil, &packed)
	if err := os.WriteFile(file, packed, 0o644); err != nil {
		t.Fatal(err)
	}
}

// Said is what the engine's process has printed since it was launched.
func (e *Engine) Said() string { return strings.TrimSpace(e.said.String()) }

// Dir is where the engine keeps its state; it holds no symbolic links.
func (e *Engine) Dir() string { return filepath.Clean(e.dir) }

// Runs reports whether the engine's process runs: it does between Launch and Halt.
func (e *Engine) Runs() bool { return e.run != nil }
