//go:build linux

package local_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/local"
	"github.com/fairlead/fairlead/workload/shim"
	"github.com/fairlead/fairlead/workload/workloadtest"
)

// job is a job of a command.
func job(id string, command ...string) workload.Job {
	return workload.Job{ID: id, Dir: appDir(), Command: command, Timeout: workloadtest.Patience, Sandbox: fairlead.SandboxRequired}
}

func run(t *testing.T, r *shim.Runtime, j workload.Job) workload.JobResult {
	t.Helper()
	result, err := r.RunJob(t.Context(), j)
	if err != nil {
		t.Fatalf("%v, after %s", err, result.Output)
	}
	return result
}

func TestAMemoryHogIsKilledAtItsLimitAndCounted(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("an ordinary user has no cgroup here")
	}
	root := t.TempDir()
	spec := workloadtest.Spec(appDir(), "hog")
	spec.Command = []string{"sh", "-c", "head -c 200m /dev/zero | tail -n 1 | wc -c"}
	spec.Resources = fairlead.Resources{Memory: "64Mi", CPU: "2"}
	spec.Sandbox = fairlead.SandboxRequired
	i := workloadtest.Start(t, open(t, root), spec, nil)
	status := i.Await("killed for memory", func(s workload.Status) bool { return s.OOMKills >= 1 })
	if status.LastExit != "out of memory: over its limit of 64Mi" {
		t.Errorf("it ended with %q", status.LastExit)
	}
}

func TestALimitThatIsRequiredAndCannotBeHadIsRefused(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root has cgroups here")
	}
	spec := workloadtest.Spec(appDir(), "one", "serve")
	spec.Resources.Memory = "64Mi"
	r := open(t, t.TempDir())
	preferred := workloadtest.Start(t, r, spec, nil)
	spec.ID, spec.Sandbox = "two", fairlead.SandboxRequired
	required := workloadtest.Start(t, r, spec, nil)
	if status := required.AwaitState(workload.Refused); !strings.Contains(status.LastExit, "memory limit (") {
		t.Errorf("it was refused with %q", status.LastExit)
	}
	preferred.AwaitState(workload.Ready)
}

func TestWithoutNamespacesTheSandboxIsRefusedAndTheRestHolds(t *testing.T) {
	if !plain() {
		t.Skip("there are namespaces here")
	}
	r := open(t, t.TempDir())
	spec := workloadtest.Spec(appDir(), "one", "serve")
	spec.Sandbox = fairlead.SandboxRequired
	status := workloadtest.Start(t, r, spec, nil).AwaitState(workload.Refused)
	if !strings.Contains(status.LastExit, "user namespace (") {
		t.Errorf("it was refused with %q", status.LastExit)
	}
	careful, err := shim.New(shim.Config{Root: t.TempDir(), Shim: shimProgram(), Kinds: shim.Kinds{Sandbox: local.Sandbox{}}})
	if err != nil {
		t.Fatal(err)
	}
	defer careful.Close()
	spec.ID, spec.Sandbox = "two", fairlead.SandboxPreferred
	workloadtest.Start(t, careful, spec, nil).AwaitState(workload.Refused)
	spec.ID = "three"
	status = workloadtest.Start(t, r, spec, nil).AwaitState(workload.Ready)
	for _, p := range status.Protections {
		rest := map[string]bool{"landlock": true, "seccomp": true, "no new privileges": true, "no core dumps": true, "capabilities": true,
			"clean start": true, "file limit": true, "unreadable init": true}[p.Name]
		if p.Enforced != rest && p.Name != "process limit" {
			t.Errorf("%s: enforced %v, %s", p.Name, p.Enforced, p.Detail)
		}
	}
}

func TestWithoutNamespacesOrphansEndToo(t *testing.T) {
	root := t.TempDir()
	j := job("orphan", "sh", "-c", "setsid sleep 1234 >/dev/null 2>&1 & echo orphaned")
	j.Sandbox = fairlead.SandboxPreferred
	run(t, open(t, root), j)
	nothingLeft(t, root)
	workloadtest.Eventually(t, func() (bool, string) {
		dirs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, dir := range dirs {
			if arguments, _ := os.ReadFile(dir); strings.Contains(string(arguments), "sleep\x001234") {
				return false, dir + " is left"
			}
		}
		return true, ""
	})
}

