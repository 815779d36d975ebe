//go:build linux

package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/workload/container/enginetest"
)

// patience bounds each wait. It is reached only when something is broken.
const patience = 90 * time.Second

// build compiles a program of this module into file, without libraries.
func build(t *testing.T, file, name string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-o", file, name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
}

// server is a Fairlead of the test's own.
type server struct {
	program, state, gateway string
}

// run runs a command of it.
func (s *server) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(s.program, append(args, "--state", s.state)...).CombinedOutput()
	if err != nil {
		t.Fatalf("fairlead %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// up starts it with an engine, and ends it with the test.
func up(t *testing.T, engine string) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "fl-image-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &server{program: filepath.Join(dir, "fairlead"), state: filepath.Join(dir, "state")}
	build(t, s.program, "github.com/fairlead/fairlead/cmd/fairlead")
	var said bytes.Buffer
	cmd := exec.Command(s.program, "up", "--state", s.state, "--engine", engine, "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0")
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = &said, &said, &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.run(t, "down")
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the server said:\n%s", said.String())
		}
	})
	for end := time.Now().Add(patience); s.gateway == ""; time.Sleep(50 * time.Millisecond) {
		var version struct{ Server struct{ Gateway string } }
		out, err := exec.Command(s.program, "version", "--state", s.state, "--output", "json").Output()
		if err == nil && json.Unmarshal(out, &version) == nil {
			s.gateway = version.Server.Gateway
		}
		if time.Now().After(end) {
			t.Fatalf("it does not answer; it said:\n%s", said.String())
		}
	}
	return s
}

// get asks the app by its route.
func (s *server) get(t *testing.T) string {
	t.Helper()
	r, err := http.NewRequest("GET", "http://"+s.gateway+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "visits.localhost"
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", a.Status, body, err)
	}
	return string(body)
}

func TestTheExampleIsBuiltRunAndReplacedWithItsVolume(t *testing.T) {
	for _, name := range enginetest.Names {
		t.Run(name, func(t *testing.T) {
			engine := enginetest.Start(t, name)
			dir := t.TempDir()
			for _, file := range []string{"Dockerfile", "fairlead.yaml"} {
				data, err := os.ReadFile(file)
				if err == nil {
					err = os.WriteFile(filepath.Join(dir, file), data, 0o644)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			build(t, filepath.Join(dir, "app"), "github.com/fairlead/fairlead/examples/image")
			s := up(t, engine.Host)
			s.run(t, "deploy", "-f", filepath.Join(dir, "fairlead.yaml"), "--wait")
			for n := 1; n <= 2; n++ {
				if got, want := s.get(t), fmt.Sprintf("release 1, visit %d\n", n); got != want {
					t.Errorf("it answered %q, want %q", got, want)
				}
			}
			file, err := os.OpenFile(filepath.Join(dir, "Dockerfile"), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := file.WriteString("LABEL release=second\n"); err != nil {
				t.Fatal(err)
			}
			if err := file.Close(); err != nil {
				t.Fatal(err)
			}
			s.run(t, "deploy", "-f", filepath.Join(dir, "fairlead.yaml"))
			for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
				got := s.get(t)
				if strings.HasPrefix(got, "release 2, visit ") && got != "release 2, visit 1\n" {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("it still answers %q", got)
				}
			}
		})
	}
}
