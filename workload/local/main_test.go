//go:build linux

package local_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/local"
	"github.com/fairlead/fairlead/workload/shim"
	"github.com/fairlead/fairlead/workload/workloadtest"
)

// The tests run three times: as who started them, as an ordinary user where that
// was root, and without namespaces. The later two are this test binary, started by
// the tests at the end of this file.
const (
	programsEnv = "FAIRLEAD_TEST_PROGRAMS" // directory of the programs, built before
	plainEnv    = "FAIRLEAD_TEST_PLAIN"    // no namespaces can be made
)

func TestMain(m *testing.M) {
	dir, code := os.Getenv(programsEnv), 0
	var err error
	if dir == "" {
		if dir, err = build(); err == nil {
			os.Setenv(programsEnv, dir)
		}
	}
	if os.Getenv(plainEnv) != "" && err == nil {
		err = os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	} else {
		code = m.Run()
	}
	cleanPrograms(dir)
	os.Exit(code)
}

// cleanPrograms removes the programs in the process that built them.
func cleanPrograms(dir string) {
	if owner, err := os.ReadFile(filepath.Join(dir, "owner")); err == nil && string(owner) == fmt.Sprint(os.Getpid()) {
		os.RemoveAll(dir)
	}
}

// build compiles the programs that the tests run, without cgo, into a directory
// that every user can read.
func build() (string, error) {
	dir, err := os.MkdirTemp("", "fairlead-local-test-")
	if err != nil {
		return "", err
	}
	const module = "github.com/fairlead/fairlead/workload/"
	return dir, errors.Join(
		os.WriteFile(filepath.Join(dir, "owner"), fmt.Append(nil, os.Getpid()), 0o644),
		os.Chmod(dir, 0o755), os.Mkdir(filepath.Join(dir, "app"), 0o755), os.Chmod(filepath.Join(dir, "app"), 0o755),
		workloadtest.Compile(module+"local/doctor/attack/testshim", filepath.Join(dir, "shim")),
		workloadtest.Compile(module+"shim/testservice", filepath.Join(dir, "service")),
		workloadtest.Compile(module+"workloadtest/app", filepath.Join(dir, "app", "app")),
	)
}

func shimProgram() string { return filepath.Join(os.Getenv(programsEnv), "shim") }
func appDir() string      { return filepath.Join(os.Getenv(programsEnv), "app") }
func plain() bool         { return os.Getenv(plainEnv) != "" }

// open opens a runtime over root until the test ends.
func open(t *testing.T, root string) *shim.Runtime {
	t.Helper()
	return openWith(t, root, local.Sandbox{})
}

func openWith(t *testing.T, root string, sandbox local.Sandbox) *shim.Runtime {
	t.Helper()
	r, err := shim.New(shim.Config{Root: root, Shim: shimProgram(), Plain: plain(), Kinds: shim.Kinds{Sandbox: sandbox}})
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

func TestConformance(t *testing.T) {
	workloadtest.Run(t, func(t *testing.T) workloadtest.Harness {
		root := t.TempDir()
		t.Cleanup(func() { nothingLeft(t, root) })
		return workloadtest.Harness{
			Open:           func(t *testing.T) workload.Runtime { return open(t, root) },
			App:            appDir(),
			KillSupervisor: func(t *testing.T, id string) { killShim(t, filepath.Join(root, "instances", id)) },
			Searched:       func(*testing.T) []string { return []string{root} },
		}
	})
}

// killShim kills the shim of a home with SIGKILL.
func killShim(t *testing.T, home string) {
	t.Helper()
	if err := syscall.Kill(shimPid(t, home), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// nothingLeft fails when anything of the runtime over root is left: a process, a
// zombie, a mount, a file.
func nothingLeft(t *testing.T, root string) {
	t.Helper()
	nothingRuns(t, root)
	for _, kind := range []string{"instances", "services", "jobs"} {
		if entries, err := os.ReadDir(filepath.Join(root, kind)); err != nil || len(entries) > 0 {
			t.Errorf("%s: %v is left, or %v", kind, entries, err)
		}
	}
}

// nothingRuns fails when a process, a mount, a cgroup or a file outside of root is
// left of what worked below root.
func nothingRuns(t *testing.T, root string) {
	t.Helper()
	workloadtest.Eventually(t, func() (bool, string) {
		left := processesOf(root)
		return len(left) == 0, "processes are left: " + strings.Join(left, "; ")
	})
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), root) {
		t.Errorf("a mount is left, or %v", err)
	}
	for _, pattern := range []string{"/dev/shm/fairlead-*-%d", "/sys/fs/cgroup/*/fairlead-*-%d", "/sys/fs/cgroup/*/*/*/fairlead-*-%d"} {
		if found, _ := filepath.Glob(fmt.Sprintf(pattern, os.Getpid())); len(found) > 0 {
			t.Errorf("%v is left", found)
		}
	}
}

// processesOf lists processes whose arguments name root, and zombies of this process.
func processesOf(root string) []string {
	var found []string
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		arguments, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		stat, _ := os.ReadFile(filepath.Join(dir, "stat"))
		_, after, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(after)
		zombie := len(fields) > 1 && fields[0] == "Z" && fields[1] == fmt.Sprint(os.Getpid())
		if strings.Contains(string(arguments), root) || zombie {
			found = append(found, string(stat))
		}
	}
	return found
}

// again runs this test binary's tests once more, in other circumstances.
func again(t *testing.T, pattern string, attributes *syscall.SysProcAttr, env ...string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "fairlead-again-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "tests")
	data, err := os.ReadFile("/proc/self/exe")
	if err := errors.Join(err, os.WriteFile(binary, data, 0o755), os.Mkdir(filepath.Join(dir, "tmp"), 0o700), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	if attributes.Credential != nil {
		if err := os.Chown(filepath.Join(dir, "tmp"), 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command(binary, "-test.run", pattern, "-test.skip", "^TestAllOf", "-test.count", "1", "-test.timeout", "4m")
	command.Env = append(os.Environ(), append(env, "TMPDIR="+filepath.Join(dir, "tmp"), "HOME="+filepath.Join(dir, "tmp"))...)
	command.Dir = dir
	command.SysProcAttr = attributes
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	t.Logf("%s", output)
}

func TestAllOfItHoldsForAnOrdinaryUser(t *testing.T) {
	if os.Getuid() != 0 || plain() {
		t.Skip("it is one already")
	}
	again(t, "^Test", &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}})
}

func TestAllOfItButIsolationHoldsWithoutNamespaces(t *testing.T) {
	if plain() {
		t.Skip("there are none already")
	}
	attributes := &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	again(t, "^Test(Conformance|Without)", attributes, plainEnv+"=1")
}

// shimPid returns the process of the shim whose home is given.
func shimPid(t *testing.T, home string) int {
	t.Helper()
	var state struct {
		Shim struct {
			Pid int `json:"pid"`
		} `json:"shim"`
	}
	if err := shim.ReadNote(filepath.Join(home, "state.json"), &state); err != nil {
		t.Fatal(err)
	}
	return state.Shim.Pid
}
