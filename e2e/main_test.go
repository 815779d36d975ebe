// Package e2e tests the whole program from outside: the real binary, real state
// directories, real instances and real traffic on loopback. Nothing of it is ever
// re-executed by a shim, so that it may be built with -race too.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// built are the programs that the tests run.
var built struct {
	dir      string
	fairlead string
	app      string
	triage   string
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	_ = flag.Set("test.parallel", "4") // the tests wait more than they work
	dir, err := os.MkdirTemp("", "fle2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	defer endBrowser()
	if err := buildAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// buildAll builds without cgo, which hangs Landlock in a new pid namespace.
func buildAll(dir string) error {
	if err := os.Chmod(dir, 0o755); err != nil { // an ordinary user runs them too
		return err
	}
	built.dir = dir
	for _, p := range []struct {
		program *string
		name    string
		source  string
	}{{&built.fairlead, "fairlead", "../cmd/fairlead"}, {&built.app, "app", "./app"}, {&built.triage, "triage", "../examples/triage"}} {
		*p.program = filepath.Join(dir, p.name)
		build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", *p.program, p.source)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", p.name, err, out)
		}
	}
	return nil
}
