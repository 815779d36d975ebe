//go:build linux

package container_test

import (
	"fmt"
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
	"github.com/fairlead/fairlead/workload/container"
	"github.com/fairlead/fairlead/workload/workloadtest"
)

// inspected is what an engine says of a container.
type inspected struct {
	ID    string `json:"Id"`
	State struct {
		Pid     int
		Running bool
	}
	NetworkSettings struct {
		Networks map[string]struct{ IPAddress string }
	}
	HostConfig struct {
		CapAdd, SecurityOpt []string
		Privileged          bool
		LogConfig           struct{ Type string }
	}
}

// containerOf asks the engine of an instance's container.
func (w world) containerOf(t *testing.T, root, id string) inspected {
	t.Helper()
	owner, err := container.Owner(root)
	if err != nil {
		t.Fatal(err)
	}
	var found inspected
	w.Ask(t, "GET", "/containers/fairlead-"+owner[:8]+"."+id+"/json", nil, &found)
	return found
}

func (i inspected) address(t *testing.T) string {
	t.Helper()
	for _, network := range i.NetworkSettings.Networks {
		if network.IPAddress != "" {
			return network.IPAddress
		}
	}
	t.Fatalf("it has no address: %+v", i)
	return ""
}

// procStatus reads a field of /proc/PID/status.
func procStatus(t *testing.T, pid int, name string) string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func protection(t *testing.T, status workload.Status, name string) workload.Protection {
	t.Helper()
	for _, p := range status.Protections {
		if p.Name == name {
			return p
		}
	}
	t.Errorf("nothing is said of %q in %+v", name, status.Protections)
	return workload.Protection{}
}

func TestHardening(t *testing.T) {
	eachEngine(t, func(t *testing.T, w world) {
		t.Run("EverythingIsEnforcedAndReadBack", w.hardened)
		t.Run("WhatIsLoosenedIsSaid", w.loosened)
	})
}

func (w world) hardened(t *testing.T) {
	root := t.TempDir()
	spec := w.spec("one", "serve")
	spec.Sandbox = fairlead.SandboxRequired
	spec.Resources = fairlead.Resources{CPU: "500m", Memory: "64Mi"}
	i := workloadtest.Start(t, openRuntime(t, root), spec, workload.Secrets{"key": []byte("v")})
	status := i.AwaitState(workload.Ready)
	if len(status.Protections) < 18 {
		t.Errorf("only %d protections are recorded", len(status.Protections))
	}
	for _, p := range status.Protections {
		if !p.Enforced && p.Name != workload.SwapLimit { // a kernel may not account swap
			t.Errorf("%s is not enforced: %s", p.Name, p.Detail)
		}
	}
	found := w.containerOf(t, root, "one")
	user := fmt.Sprint(workload.TenantUser("triage/dev"))
	for field, want := range map[string]string{"NoNewPrivs": "1", "Seccomp": "2", "CapEff": "0000000000000000", "CapBnd": "0000000000000000", "Uid": strings.Repeat(user+"\t", 3) + user} {
		if got := procStatus(t, found.State.Pid, field); got != want {
			t.Errorf("%s is %q, want %q", field, got, want)
		}
	}
	if found.HostConfig.Privileged || w.Name == "docker" && found.HostConfig.LogConfig.Type != "local" { // Podman calls each kind of file json-file
		t.Errorf("the container is %+v", found.HostConfig)
	}
}

func (w world) loosened(t *testing.T) {
	root := t.TempDir()
	spec := w.spec("one", "serve")
	spec.Sandbox = fairlead.SandboxRequired
	spec.Loosen = &fairlead.Loosen{Root: true, WritableRoot: true, Capabilities: []string{"NET_BIND_SERVICE"}, Privileges: true, Seccomp: true, Processes: 900}
	i := workloadtest.Start(t, openRuntime(t, root), spec, nil)
	status := i.AwaitState(workload.Ready)
	for _, name := range []string{workload.NonRoot, workload.ReadOnlyRoot, workload.NoCapabilities, workload.NoNewPrivileges, workload.Seccomp} {
		if p := protection(t, status, name); p.Enforced || !strings.HasPrefix(p.Detail, "asked for: ") {
			t.Errorf("%+v does not say that it was asked for", p)
		}
	}
	if p := protection(t, status, workload.ProcessLimit); p.Detail != "asked for: 900 processes" {
		t.Errorf("%+v", p)
	}
	pid := w.containerOf(t, root, "one").State.Pid
	if got := procStatus(t, pid, "CapEff"); got != "0000000000000400" {
		t.Errorf("its capabilities are %s, want NET_BIND_SERVICE alone", got)
	}
}