func TestAnInstanceReachesWhatItsFileNamesAndNothingElse(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "reached "+r.Host) }))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	_, port, _ := net.SplitHostPort(address)
	name, err := os.Hostname()
	if addresses, lookup := net.LookupHost(name); err != nil || lookup != nil || len(addresses) == 0 {
		name = "localhost"
	}
	for _, c := range []struct {
		reach []string
		url   string
		want  string
	}{
		{nil, "http://" + address, "error:"},
		{[]string{address}, "http://" + address, "200 OK reached " + address},
		{[]string{"localhost:" + port}, "http://localhost:" + port, "200 OK reached localhost:" + port},
		{[]string{"localhost:1"}, "http://localhost:" + port, "error:"},
		{[]string{"192.0.2.7:" + port}, "http://192.0.2.8:" + port, "error:"},
		{[]string{"nowhere.invalid:" + port}, "http://nowhere.invalid:" + port, "error:"},
	} {
		j := job("fetch", "./app", "fetch", c.url)
		j.Network.Reach = c.reach
		result := run(t, open(t, t.TempDir()), j)
		if !strings.Contains(string(result.Output), c.want) {
			t.Errorf("with %q %s gave %q, want %q", c.reach, c.url, result.Output, c.want)
		}
	}
}

func TestPythonRunsInTheSandbox(t *testing.T) {
	if _, err := os.Stat("/usr/bin/python3"); err != nil {
		t.Skip(err)
	}
	const program = `
import asyncio, ctypes, hashlib, http.server, json, multiprocessing, os, socket, sqlite3, ssl, subprocess, sys, tempfile, threading, time
ssl.create_default_context()
threads = [threading.Thread(target=time.sleep, args=(0.01,)) for _ in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
assert subprocess.run(["/bin/echo", "hello"], capture_output=True).stdout == b"hello\n"
with multiprocessing.Pool(2) as pool: assert pool.map(abs, [-1, -2]) == [1, 2]
with tempfile.NamedTemporaryFile() as f: f.write(b"x")
assert socket.gethostbyname("localhost") == "127.0.0.1"
asyncio.run(asyncio.sleep(0))
print("python works", os.getcwd(), os.cpu_count() > 0)
`
	result := run(t, open(t, t.TempDir()), job("python", "python3", "-c", program))
	if result.ExitCode != 0 || !strings.Contains(string(result.Output), "python works /app True") {
		t.Errorf("exit %d: %s", result.ExitCode, result.Output)
	}
}

func TestJobsTellHowTheyEnded(t *testing.T) {
	root := t.TempDir()
	r := open(t, root)
	if result := run(t, r, job("print", "./app", "print", "a", "b")); result.ExitCode != 0 || !strings.Contains(string(result.Output), "a b\n") {
		t.Errorf("print: %+v %s", result, result.Output)
	}
	if result := run(t, r, job("fail", "./app", "fail")); result.ExitCode != 7 {
		t.Errorf("fail: %+v", result)
	}
	if result := run(t, r, job("absent", "./absent")); result.ExitCode != 127 || !strings.Contains(string(result.Output), "no such file") {
		t.Errorf("absent: %d %s", result.ExitCode, result.Output)
	}
	slow := job("slow", "./app", "sleep")
	slow.Timeout = 200 * time.Millisecond
	if result := run(t, r, slow); !result.TimedOut || result.ExitCode != -1 || result.Took < slow.Timeout {
		t.Errorf("slow: %+v", result)
	}
	if result := run(t, r, job("flood", "./app", "flood")); len(result.Output) != 1<<20 || !strings.HasSuffix(string(result.Output), "the end\n") {
		t.Errorf("flood: %d bytes", len(result.Output))
	}
	slow.Timeout = 0
	if _, err := r.RunJob(t.Context(), slow); fairlead.CodeOf(err) != fairlead.Invalid {
		t.Errorf("no time limit: %v", err)
	}
	nothingLeft(t, root)
}

func TestABuildWritesItsDirectoryAndAGateDoesNot(t *testing.T) {
	dir := t.TempDir()
	program, err := os.ReadFile(filepath.Join(appDir(), "app"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "app"), program, 0o755)
	}
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := open(t, t.TempDir())
	gate := job("gate", "./app", "write", "made")
	gate.Dir = dir
	if result := run(t, r, gate); !strings.Contains(string(result.Output), "read-only") && !strings.Contains(string(result.Output), "denied") {
		t.Errorf("a gate wrote: %s", result.Output)
	}
	build := gate
	build.ID, build.Writable = "build", true
	run(t, r, build)
	info, err := os.Stat(filepath.Join(dir, "made"))
	if err != nil || info.Sys() == nil {
		t.Fatalf("a build did not write: %v", err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "made")); string(data) != "written\n" {
		t.Errorf("it wrote %q, %v", data, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "made"), nil, 0); err != nil {
		t.Errorf("what it made is not ours: %v", err)
	}
}
