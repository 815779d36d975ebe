package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
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

	"github.com/fairlead/fairlead/examples/triage/release"
)

// patience bounds each wait. It is reached only when something is broken.
const patience = 20 * time.Second

// program builds triage once for all tests.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "triage")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "triage")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v: %s", err, out))
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// laidOut writes a release to a directory of its own.
func laidOut(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	if err := release.Write(dir, program, version); err != nil {
		t.Fatal(err)
	}
	return dir
}

// server is a triage process that serves.
type server struct {
	url    string
	cmd    *exec.Cmd
	logged *bufio.Scanner
}

// start runs the release in dir and returns when it says that it serves.
func start(t *testing.T, dir string) *server {
	t.Helper()
	cmd := exec.Command("./triage")
	cmd.Dir, cmd.Env = dir, []string{"PORT=0", "FAIRLEAD_RELEASE=7"}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	s := &server{cmd: cmd, logged: bufio.NewScanner(stderr)}
	var line struct{ Msg, Address, Release string }
	if !s.logged.Scan() || json.Unmarshal(s.logged.Bytes(), &line) != nil || line.Msg != "serving" || line.Release != "7" {
		t.Fatalf("it logged %q", s.logged.Text())
	}
	s.url = "http://" + line.Address
	return s
}

func (s *server) get(t *testing.T, path string) int {
	t.Helper()
	client := http.Client{Timeout: patience}
	response, err := client.Get(s.url + path)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

func (s *server) chat(t *testing.T, body string) *http.Response {
	t.Helper()
	client := http.Client{Timeout: patience}
	response, err := client.Post(s.url+"/v1/chat/completions", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

// exit runs triage to its end and returns its status and all that it wrote.
func exit(t *testing.T, dir string, args ...string) (int, string) {
	t.Helper()
	cmd := exec.Command("./triage", args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = dir, []string{"PORT=0"}, time.Second
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	var failed *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

const ticket = `{"model":"triage","messages":[{"role":"user","content":"I forgot my password"}]}`

func TestGoodReleasesAnswer(t *testing.T) {
	for _, version := range release.Versions() {
		if !version.Good() {
			continue
		}
		s := start(t, laidOut(t, version.Name))
		for _, path := range []string{"/healthz", "/readyz", "/v1/models"} {
			if status := s.get(t, path); status != http.StatusOK {
				t.Errorf("%s: GET %s answers %d", version.Name, path, status)
			}
		}
		var statuses [600]int
		for range 5 { // one of them may fail, as the knowledge base does
			statuses[s.chat(t, ticket).StatusCode]++
		}
		if statuses[http.StatusOK] < 3 {
			t.Errorf("%s: %d of 5 chats were answered", version.Name, statuses[http.StatusOK])
		}
	}
}

func TestReleaseV4IsReadyAndFailsEveryChat(t *testing.T) {
	s := start(t, laidOut(t, "v4"))
	if status := s.get(t, "/readyz"); status != http.StatusOK {
		t.Errorf("GET /readyz answers %d", status)
	}
	for range 10 {
		if status := s.chat(t, ticket).StatusCode; status < 500 {
			t.Errorf("a chat answers %d", status)
		}
	}
}

func TestReleaseV5Exits1(t *testing.T) {
	status, out := exit(t, laidOut(t, "v5"))
	if status != 1 || !strings.Contains(out, "weights-large.json") {
		t.Errorf("status %d: %s", status, out)
	}
}

func TestReleaseV6Exits78AndNamesTheField(t *testing.T) {
	status, out := exit(t, laidOut(t, "v6"))
	if status != 78 || !strings.Contains(out, "retrys") || strings.Contains(out, "serving") {
		t.Errorf("status %d: %s", status, out)
	}
}

func TestTheModelOfEveryReleasePassesItsEvaluation(t *testing.T) {
	for _, version := range release.Versions() {
		if status, out := exit(t, laidOut(t, version.Name), "eval", "-floor", "0.8"); status != 0 {
			t.Errorf("%s: status %d: %s", version.Name, status, out)
		}
	}
}

func TestEvaluationFailsBelowTheFloorAndForTruncatedWeights(t *testing.T) {
	dir := laidOut(t, "v1")
	if status, out := exit(t, dir, "eval", "-floor", "0.99"); status != 1 || !strings.Contains(out, "FAIL") {
		t.Errorf("above what the model can do: status %d: %s", status, out)
	}
	if err := os.Truncate(filepath.Join(dir, "model/weights.json"), 1000); err != nil {
		t.Fatal(err)
	}
	if status, out := exit(t, dir, "eval"); status != 1 || !strings.Contains(out, "weights.json") {
		t.Errorf("truncated: status %d: %s", status, out)
	}
}

func TestTrainWritesAModelThatPasses(t *testing.T) {
	dir, data := laidOut(t, "v1"), "data/tickets.csv"
	absolute, err := filepath.Abs(data)
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	if status, text := exit(t, dir, "train", "-data", absolute, "-out", out); status != 0 {
		t.Fatalf("train: status %d: %s", status, text)
	}
	model, tickets := filepath.Join(out, "model/weights.json"), filepath.Join(out, "data/heldout.csv")
	if status, text := exit(t, dir, "eval", "-model", model, "-data", tickets); status != 0 {
		t.Errorf("eval: status %d: %s", status, text)
	}
}

func TestAnUnknownCommandIsAUsageError(t *testing.T) {
	if status, out := exit(t, laidOut(t, "v1"), "serve-me"); status != 2 || !strings.Contains(out, "triage eval") {
		t.Errorf("status %d: %s", status, out)
	}
}

func TestSIGTERMLetsAStreamEnd(t *testing.T) {
	dir := laidOut(t, "v1")
	set(t, dir, `"chunkPause": "2ms"`, `"chunkPause": "20ms"`)
	set(t, dir, `"faultRate": 0.05`, `"faultRate": 0`)
	s := start(t, dir)
	response := s.chat(t, strings.Replace(ticket, `{"model"`, `{"stream":true,"model"`, 1))
	body := bufio.NewReader(response.Body)
	if _, err := body.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(body)
	if err != nil || !bytes.HasSuffix(rest, []byte("data: [DONE]\n\n")) {
		t.Errorf("the stream was cut: %v, %q", err, rest)
	}
	for s.logged.Scan() {
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// set changes the configuration of a release that was laid out.
func set(t *testing.T, dir, old, new string) {
	t.Helper()
	file := filepath.Join(dir, "config/triage.json")
	data, err := os.ReadFile(file)
	if err != nil || !bytes.Contains(data, []byte(old)) {
		t.Fatalf("%s is not in the configuration (%v)", old, err)
	}
	if err := os.WriteFile(file, bytes.Replace(data, []byte(old), []byte(new), 1), 0o600); err != nil {
		t.Fatal(err)
	}
}
