//go:build linux

package container_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/container"
	"github.com/fairlead/fairlead/workload/container/enginetest"
	"github.com/fairlead/fairlead/workload/shim"
	"github.com/fairlead/fairlead/workload/workloadtest"
)

const programsEnv = "FAIRLEAD_TEST_PROGRAMS" // directory of the programs, built before

func TestMain(m *testing.M) {
	if os.Getenv(programsEnv) != "" { // built by who started this once more
		os.Exit(m.Run())
	}
	dir, err := build()
	os.Setenv(programsEnv, dir)
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// build compiles the programs that the tests run, and the directory of their image.
func build() (string, error) {
	dir, err := os.MkdirTemp("", "fairlead-container-test-")
	if err != nil {
		return "", err
	}
	const module = "github.com/fairlead/fairlead/workload/"
	image := filepath.Join(dir, "image")
	return dir, errors.Join(
		os.Chmod(dir, 0o755), os.Mkdir(image, 0o755),
		workloadtest.Compile(module+"container/testshim", filepath.Join(dir, "shim")),
		workloadtest.Compile(module+"workloadtest/app", filepath.Join(image, "app")),
		os.WriteFile(filepath.Join(image, "Dockerfile"), []byte("FROM scratch\nCOPY app /app\nCMD [\"/never\"]\n"), 0o644),
	)
}

func programs(name string) string { return filepath.Join(os.Getenv(programsEnv), name) }

// world is an engine with the suite's image, and state directories of installations.
type world struct {
	*enginetest.Engine
	image *workload.Image
}

// eachEngine runs a test with each engine.
func eachEngine(t *testing.T, test func(t *testing.T, w world)) {
	for _, name := range enginetest.Names {
		t.Run(name, func(t *testing.T) {
			engine := enginetest.Start(t, name)
			id := engine.Build(t, "suite", programs("image"))
			if !strings.HasPrefix(id, "sha256:") {
				id = "sha256:" + id
			}
			test(t, world{engine, &workload.Image{ID: fairlead.Digest(id), Name: "suite", Engine: engine.Host, WorkDir: "/"}})
		})
	}
}

// openRuntime opens a runtime over root until the test ends.
func openRuntime(t *testing.T, root string) *shim.Runtime {
	t.Helper()
	r, err := shim.New(shim.Config{Root: root, Shim: programs("shim"), Kinds: shim.Kinds{Container: container.Containers{}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (w world) spec(id string, mode ...string) workload.Spec {
	return workloadtest.Harness{Image: w.image}.Spec(id, mode...)
}

func TestConformance(t *testing.T) {
	eachEngine(t, func(t *testing.T, w world) {
		workloadtest.Run(t, func(t *testing.T) workloadtest.Harness {
			root := t.TempDir()
			t.Cleanup(func() { w.nothingLeft(t, root) })
			given := map[string][]string{"docker": {"HOSTNAME"}, "podman": {"HOSTNAME", "TERM", "container"}}
			return workloadtest.Harness{
				Open:           func(t *testing.T) workload.Runtime { return openRuntime(t, root) },
				Image:          w.image,
				Given:          given[w.Name],
				KillSupervisor: func(t *testing.T, id string) { killShim(t, filepath.Join(root, "instances", id)) },
				Searched:       func(*testing.T) []string { return w.kept(root) },
			}
		})
	})
}

// kept are the places where the engine and the runtime over root keep what they know of
// a container.
func (w world) kept(root string) []string {
	data, home := filepath.Join(w.Dir(), "data"), filepath.Join(root, "instances", "one")
	places := []string{filepath.Join(home, "spec.json"), filepath.Join(home, "state.json"), filepath.Join(home, "container.json"), filepath.Join(home, "log")}
	if w.Name == "docker" {
		return append(places, filepath.Join(data, "containers"))
	}
	return append(places, filepath.Join(data, "overlay-containers"), filepath.Join(data, "libpod"))
}

// killShim kills the shim of a home with SIGKILL.
func killShim(t *testing.T, home string) {
	t.Helper()
	var state struct {
		Shim struct {
			Pid int `json:"pid"`
		} `json:"shim"`
	}
	if err := shim.ReadNote(filepath.Join(home, "state.json"), &state); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(state.Shim.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// nothingLeft fails when a container, a network, a mount or a file of the runtime over
// root is left.
func (w world) nothingLeft(t *testing.T, root string) {
	t.Helper()
	for _, kind := range []string{"instances", "services", "jobs"} {
		if entries, err := os.ReadDir(filepath.Join(root, kind)); err != nil || len(entries) > 0 {
			t.Errorf("%s: %v is left, or %v", kind, entries, err)
		}
	}
	if names := w.containers(t); len(names) > 0 {
		t.Errorf("containers are left: %v", names)
	}
	owner, err := container.Owner(root)
	if err != nil {
		t.Fatal(err)
	}
	if names := w.networks(t, owner); len(names) > 0 {
		t.Errorf("networks are left: %v", names)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), root) {
		t.Errorf("a mount is left, or %v", err)
	}
	if found, _ := filepath.Glob("/dev/shm/fairlead-" + owner[:8] + ".*"); len(found) > 0 {
		t.Errorf("%v is left", found)
	}
}

// containers are the names of all containers of the engine.
func (w world) containers(t *testing.T) []string {
	t.Helper()
	var all []struct{ Names []string }
	w.Ask(t, "GET", "/containers/json?all=1", nil, &all)
	var names []string
	for _, c := range all {
		names = append(names, c.Names...)
	}
	return names
}

// networks are the names of the networks of an installation.
func (w world) networks(t *testing.T, owner string) []string {
	t.Helper()
	var all []struct {
		Name   string
		Labels map[string]string
	}
	w.Ask(t, "GET", "/networks", nil, &all)
	var names []string
	for _, n := range all {
		if n.Labels[container.LabelOwner] == owner {
			names = append(names, n.Name)
		}
	}
	return names
}