func TestNetworks(t *testing.T) {
	eachEngine(t, func(t *testing.T, w world) {
		t.Run("OneSiteDoesNotReachAnother", w.sites)
		t.Run("WhatMayBeReachedIsReached", w.reached)
	})
}

// fetched starts an instance that fetches URLs, and returns a line of each.
func (w world) fetched(t *testing.T, r workload.Runtime, site fairlead.Site, network fairlead.Network, id string, urls ...string) []string {
	t.Helper()
	spec := w.spec(id, append([]string{"fetch"}, urls...)...)
	spec.Site, spec.Network = site, network
	i := workloadtest.Start(t, r, spec, nil)
	var lines []string
	workloadtest.Eventually(t, func() (bool, string) {
		lines = nil
		log := i.Log(0)
		for line := range strings.Lines(log) {
			if _, text, ok := strings.Cut(line, " stdout "); ok && !strings.HasPrefix(text, "app fetch") {
				lines = append(lines, strings.TrimSpace(text))
			}
		}
		return len(lines) >= len(urls), log
	})
	return lines[:len(urls)]
}

func (w world) sites(t *testing.T) {
	root := t.TempDir()
	r := openRuntime(t, root)
	spec := w.spec("target", "serve")
	spec.Env = map[string]string{"LISTEN": "0.0.0.0"}
	workloadtest.Start(t, r, spec, nil).AwaitState(workload.Ready)
	address := w.containerOf(t, root, "target").address(t)
	target := "http://" + address + ":8080/"

	machine := serveEverywhere(t)
	_, port, _ := net.SplitHostPort(machine)
	urls := []string{target, "http://127.0.0.1:" + port + "/"}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if ip := a.(*net.IPNet).IP; ip.To4() != nil && !ip.IsLoopback() {
			urls = append(urls, "http://"+net.JoinHostPort(ip.String(), port)+"/")
		}
	}
	beside := w.fetched(t, r, spec.Site, fairlead.Network{}, "beside", urls...)
	if !strings.HasPrefix(beside[0], "200 OK hello from target") {
		t.Errorf("an instance of the same site does not reach it: %s", beside[0])
	}
	for n, line := range beside[1:] {
		if !strings.HasPrefix(line, "error:") {
			t.Errorf("a container reaches this machine at %s: %s", urls[n+1], line)
		}
	}
	for n, site := range []fairlead.Site{{App: "triage", Env: "production"}, {App: "other", Env: "dev"}} {
		for k, line := range w.fetched(t, r, site, fairlead.Network{}, fmt.Sprint("elsewhere-", n), urls...) {
			if !strings.HasPrefix(line, "error:") {
				t.Errorf("%s reaches %s: %s", site, urls[k], line)
			}
		}
	}
}

// serveEverywhere serves HTTP on every address of this machine.
func serveEverywhere(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the machine") })}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return listener.Addr().String()
}

func (w world) reached(t *testing.T) {
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "outside") }))
	defer outside.Close()
	_, port, _ := net.SplitHostPort(outside.Listener.Addr().String())
	root := t.TempDir()
	r := openRuntime(t, root)
	network := fairlead.Network{Reach: []string{"api.localhost:" + port, "127.0.0.1:" + port}}
	for n, line := range w.fetched(t, r, fairlead.Site{App: "triage", Env: "dev"}, network, "one", "http://api.localhost:"+port, "http://127.0.0.1:"+port) {
		if line != "200 OK outside" {
			t.Errorf("%s answers %s", network.Reach[n], line)
		}
	}
}

