package e2e

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/workload/container/enginetest"
)

// world is one Fairlead with a state directory of its own. What it started is
// ended, and looked for, when its test ends.
type world struct {
	*testing.T
	dir     string // everything of the test
	state   string
	as      *syscall.Credential // who runs it; nil is who tests
	build   string              // the program, by default the one that all tests run
	enter   []string            // what runs a command where the world is, if that is not here
	root    string              // the world's root as this test sees it, if it is not the same
	plane   *plane              // the newest control plane
	engine  *enginetest.Engine  // where its containers run, if there are any
	named   string              // the app's name, which no other test has
	spared  []string            // files in the state directory that the test itself left there
	mu      sync.Mutex
	outside map[string]bool      // cgroups and directories that it noted down; guarded by mu
	known   map[identity]process // all that were seen of it; guarded by mu
}

// plane is a running `fairlead up`.
type plane struct {
	cmd    *exec.Cmd
	exited chan struct{}
	log    *journal
	at     struct {
		Gateway string
		API     string
		Pid     int
	}
}

// journal is what a control plane logs; it may be read while it grows.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// newWorld makes a state directory with a short name. No control plane runs yet.
func newWorld(t *testing.T) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "fl")
	if err != nil {
		t.Fatal(err)
	}
	temp := filepath.Join(dir, "tmp")
	if err := errors.Join(os.Mkdir(temp, 0o700), os.Chmod(temp, 0o777|os.ModeSticky)); err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, dir: dir, state: filepath.Join(dir, "s"), named: filepath.Base(dir), known: map[identity]process{}, outside: map[string]bool{}}
	t.Cleanup(func() {
		w.endAll()
		if !t.Failed() {
			remove(t, dir)
		} else {
			t.Logf("kept %s", dir)
		}
	})
	return w
}

// seen is where this test sees a file of the world.
func (w *world) seen(path string) string { return filepath.Join(w.root, path) }

// temp is the world's directory for temporary files, whoever runs it.
func (w *world) temp() string { return filepath.Join(w.dir, "tmp") }

// remove removes a directory whose released trees are read-only.
func remove(t *testing.T, dir string) {
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(path, 0o700) // only an ordinary user needs it
		}
		return nil
	})
	if err := os.RemoveAll(dir); err != nil {
		t.Errorf("clean up: %v", err)
	}
}

// start makes a world whose control plane runs.
func start(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.up()
	return w
}

// command is a command line of fairlead over the world's state.
func (w *world) command(args ...string) *exec.Cmd {
	line := append(append(w.enter[:len(w.enter):len(w.enter)], cmp.Or(w.build, built.fairlead)), args...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "FAIRLEAD_STATE=" + w.state, "TMPDIR=" + w.temp()}
	cmd.Dir = w.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: w.as}
	return cmd
}

// anyPort has a control plane listen wherever there is room.
var anyPort = []string{"--listen", "127.0.0.1:0", "--api", "127.0.0.1:0"}

// up starts a control plane and returns when it says that it is ready.
func (w *world) up(flags ...string) *plane {
	w.Helper()
	args := append([]string{"up", "--output", "json"}, anyPort...)
	if w.engine != nil {
		args = append(args, "--engine", w.engine.Host)
	}
	p := &plane{cmd: w.command(append(args, flags...)...), exited: make(chan struct{}), log: &journal{}}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		w.Fatal(err)
	}
	p.cmd.Stderr = p.log
	if err := p.cmd.Start(); err != nil {
		w.Fatal(err)
	}
	ready := make(chan error, 1)
	go func() {
		ready <- json.NewDecoder(out).Decode(&p.at)
		_ = p.cmd.Wait() // why it ended is in its log
		close(p.exited)
	}()
	select {
	case err = <-ready:
	case <-time.After(30 * time.Second):
		err = errors.New("it is not ready after 30 s")
	}
	w.plane = p
	if err != nil {
		p.kill()
		w.Fatalf("up: %v\n%s", err, p.log)
	}
	return p
}

// kill ends a control plane as a power cut would.
func (p *plane) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// stop asks a control plane to end and waits for it.
func (p *plane) stop(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.exited:
	case <-time.After(20 * time.Second):
		t.Fatal("up did not end on SIGTERM")
	}
}

// result is how a command ended.
type result struct {
	args []string
	out  string
	err  string
	code int
}

func (r result) String() string {
	return fmt.Sprintf("fairlead %s: exit status %d\n%s%s", strings.Join(r.args, " "), r.code, r.out, r.err)
}

// run runs a command to its end.
func (w *world) run(args ...string) result { return w.feed("", args...) }

// feed runs a command with text on its standard input.
func (w *world) feed(text string, args ...string) result {
	w.Helper()
	var out, errOut bytes.Buffer
	cmd := w.command(args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(text), &out, &errOut
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	timer := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	_ = cmd.Wait() // the state says how
	return result{args, out.String(), errOut.String(), cmd.ProcessState.ExitCode()}
}

// must runs a command that has to succeed, and returns its standard output.
func (w *world) must(args ...string) string {
	w.Helper()
	return w.exits(0, args...).out
}

// exits runs a command that has to end with a status.
func (w *world) exits(code int, args ...string) result {
	w.Helper()
	r := w.run(args...)
	if r.code != code {
		w.Fatalf("want exit status %d: %s\n%s", code, r, w.why())
	}
	return r
}

// why is the end of the control plane's log, for messages.
func (w *world) why() string {
	if w.plane == nil {
		return ""
	}
	log := w.plane.log.String()
	return "up: " + log[max(0, len(log)-2000):]
}

// see runs a command with --output json and decodes its answer.
func see[T any](w *world, args ...string) T {
	w.Helper()
	var v T
	out := w.must(append(args, "--output", "json")...)
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		w.Fatalf("fairlead %s: %v in %q", strings.Join(args, " "), err, out)
	}
	return v
}

// site returns the app in an environment, by default the only one.
func (w *world) site(env ...string) client.Site {
	w.Helper()
	a := see[client.App](w, "status", w.named)
	for _, s := range a.Sites {
		if len(env) == 0 || s.Env == env[0] {
			return s
		}
	}
	w.Fatalf("no site %v in %+v", env, a)
	return client.Site{}
}

// eventually polls until what is said holds.
func eventually(t testing.TB, within time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", within, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// proven says that the ledger verifies and every decision replays.
func (w *world) proven() {
	w.Helper()
	if v := see[struct {
		Verified bool
		Problems []string
	}](w, "ledger", "verify"); !v.Verified {
		w.Errorf("the ledger does not verify: %q", v.Problems)
	}
	if r := see[struct {
		Replayed   bool
		Decisions  int
		Difference string
	}](w, "ledger", "replay"); !r.Replayed || r.Decisions == 0 {
		w.Errorf("the decisions do not replay: %+v", r)
	}
}
