// Package enginetest starts real container engines for tests: each with state of its
// own, on a socket of its own, ended by the test.
package enginetest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Engine is an engine that a test started.
type Engine struct {
	Name string // docker or podman
	Host string // unix:///...
	dir  string
	run  *exec.Cmd
	said *saying

	ended chan struct{} // closed when the process of run has ended
}

// saying is what a process prints. It is safe for concurrent use.
type saying struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (s *saying) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// String is all of it so far.
func (s *saying) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// Names are the engines that tests run with.
var Names = []string{"docker", "podman"}

// Start starts an engine by name, or skips the test where it is not installed or
// this user may not start it. With $FAIRLEAD_ENGINES set, as in CI, what cannot be
// started fails the test instead.
func Start(t *testing.T, name string) *Engine {
	t.Helper()
	return StartOn(t, name, 0)
}

// StartOn is Start with a disk of its own that has a number of bytes, which Resize
// changes; 0 is the machine's disk.
func StartOn(t *testing.T, name string, bytes int64) *Engine {
	t.Helper()
	dir, err := os.MkdirTemp("", "fl-engine-") // short: it holds sockets
	if err != nil {
		t.Fatal(err)
	}
	e := &Engine{Name: name, dir: dir, Host: "unix://" + filepath.Join(dir, "engine.sock")}
	t.Cleanup(func() {
		e.unmount()
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the engine's state: %v", err)
		}
	})
	if why := e.missing(); why != "" {
		if os.Getenv("FAIRLEAD_ENGINES") != "" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	if err := os.WriteFile(e.registries(), []byte("[[registry]]\nlocation = \"127.0.0.1\"\ninsecure = true\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if bytes > 0 {
		e.ownDisk(t, bytes)
	}
	e.Launch(t)
	t.Cleanup(func() { e.Halt(t) })
	return e
}

// unmount unmounts what an engine that was killed has left mounted.
func (e *Engine) unmount() {
	mounts, _ := os.ReadFile("/proc/self/mountinfo") // what stays mounted cannot be removed, which is told
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 4 && strings.HasPrefix(fields[4], e.dir+"/") {
			syscall.Unmount(fields[4], syscall.MNT_DETACH)
		}
	}
}

// registries is the file by which Podman believes a test's registry, as Docker does by itself.
func (e *Engine) registries() string { return filepath.Join(e.dir, "registries.conf") }

// ownDisk puts the engine's data on a disk in memory until the test ends.
func (e *Engine) ownDisk(t *testing.T, bytes int64) {
	t.Helper()
	data := filepath.Join(e.dir, "data")
	if err := os.Mkdir(data, 0o711); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("disk", data, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Fatalf("mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(data, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount the engine's disk: %v", err)
		}
	})
}

// Resize gives the disk of StartOn another size in bytes.
func (e *Engine) Resize(t *testing.T, bytes int64) {
	t.Helper()
	if err := syscall.Mount("disk", filepath.Join(e.dir, "data"), "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Fatal(err)
	}
}

// missing says why the engine cannot be started here, or nothing.
func (e *Engine) missing() string {
	program := map[string]string{"docker": "dockerd", "podman": "podman"}[e.Name]
	if os.Getuid() != 0 {
		return "only root starts an engine in these tests"
	}
	if _, err := exec.LookPath(program); err != nil {
		return fmt.Sprintf("%s is not installed", program)
	}
	return ""
}

func (e *Engine) command() *exec.Cmd {
	in := func(name string) string { return filepath.Join(e.dir, name) }
	if e.Name == "docker" {
		return exec.Command("dockerd", "--data-root", in("data"), "--exec-root", in("exec"), "--pidfile", in("pid"), "-H", e.Host)
	}
	podman := exec.Command("podman", "--root", in("data"), "--runroot", in("run"), "--tmpdir", in("tmp"), "system", "service", "--time=0", e.Host)
	podman.Env = append(os.Environ(), "CONTAINERS_REGISTRIES_CONF="+e.registries())
	podman.Dir = e.dir // where conmon leaves a file of an app that was killed for memory
	return podman
}

// launches bounds how often an engine that ends as it starts is started: with others
// that start at the same time, one may lose a race for what the machine has once.
const launches = 3

// Launch starts the engine's process, again after Halt, and waits until it answers.
func (e *Engine) Launch(t *testing.T) {
	t.Helper()
	defer alone(t)()
	for n := 1; ; n++ {
		err := e.launch()
		if err == nil {
			return
		}
		if n == launches {
			t.Fatalf("%s: %v:\n%s", e.Name, err, e.said)
		}
		t.Logf("%s, again: %v", e.Name, err)
	}
}

// alone waits until no other test of this machine launches an engine. What it returns
// ends that.
func alone(t *testing.T) func() {
	t.Helper()
	lock, err := os.OpenFile(filepath.Join(os.TempDir(), "fairlead-enginetest.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() { lock.Close() }
}

func (e *Engine) launch() error {
	said, run, ended := &saying{}, e.command(), make(chan struct{})
	run.Stdout, run.Stderr = said, said
	run.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	started := make(chan error, 1)
	go func() { // ends with the process, and keeps the thread whose end would end that
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := run.Start()
		started <- err
		if err == nil {
			_ = run.Wait() // how it ended is in what it said
		}
		close(ended)
	}()
	if err := <-started; err != nil {
		return err
	}
	e.said, e.run, e.ended = said, run, ended
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		err := e.Try("GET", "/_ping", nil, new([]byte))
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			e.run = nil
			return fmt.Errorf("it ended as it started: %w", err)
		default:
		}
		if time.Now().After(deadline) {
			run.Process.Kill()
			<-ended
			e.run = nil
			return fmt.Errorf("it does not answer: %w", err)
		}
	}
}

// Socket is the path at which the engine listens.
func (e *Engine) Socket() string { return filepath.Join(e.dir, "engine.sock") }

// Kill ends the engine's process as a crash would. What it runs may live on.
func (e *Engine) Kill(t *testing.T) {
	t.Helper()
	if err := e.run.Process.Kill(); err != nil {
		t.Error(err)
	}
	<-e.ended
	e.run = nil
	// Its containerd ended with it, but may stay a zombie, which the next dockerd would wait for.
	if err := os.Remove(filepath.Join(e.dir, "exec", "containerd", "containerd.pid")); err != nil && e.Name == "docker" {
		t.Error(err)
	}
}

// Halt ends the engine's process. What it runs ends with it, unless the engine lets
// containers live on.
func (e *Engine) Halt(t *testing.T) {
	t.Helper()
	if e.run == nil {
		return
	}
	if err := e.run.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	select {
	case <-e.ended:
	case <-time.After(30 * time.Second):
		t.Errorf("%s did not end:\n%s", e.Name, e.said)
		e.run.Process.Kill()
		<-e.ended
	}
	e.run = nil
	syscall.Unmount(filepath.Join(e.dir, "data", "overlay"), syscall.MNT_DETACH) // Podman leaves it mounted; Docker has none
}