func TestJobs(t *testing.T) {
	eachEngine(t, func(t *testing.T, w world) {
		root := t.TempDir()
		r := openRuntime(t, root)
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		job := func(id string, command ...string) workload.JobResult {
			t.Helper()
			result, err := r.RunJob(t.Context(), workload.Job{ID: id, Image: w.image, Dir: dir, Writable: strings.HasPrefix(id, "build"), Command: append([]string{"/app"}, command...), Timeout: time.Minute})
			if err != nil {
				t.Fatalf("%s: %v", id, err)
			}
			return result
		}
		if got := job("a", "print", "hello"); got.ExitCode != 0 || !strings.Contains(string(got.Output), "hello\n") || len(got.Protections) == 0 {
			t.Errorf("one that prints: %+v %q", got, got.Output)
		}
		if got := job("b", "fail"); got.ExitCode != 7 || !strings.Contains(string(got.Output), "failing") {
			t.Errorf("one that fails: %+v %q", got, got.Output)
		}
		if got := job("c", "write", "file"); !strings.Contains(string(got.Output), "read-only file system") {
			t.Errorf("a gate that writes: %q", got.Output)
		}
		if got := job("build", "write", "file"); !strings.Contains(string(got.Output), "<nil>") {
			t.Errorf("a build that writes: %q", got.Output)
		} else if data, err := os.ReadFile(filepath.Join(dir, "file")); string(data) != "written\n" {
			t.Errorf("it wrote %q, %v", data, err)
		}
		if got := job("d", "flood"); !strings.HasSuffix(string(got.Output), "the end\n") || len(got.Output) < 1<<20 {
			t.Errorf("of a flood %d bytes came, the last %q", len(got.Output), got.Output[max(0, len(got.Output)-20):])
		}
		result, err := r.RunJob(t.Context(), workload.Job{ID: "none", Image: w.image, Command: []string{"/none"}, Timeout: time.Minute})
		if err != nil || result.ExitCode != 127 || !strings.Contains(string(result.Output), "could not be started") {
			t.Errorf("a command that is not there: %+v, %v", result, err)
		}
		result, err = r.RunJob(t.Context(), workload.Job{ID: "slow", Image: w.image, Command: []string{"/app", "sleep"}, Timeout: 2 * time.Second})
		if err != nil || !result.TimedOut || result.ExitCode != -1 {
			t.Errorf("one that takes too long: %+v, %v", result, err)
		}
		missing := *w.image
		missing.ID = fairlead.DigestOf([]byte("missing"))
		if _, err := r.RunJob(t.Context(), workload.Job{ID: "gone", Image: &missing, Command: []string{"/app"}, Timeout: time.Minute}); err == nil || !strings.Contains(err.Error(), "has no image") {
			t.Errorf("an image that is not there: %v", err)
		}
		w.nothingLeft(t, root)
	})
}

func TestFailures(t *testing.T) {
	eachEngine(t, func(t *testing.T, w world) {
		t.Run("AContainerRemovedByHandIsMadeAnew", w.removedByHand)
		t.Run("OneThatTakesTooMuchMemoryIsKilledAndCounted", w.outOfMemory)
		t.Run("ANameThatIsForeignIsLeftAlone", w.foreignName)
		t.Run("WhatNoHomeExplainsIsSweptAndNothingElse", w.swept)
		t.Run("AnEngineThatIsStartedAgainIsComeBackTo", w.engineRestarted)
	})
}

func (w world) removedByHand(t *testing.T) {
	root := t.TempDir()
	i := workloadtest.Start(t, openRuntime(t, root), w.spec("one", "serve"), nil)
	i.AwaitState(workload.Ready)
	first := w.containerOf(t, root, "one").ID
	w.Ask(t, "DELETE", "/containers/"+first+"?force=1", nil, nil)
	status := i.Await("ready in another container", func(s workload.Status) bool {
		return s.State == workload.Ready && s.LastExit == "its container was removed by hand"
	})
	if again := w.containerOf(t, root, "one").ID; again == first || status.Restarts != 0 {
		t.Errorf("it is %s, was %s: %+v", again, first, status)
	}
	if log := i.Log(0); !strings.Contains(log, "removed by hand; it starts again") {
		t.Errorf("the log does not say so: %s", log)
	}
}

func (w world) outOfMemory(t *testing.T) {
	spec := w.spec("one", "hog")
	spec.Resources.Memory = "32Mi"
	i := workloadtest.Start(t, openRuntime(t, t.TempDir()), spec, nil)
	status := i.Await("killed", func(s workload.Status) bool { return s.OOMKills > 0 })
	if status.LastExit != "out of memory: over its limit of 32Mi" {
		t.Errorf("it ended with %q: %+v", status.LastExit, status)
	}
}

