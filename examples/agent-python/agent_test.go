// Package agentpython_test runs the agent example as a process, the way that
// Fairlead does.
package agentpython_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const python = "/usr/bin/python3"

// patience bounds each wait. It is reached only when something is broken.
const patience = 20 * time.Second

// agent is an agent process that serves.
type agent struct {
	address string
	cmd     *exec.Cmd
	logged  *bufio.Scanner
}

// start runs the agent in dir and returns when it says that it serves.
func start(t *testing.T, dir string) *agent {
	t.Helper()
	cmd := exec.Command(python, "agent.py")
	cmd.Dir, cmd.Env = dir, []string{"PORT=0", "FAIRLEAD_RELEASE=7"}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	a := &agent{cmd: cmd, logged: bufio.NewScanner(stderr)}
	var line struct{ Msg, Address, Release string }
	if !a.logged.Scan() || json.Unmarshal(a.logged.Bytes(), &line) != nil || line.Msg != "serving" || line.Release != "7" {
		t.Fatalf("it logged %q", a.logged.Text())
	}
	a.address = line.Address
	return a
}

// post sends body and returns the answer with its whole text.
func (a *agent) post(t *testing.T, path, body string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequest("POST", "http://"+a.address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Fairlead-Run", "run-1")
	client := http.Client{Timeout: patience}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(text)
}

// terminate sends SIGTERM.
func (a *agent) terminate(t *testing.T) {
	t.Helper()
	if err := a.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

// ended waits for the agent's end and checks that it was in order.
func (a *agent) ended(t *testing.T) {
	t.Helper()
	for a.logged.Scan() {
	}
	if err := a.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestTheAgentIsReadyRunsTasksAndChats(t *testing.T) {
	a := start(t, "app")
	for _, path := range []string{"/healthz", "/readyz"} {
		response, err := http.Get("http://" + a.address + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("GET %s answers %d", path, response.StatusCode)
		}
	}
	response, text := a.post(t, "/v1/tasks", `{"task":"How long does the warranty cover defects? Then 24 * 30"}`)
	var outcome struct {
		Run     string
		Success bool
		Steps   []struct{ Tool, Result string }
	}
	if err := json.Unmarshal([]byte(text), &outcome); err != nil {
		t.Fatalf("status %d: %s", response.StatusCode, text)
	}
	if !outcome.Success || outcome.Run != "run-1" || len(outcome.Steps) != 2 || outcome.Steps[1].Result != "720" {
		t.Errorf("outcome %+v", outcome)
	}
	if run := response.Header.Get("Fairlead-Run"); run != "run-1" {
		t.Errorf("run %q", run)
	}
	_, text = a.post(t, "/v1/chat/completions", `{"model":"agent","messages":[{"role":"user","content":"6 * 7"}]}`)
	if !strings.Contains(text, `"chat.completion"`) || !strings.Contains(text, "42") {
		t.Errorf("chat %s", text)
	}
	_, text = a.post(t, "/v1/chat/completions", `{"model":"agent","stream":true,"messages":[{"role":"user","content":"6 * 7"}]}`)
	if !strings.Contains(text, `"chat.completion.chunk"`) || !strings.HasSuffix(text, "data: [DONE]\n\n") {
		t.Errorf("stream %s", text)
	}
	a.terminate(t)
	a.ended(t)
}

// A request that has begun when SIGTERM comes is answered, and an idle
// connection does not hold the agent up.
func TestSIGTERMLetsARequestEnd(t *testing.T) {
	a := start(t, "app")
	idle, err := net.Dial("tcp", a.address)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	busy, err := net.Dial("tcp", a.address)
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	_ = busy.SetDeadline(time.Now().Add(patience))
	body := `{"task":"6 * 7"}`
	head := "POST /v1/tasks HTTP/1.1\r\nHost: agent\r\nContent-Length: 16\r\nExpect: 100-continue\r\n\r\n"
	reader := bufio.NewReader(busy)
	if _, err := io.WriteString(busy, head); err != nil {
		t.Fatal(err)
	}
	if line, err := reader.ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := reader.ReadString('\n'); err != nil { // the empty line after it
		t.Fatal(err)
	}
	if _, err := io.WriteString(busy, body[:8]); err != nil {
		t.Fatal(err)
	}
	a.terminate(t)
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		probe, err := net.Dial("tcp", a.address)
		if err != nil {
			break // it takes no new connections
		}
		probe.Close()
		if time.Now().After(deadline) {
			t.Fatal("it still takes connections")
		}
	}
	if _, err := io.WriteString(busy, body[8:]); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err != nil || !bytes.Contains(text, []byte("42")) || !response.Close {
		t.Errorf("answer %q, %v, closes %t", text, err, response.Close)
	}
	a.ended(t)
}

func TestABadConfigurationExits78(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("app")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config/agent.json"), []byte(`{"maxStep": 3}`), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "agent.py")
	cmd.Dir, cmd.Env = dir, []string{"PORT=0"}
	out, _ := cmd.CombinedOutput()
	if status := cmd.ProcessState.ExitCode(); status != 78 || !bytes.Contains(out, []byte("maxSteps")) {
		t.Errorf("status %d: %s", status, out)
	}
}

func TestTheAgentPassesItsGateAndItsOwnTests(t *testing.T) {
	for dir, args := range map[string][]string{"app": {"evaluate.py"}, ".": {"-m", "unittest", "test_agent"}} {
		cmd := exec.Command(python, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
}

func TestNothingIsWrittenIntoTheArtifact(t *testing.T) {
	if _, err := os.Stat("app/__pycache__"); err == nil {
		t.Error("app/__pycache__ exists: the digest of the release would depend on it")
	}
}
