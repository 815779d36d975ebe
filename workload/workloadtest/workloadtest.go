// Package workloadtest holds the suite that every workload.Runtime passes.
package workloadtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/dialpass"
	"github.com/fairlead/fairlead/workload"
)

// Patience is how long the suite waits for what must happen.
const Patience = 60 * time.Second

// Harness is how the suite meets a runtime.
type Harness struct {
	// Open returns a runtime over the same state each time it is called in a test:
	// a second one finds what the first one started, as after a restart of the
	// control plane. The test's cleanup closes it.
	Open func(t *testing.T) workload.Runtime
	// App is a directory that holds the suite's program as "app", see Compile; or
	App string
	// Image is an image that has it as /app, for runtimes of images.
	Image *workload.Image
	// Given are variables that the runtime gives every app beside the contract's.
	Given []string
	// KillSupervisor kills what supervises an instance with SIGKILL, or is nil where
	// that is not the runtime's own.
	KillSupervisor func(t *testing.T, id string)
	// Searched lists directories in which no secret may ever be found.
	Searched func(t *testing.T) []string
}

// Compile builds the program of an import path without cgo, for every user to run.
func Compile(pkg, target string) error {
	command := exec.Command("go", "build", "-o", target, pkg)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w: %s", pkg, err, output)
	}
	return os.Chmod(target, 0o755)
}

// Instance is one instance of a test.
type Instance struct {
	t       *testing.T
	Runtime workload.Runtime
	Spec    workload.Spec
}

// Order returns an order after all earlier ones, of any test.
func Order() fairlead.Order {
	return fairlead.Order{Term: 1, Seq: uint64(time.Now().UnixNano())}
}

// Spec returns a spec of the suite's program in a mode.
func (h Harness) Spec(id string, mode ...string) workload.Spec {
	spec := Spec(h.App, id, mode...)
	spec.Image = h.Image
	return spec
}

// Spec is Harness.Spec of a directory that holds the suite's program.
func Spec(dir, id string, mode ...string) workload.Spec {
	return workload.Spec{
		ID: id, Site: fairlead.Site{App: "triage", Env: "dev"}, Release: 7, Digest: fairlead.DigestOf([]byte(id)),
		Dir: dir, Command: append([]string{"./app"}, mode...), Port: 8080, Sandbox: fairlead.SandboxPreferred,
		Readiness: fairlead.Check{Path: "/ready", Interval: fairlead.Duration(50 * time.Millisecond), Failures: 2},
	}
}

// Start starts an instance that the test's cleanup stops and removes.
func Start(t *testing.T, r workload.Runtime, spec workload.Spec, secrets workload.Secrets) *Instance {
	t.Helper()
	i := &Instance{t, r, spec}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		if err := r.Stop(ctx, Order(), spec.ID, 0); err != nil {
			t.Errorf("stop: %v", err)
		}
		if err := r.Remove(ctx, Order(), spec.ID); err != nil {
			t.Errorf("remove: %v", err)
		}
	})
	if err := r.Start(t.Context(), Order(), spec, secrets); err != nil {
		t.Fatalf("start: %v", err)
	}
	return i
}

// Status returns the instance's status.
func (i *Instance) Status() workload.Status {
	i.t.Helper()
	all, err := i.Runtime.List(context.Background())
	if err != nil {
		i.t.Fatalf("list: %v", err)
	}
	for _, status := range all {
		if status.ID == i.Spec.ID {
			return status
		}
	}
	return workload.Status{}
}

// Await waits until the status is as want says.
func (i *Instance) Await(what string, want func(workload.Status) bool) workload.Status {
	i.t.Helper()
	var status workload.Status
	Eventually(i.t, func() (bool, string) {
		status = i.Status()
		return want(status), fmt.Sprintf("%s is not %s: %+v\n%s", i.Spec.ID, what, status, i.Log(0))
	})
	return status
}

// AwaitState waits for a state.
func (i *Instance) AwaitState(state workload.State) workload.Status {
	i.t.Helper()
	return i.Await(string(state), func(s workload.Status) bool { return s.State == state })
}

// Log returns the newest lines of the log.
func (i *Instance) Log(tail int) string {
	var b strings.Builder
	if err := i.Runtime.Logs(context.Background(), i.Spec.ID, workload.LogOptions{Tail: tail}, &b); err != nil {
		return err.Error()
	}
	return b.String()
}

// Get asks the app over its address, as a gateway would.
func (i *Instance) Get(path string) (string, error) {
	address := i.Status().Address
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return Dial(ctx, address) },
	}}
	response, err := client.Get("http://app" + path)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// Dial connects to an instance's address.
func Dial(ctx context.Context, address string) (net.Conn, error) {
	if path, ok := strings.CutPrefix(address, "pass:"); ok {
		return dialpass.Dial(ctx, path)
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, "tcp", strings.TrimPrefix(address, "tcp:"))
}

// Self is what the suite's program tells of itself.
type Self struct {
	Env     []string
	Args    []string
	Dir     string
	Secrets map[string]string
	Modes   map[string]string
}

func (i *Instance) self() Self {
	i.t.Helper()
	var s Self
	body, err := i.Get("/self")
	if err == nil {
		err = json.Unmarshal([]byte(body), &s)
	}
	if err != nil {
		i.t.Fatalf("ask the app: %v", err)
	}
	return s
}

// Eventually waits until check is true, and fails with what it said last.
func Eventually(t *testing.T, check func() (bool, string)) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for {
		ok, said := check()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not in %s: %s", Patience, said)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