func (w world) foreignName(t *testing.T) {
	root := t.TempDir()
	r := openRuntime(t, root)
	owner, err := container.Owner(root)
	if err != nil {
		t.Fatal(err)
	}
	name := "fairlead-" + owner[:8] + ".one"
	w.Ask(t, "POST", "/containers/create?name="+name, map[string]any{"Image": string(w.image.ID), "Cmd": []string{"/app", "sleep"}}, nil)
	defer w.Ask(t, "DELETE", "/containers/"+name+"?force=1", nil, nil)
	i := workloadtest.Start(t, r, w.spec("one", "serve"), nil)
	i.Await("in trouble", func(s workload.Status) bool { return strings.Contains(s.LastExit, "not this installation's") })
	if err := r.Stop(t.Context(), workloadtest.Order(), "one", 0); err != nil {
		t.Fatal(err)
	}
	w.Ask(t, "GET", "/containers/"+name+"/json", nil, nil) // it is there still
}

func (w world) swept(t *testing.T) {
	root, other := t.TempDir(), t.TempDir()
	i := workloadtest.Start(t, openRuntime(t, root), w.spec("kept", "serve"), nil)
	i.AwaitState(workload.Ready)
	owner, err := container.Owner(root)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := container.Owner(other)
	if err != nil {
		t.Fatal(err)
	}
	create := func(name, owner, home string) {
		labels := map[string]string{container.LabelOwner: owner, container.LabelHome: home}
		w.Ask(t, "POST", "/containers/create?name="+name, map[string]any{"Image": string(w.image.ID), "Cmd": []string{"/app", "sleep"}, "Labels": labels}, nil)
	}
	create("lost", owner, "instances/lost")
	create("foreign", foreign, "instances/lost")
	defer w.Ask(t, "DELETE", "/containers/foreign?force=1", nil, nil)
	openRuntime(t, root)
	workloadtest.Eventually(t, func() (bool, string) {
		names := strings.Join(w.containers(t), " ")
		return !strings.Contains(names, "/lost"), names
	})
	if names := strings.Join(w.containers(t), " "); !strings.Contains(names, ".kept") || !strings.Contains(names, "/foreign") {
		t.Errorf("what was not to be touched is gone: %s", names)
	}
	if status := i.Status(); status.State != workload.Ready {
		t.Errorf("the one that runs is %+v", status)
	}
}

func (w world) engineRestarted(t *testing.T) {
	root := t.TempDir()
	i := workloadtest.Start(t, openRuntime(t, root), w.spec("one", "serve"), workload.Secrets{"key": []byte("v")})
	before := i.AwaitState(workload.Ready)
	first := w.containerOf(t, root, "one")
	if _, err := i.Get("/print?line=before"); err != nil {
		t.Fatal(err)
	}
	workloadtest.Eventually(t, func() (bool, string) { return strings.Contains(i.Log(0), "stdout before"), i.Log(0) })
	w.Halt(t)
	if w.Name == "podman" { // its containers live on, and are served
		if body, err := i.Get("/"); body != "hello from one" || err != nil || i.Status().State != workload.Ready {
			t.Errorf("while the engine is away it answers %q, %v: %+v", body, err, i.Status())
		}
	} else {
		i.Await("down", func(s workload.Status) bool { return s.State != workload.Ready })
	}
	w.Launch(t)
	status := i.Await("ready again", func(s workload.Status) bool {
		return s.State == workload.Ready && (w.Name == "podman" || s.ReadySince != before.ReadySince)
	})
	if status.Restarts != 0 {
		t.Errorf("the engine's end counts as the app's: %+v", status)
	}
	if again := w.containerOf(t, root, "one"); w.Name == "podman" && again.State.Pid != first.State.Pid {
		t.Errorf("it was process %d and is %d", first.State.Pid, again.State.Pid)
	}
	if _, err := i.Get("/print?line=afterwards"); err != nil {
		t.Fatal(err)
	}
	workloadtest.Eventually(t, func() (bool, string) {
		log := i.Log(0)
		return strings.Contains(log, "stdout afterwards"), log
	})
	if n := strings.Count(i.Log(0), "stdout before"); n != 1 {
		t.Errorf("what was written before the engine's end is told %d times", n)
	}
}
