//go:build linux

package local

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

func TestMountedHierarchiesAreFound(t *testing.T) {
	const mountinfo = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /nowhere/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct
41 31 0:38 / /nowhere/unified rw,relatime shared:4 - cgroup2 cgroup2 rw
`
	found := hierarchies(mountinfo, "3:cpu,cpuacct:/a/b\n0::/c\n")
	if len(found) != 2 || found[0].version != 1 || !slices.Contains(found[0].controllers, "cpu") || found[0].dir != "/nowhere/cpu" || found[1].version != 2 {
		t.Errorf("found %+v", found)
	}
}

// fakeCgroup2 makes a directory like a version 2 cgroup whose children have
// controllers.
func fakeCgroup2(t *testing.T, controllers string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte(controllers), 0o644); err != nil {
		t.Fatal(err)
	}
	child := filepath.Join(dir, "app")
	if err := os.Mkdir(child, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cgroup.procs", "memory.max", "memory.swap.max", "cpu.max", "pids.max", "memory.events"} {
		if err := os.WriteFile(filepath.Join(child, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCgroup2LimitsAreWrittenWhereDelegated(t *testing.T) {
	dir := fakeCgroup2(t, "cpu memory\n")
	chosen := parents([]hierarchy{{version: 2, dir: filepath.Join(dir, "app", "..")}})
	if len(chosen) != 2 {
		t.Fatalf("chosen are %+v", chosen)
	}
	c := newCgroup(chosen, "app", fairlead.Resources{CPU: "500m", Memory: "64Mi"}, workload.Limits{MilliCPU: 500, Memory: 64 << 20})
	for name, want := range map[string]string{"memory.max": "67108864", "memory.swap.max": "0", "cpu.max": "50000 100000", "pids.max": ""} {
		if got, err := os.ReadFile(filepath.Join(dir, "app", name)); string(got) != want || err != nil {
			t.Errorf("%s is %q, %v; want %q", name, got, err, want)
		}
	}
	if len(c.entered) != 1 || len(c.dirs) != 1 {
		t.Errorf("%d directories, %d to enter", len(c.dirs), len(c.entered))
	}
	for _, p := range c.results {
		if p.Enforced != (p.Name != workload.ProcessLimit) {
			t.Errorf("%+v", p)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "app", "memory.events"), []byte("low 0\noom 3\noom_kill 2\n"), 0o644); err != nil || c.oomKills() != 2 {
		t.Errorf("%d were killed, %v", c.oomKills(), err)
	}
	closeAll(c.entered)
}

func TestLandlockHandlesWhatItsVersionKnows(t *testing.T) {
	first, seventh := handled(1, true), handled(7, true)
	if first.Handled_access_fs&unix.LANDLOCK_ACCESS_FS_TRUNCATE != 0 || first.Handled_access_net != 0 || first.Scoped != 0 {
		t.Errorf("ABI 1 handles %+v", first)
	}
	if seventh.Handled_access_fs&unix.LANDLOCK_ACCESS_FS_IOCTL_DEV == 0 || seventh.Handled_access_net == 0 || seventh.Scoped == 0 {
		t.Errorf("ABI 7 handles %+v", seventh)
	}
	if handled(7, false).Handled_access_net != 0 {
		t.Error("ports are handled though a network namespace does it")
	}
}

func TestTheFilterEndsInAnswersAndFits(t *testing.T) {
	program := syscallFilter()
	if len(program) > 4096 {
		t.Errorf("%d instructions", len(program))
	}
	for i, instruction := range program {
		if instruction.Code&0x07 == unix.BPF_JMP && i+1+int(max(instruction.Jt, instruction.Jf)) >= len(program) {
			t.Errorf("instruction %d jumps out of the program", i)
		}
	}
}

func TestLandlockSaysWhatItIsTooOldFor(t *testing.T) {
	for want, got := range map[string]string{
		"ABI 7":            landlockDetail(7, false),
		"ABI 7, TCP ports": landlockDetail(7, true),
		"ABI 3, too old for device calls, signals and abstract sockets":            landlockDetail(3, false),
		"ABI 3, too old for TCP ports, device calls, signals and abstract sockets": landlockDetail(3, true),
	} {
		if got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
}
