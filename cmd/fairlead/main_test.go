package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fairlead/fairlead/cli/clitest"
)

// The scripts run this test binary as fairlead. What needs instances runs
// the program itself instead, see the scripts under testdata/e2e.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"fairlead": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: shortState,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fakeserver": fakeServer,
			"exits":      exits,
			"makebad":    makeBad,
			"fulldisk":   fullDisk,
		},
	})
}

// shortState gives a script a state directory whose path is short enough for a
// Unix socket.
func shortState(env *testscript.Env) error {
	dir, err := os.MkdirTemp("", "fl")
	if err != nil {
		return err
	}
	env.Defer(func() { os.RemoveAll(dir) })
	env.Setenv("FAIRLEAD_STATE", dir)
	env.Setenv("HOME", env.WorkDir)
	return nil
}

// fakeServer starts a stand-in for the control plane: fakeserver ENV...
func fakeServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: fakeserver ENV...")
	}
	server, err := clitest.Start(ts.Getenv("FAIRLEAD_STATE"), 20, args...)
	ts.Check(err)
	ts.Defer(server.Close)
}

// exits runs fairlead and compares its exit status: exits STATUS ARG...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: exits STATUS ARG...")
	}
	err := ts.Exec("fairlead", args[1:]...)
	if got := statusOf(err); got != args[0] {
		ts.Fatalf("fairlead %q ended with %s, want %s", args[1:], got, args[0])
	}
}

// TestEndToEnd runs the scripts that need instances, with the program as it is
// built for use.
func TestEndToEnd(t *testing.T) {
	program := filepath.Join(t.TempDir(), "fairlead")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/e2e",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(program)+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("FAIRLEAD", program)
			if err := shortState(env); err != nil {
				return err
			}
			env.Defer(func() { killLeft(env.Getenv("FAIRLEAD_STATE")) })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "triage": layOut},
	})
}

// killLeft kills what a script that failed left running: gateway and instances
// outlive their control plane. They are known by their state directory.
func killLeft(stateDir string) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		line, _ := os.ReadFile(file) // the process may have ended
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err == nil && pid != os.Getpid() && bytes.Contains(line, []byte(stateDir+"/")) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
