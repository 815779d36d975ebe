//go:build linux

package local

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

func TestWaitsDoubleUntilTheLongestAndCrashesInARowAreALoop(t *testing.T) {
	var r restarts
	var waits []time.Duration
	for i := range 12 {
		ran := time.Second
		if i >= 4 {
			ran = 11 * time.Second
		}
		var loop bool
		if r, loop = r.ended(ran); loop {
			t.Fatalf("a loop after end %d", i)
		}
		waits = append(waits, r.wait)
	}
	if waits[0] != FirstBackoff || waits[1] != 2*FirstBackoff || waits[3] != 8*FirstBackoff || waits[11] != MaxBackoff {
		t.Errorf("it waited %v", waits)
	}
	if r, _ = r.ended(StableAfter); r.wait != FirstBackoff {
		t.Errorf("after a long run it waits %s", r.wait)
	}
}

func TestOnlyFiveQuickEndsInARowAreACrashLoop(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r restarts
		quick := 0
		for _, ran := range rapid.SliceOf(rapid.Int64Range(0, int64(2*StableAfter))).Draw(t, "ran") {
			quick++
			if time.Duration(ran) >= CrashWindow {
				quick = 0
			}
			next, loop := r.ended(time.Duration(ran))
			if loop != (quick >= CrashLoopExits) {
				t.Fatalf("loop %v after %d quick ends", loop, quick)
			}
			if next.wait < FirstBackoff || next.wait > MaxBackoff {
				t.Fatalf("a wait of %s", next.wait)
			}
			if r = next; loop {
				return
			}
		}
	})
}

func TestQuantities(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "500m": 500, "2": 2000, "0.25": 250, "1m": 1} {
		if got, ok := parseCPU(text); got != want || !ok {
			t.Errorf("cpu %q is %d, %v", text, got, ok)
		}
	}
	for text, want := range map[string]int64{"": 0, "1": 1, "256Mi": 256 << 20, "2Gi": 2 << 30, "5M": 5e6, "8k": 8000} {
		if got, ok := parseMemory(text); got != want || !ok {
			t.Errorf("memory %q is %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{"0", "-1", "x", "1 ", "NaN", "Inf", "m", "1e30"} {
		if _, ok := parseCPU(text); ok {
			t.Errorf("cpu %q is taken", text)
		}
	}
	for _, text := range []string{"0", "-1Mi", "Mi", "1.5Gi", "9999999999Gi", "1KiB"} {
		if _, ok := parseMemory(text); ok {
			t.Errorf("memory %q is taken", text)
		}
	}
}

func TestEachNameToReachHasAnAddressOfItsOwn(t *testing.T) {
	rules, err := parseReach(fairlead.Network{Reach: []string{"db.internal:5432", "db.internal:5433", "api.example.com:443", "127.0.0.1:6379", "localhost:80", "[::1]:90", "10.1.2.3:443", "10.1.2.3:443"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, rule := range rules {
		got = append(got, fmt.Sprintf("%s %d", rule.At, rule.Port))
	}
	want := []string{"127.77.0.1 5432", "127.77.0.1 5433", "127.77.0.2 443", "127.0.0.1 6379", "127.0.0.1 80", "::1 90", "10.1.2.3 443"}
	if !slices.Equal(got, want) {
		t.Errorf("rules are %q, want %q", got, want)
	}
	for _, bad := range []string{"", "host", "host:0", "host:70000", "*:80", "a b:80", "a\nb:80", "0.0.0.0:80", "[fe80::1%eth0]:80", "224.0.0.1:80", ":80"} {
		if _, err := parseReach(fairlead.Network{Reach: []string{bad}}); fairlead.CodeOf(err) != fairlead.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestALogRotatesAndReadersSeeEveryLineOnce(t *testing.T) {
	dir := t.TempDir()
	w, err := openLog(dir, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var followed bytes.Buffer
	over, ended := make(chan struct{}), make(chan error)
	isOver := func() bool {
		select {
		case <-over:
			return true
		default:
			return false
		}
	}
	w.write(streamOut, []byte("begin"))
	go func() {
		ended <- readLog(context.Background(), dir, workload.LogOptions{Follow: true}, isOver, &followed)
	}()
	w.copyFrom(streamOut, strings.NewReader("one\n\n"+strings.Repeat("x", 40<<10)+"\nlast without an end"))
	close(over)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		w.write(streamErr, fmt.Appendf(nil, "line %d", i))
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > logFiles {
		t.Errorf("there are %v, %v", entries, err)
	}
	var all, tail bytes.Buffer
	if err := readLog(context.Background(), dir, workload.LogOptions{}, nil, &all); err != nil {
		t.Fatal(err)
	}
	if err := readLog(context.Background(), dir, workload.LogOptions{Tail: 30}, nil, &tail); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(tail.String()), "\n")
	for i, line := range lines {
		if !strings.HasSuffix(line, fmt.Sprintf(" stderr line %d", 470+i)) {
			t.Errorf("line %d of the tail is %q", i, line)
		}
	}
	if len(lines) != 30 || !strings.HasSuffix(all.String(), tail.String()) {
		t.Errorf("a tail of 30 has %d lines, and the log ends otherwise", len(lines))
	}
	if all.Len() > (logFiles+1)*1100 {
		t.Errorf("%d bytes are kept", all.Len())
	}
}

func TestATailOfAnyLengthIsTheEndOfTheLog(t *testing.T) {
	const log = "one\ntwo\nthree\n"
	for n, want := range map[int]string{1: "three\n", 2: "two\nthree\n", 3: log, 4: log, math.MaxInt: log} {
		if got := string(lastLines([]byte(log), n)); got != want {
			t.Errorf("the last %d lines are %q, want %q", n, got, want)
		}
	}
	if got := lastLines(nil, math.MaxInt); len(got) != 0 {
		t.Errorf("an empty log has the lines %q", got)
	}
}

func TestALogThatCannotBeWrittenLosesLinesAndSaysSo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	w, err := openLog(dir, 1000)
	if err != nil {
		t.Fatal(err)
	}
	w.file.Close() // as if the disk had failed
	w.write(streamOut, []byte("lost"))
	w.write(streamOut, []byte("lost too"))
	w.file = nil
	w.write(streamOut, []byte("kept"))
	data, err := os.ReadFile(logName(dir, 0))
	if err != nil || strings.Contains(string(data), "stdout lost") || !strings.Contains(string(data), "fairlead 2 lines were lost") || !strings.HasSuffix(string(data), "stdout kept\n") {
		t.Errorf("the log is %q, %v", data, err)
	}
}

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
	c := newCgroup(chosen, "app", fairlead.Resources{CPU: "500m", Memory: "64Mi"}, limits{500, 64 << 20})
	for name, want := range map[string]string{"memory.max": "67108864", "memory.swap.max": "0", "cpu.max": "50000 100000", "pids.max": ""} {
		if got, err := os.ReadFile(filepath.Join(dir, "app", name)); string(got) != want || err != nil {
			t.Errorf("%s is %q, %v; want %q", name, got, err, want)
		}
	}
	if len(c.entered) != 1 || len(c.dirs) != 1 {
		t.Errorf("%d directories, %d to enter", len(c.dirs), len(c.entered))
	}
	for _, p := range c.results {
		if p.Enforced != (p.Name != ProcessLimit) {
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

func TestOrdersAreTakenOnceAndInOrder(t *testing.T) {
	h := home(t.TempDir())
	for _, c := range []struct {
		order fairlead.Order
		taken bool
	}{{fairlead.Order{Term: 1, Seq: 5}, true}, {fairlead.Order{Term: 1, Seq: 5}, false}, {fairlead.Order{Term: 1, Seq: 4}, false}, {fairlead.Order{Term: 2, Seq: 1}, true}, {fairlead.Order{Term: 1, Seq: 9}, false}} {
		if err := takeOrder(h, c.order); (err == nil) != c.taken || err != nil && fairlead.CodeOf(err) != fairlead.Conflict {
			t.Errorf("%s: %v", c.order, err)
		}
	}
}

func TestAProcessThatEndedIsNotAlive(t *testing.T) {
	me, err := self()
	if err != nil || !me.alive() {
		t.Fatalf("%+v, %v", me, err)
	}
	for name, other := range map[string]identity{"another start": {me.Pid, me.Start + 1, me.Boot}, "another boot": {me.Pid, me.Start, "x"}, "nobody": {}} {
		if other.alive() {
			t.Errorf("%s is alive", name)
		}
	}
}

func TestChecksPass(t *testing.T) {
	for _, c := range []struct {
		path   string
		status int
		passes bool
	}{{"", 404, true}, {"/", 499, true}, {"", 500, false}, {"/ready", 204, true}, {"/ready", 302, true}, {"/ready", 404, false}} {
		if passes(fairlead.Check{Path: c.path}, c.status) != c.passes {
			t.Errorf("%+v", c)
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
