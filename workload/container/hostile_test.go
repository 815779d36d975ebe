//go:build linux

package container_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/container"
	"github.com/fairlead/fairlead/workload/workloadtest"
)

func TestHostile(t *testing.T) {
	eachEngine(t, func(t *testing.T, w world) {
		t.Run("WhatAnImageDeclaresAsVolumesTakesNoDisk", w.declared)
		t.Run("NothingOfThisMachineIsTold", w.untold)
		t.Run("AnAppNeitherReadsTheFirstProcessNorSpeaksIPv6ToThisMachine", w.closed)
	})
}

// hostile builds an image whose Dockerfile goes on with lines, and whose directory
// /open anybody may write to.
func (w world) hostile(t *testing.T, name string, lines ...string) world {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "tree", "open"), 0o755); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(programs("image/app"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(append([]string{"FROM scratch", "COPY app /app", "COPY tree /"}, lines...), "\n")
	for file, content := range map[string][]byte{"app": program, "tree/open/kept": []byte("kept\n"), "Dockerfile": []byte(text)} {
		if err := os.WriteFile(filepath.Join(dir, file), content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "tree", "open"), 0o777); err != nil {
		t.Fatal(err)
	}
	image := *w.image
	image.ID = fairlead.Digest("sha256:" + strings.TrimPrefix(w.Build(t, name, dir), "sha256:"))
	return world{w.Engine, &image}
}

func (w world) declared(t *testing.T) {
	h := w.hostile(t, "declared", "VOLUME /open /run /tmp /.fairlead/ /dev/shm")
	root := t.TempDir()
	r := openRuntime(t, root)
	for id, want := range map[string]string{"/open/file": "<nil>", "/tmp/file": "<nil>", "/run/file": "denied"} {
		name := strings.ReplaceAll(strings.Trim(id, "/"), "/", "-")
		i := workloadtest.Start(t, r, h.spec(name, "write", id), workload.Secrets{"key": []byte("v")})
		workloadtest.Eventually(t, func() (bool, string) { log := i.Log(0); return strings.Contains(log, want), log })
		if err := r.Stop(t.Context(), workloadtest.Order(), name, 0); err != nil {
			t.Fatal(err)
		}
	}
	i := workloadtest.Start(t, r, h.spec("one", "serve"), workload.Secrets{"key": []byte("v")})
	status := i.AwaitState(workload.Ready)
	mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", w.containerOf(t, root, "one").State.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if words := strings.Fields(line); words[4] == "/open" && !strings.Contains(line, " - tmpfs ") {
			t.Errorf("it fills the disk: %s", line)
		} else if words[4] == "/open" && !strings.Contains(line, "size=") {
			t.Errorf("it has no bound: %s", line)
		}
	}
	for _, p := range status.Protections {
		if p.Name == workload.SecretsInMemory && !p.Enforced {
			t.Errorf("a declared volume hides the secrets: %+v", p)
		}
	}
	if err := r.Stop(t.Context(), workloadtest.Order(), "one", 0); err != nil {
		t.Fatal(err)
	}
	workloadtest.Eventually(t, func() (bool, string) {
		var left struct{ Volumes []struct{ Name string } }
		w.Ask(t, "GET", "/volumes", nil, &left)
		return len(left.Volumes) == 0, fmt.Sprintf("volumes are left in the engine: %v", left.Volumes)
	})

	h = w.hostile(t, "many", volumes(65))
	i = workloadtest.Start(t, r, h.spec("many", "serve"), nil)
	i.Await("refused", func(s workload.Status) bool { return strings.Contains(s.LastExit, "declares 65 volumes") })
}

// untold looks at what an engine would put into a container by itself: the names that
// this machine knows, where it looks for others, and memory to write to.
func (w world) untold(t *testing.T) {
	root := t.TempDir()
	r := openRuntime(t, root)
	spec := w.spec("one", "serve")
	spec.Network.Reach = []string{"db.example:5432"}
	i := workloadtest.Start(t, r, spec, nil)
	i.AwaitState(workload.Ready)
	found := w.containerOf(t, root, "one")
	read := func(name string) string {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/root/%s", found.State.Pid, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	hosts := read("etc/hosts")
	for _, want := range []string{"localhost", "db.example", found.ID[:12]} {
		if !strings.Contains(hosts, want) {
			t.Errorf("it does not find %s in\n%s", want, hosts)
		}
	}
	own, err := os.ReadFile("/etc/hosts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(own)) {
		line, _, _ = strings.Cut(line, "#")
		for n, name := range strings.Fields(line) {
			if n > 0 && !strings.Contains(name, "ip6-") && name != "localhost" && strings.Contains(hosts, name) {
				t.Errorf("it is told the machine's name %s:\n%s", name, hosts)
			}
		}
	}
	if strings.Contains(hosts, "containers.internal") {
		t.Errorf("it is told an address of this machine:\n%s", hosts)
	}
	if names := read("etc/resolv.conf"); strings.Contains(names, "search ") && !strings.Contains(names, "search .") {
		t.Errorf("it is told where this machine looks for names:\n%s", names)
	}
	mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", found.State.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		front, back, _ := strings.Cut(line, " - ")
		at, options := strings.Fields(front)[4], strings.Fields(front)[5]
		if strings.HasPrefix(back, "tmpfs ") && !strings.HasPrefix(at, "/proc/") && !strings.HasPrefix(at, "/sys/") && at != "/dev" && !strings.Contains(back, "size=") && !strings.HasPrefix(options, "ro") {
			t.Errorf("its memory at %s has no bound: %s", at, line)
		}
	}
	for _, path := range []string{"/run/file", "/var/tmp/file"} {
		name := strings.ReplaceAll(strings.Trim(path, "/"), "/", "-")
		i := workloadtest.Start(t, r, w.spec(name, "write", path), nil)
		workloadtest.Eventually(t, func() (bool, string) {
			log := i.Log(0)
			return strings.Contains(log, "denied") || strings.Contains(log, "read-only") || strings.Contains(log, "no such file"), log
		})
	}
}

// volumes are so many lines that declare a volume each.
func volumes(n int) string {
	var text strings.Builder
	text.WriteString("VOLUME")
	for i := range n {
		fmt.Fprintf(&text, " /v%d", i)
	}
	return text.String()
}

func (w world) closed(t *testing.T) {
	root := t.TempDir()
	i := workloadtest.Start(t, openRuntime(t, root), w.spec("one", "serve"), nil)
	status := i.AwaitState(workload.Ready)
	if p := protection(t, status, workload.OwnNetwork); !p.Enforced {
		t.Errorf("%+v", p)
	}
	pid := w.containerOf(t, root, "one").State.Pid
	info, err := os.Stat(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		t.Fatal(err)
	}
	if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 0 { // else what runs as this user may trace it
		t.Errorf("the first process is open to user %d", uid)
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/if_inet6", pid))
	for line := range strings.Lines(string(data)) {
		if !strings.HasSuffix(strings.TrimSpace(line), " lo") {
			t.Errorf("it has an IPv6 address, by which this machine is reached: %s", line)
		}
	}
	if err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
}

func TestAFirstProcessOutsideOfItsContainerStartsNothing(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("another root needs root")
	}
	inside := t.TempDir()
	program, err := os.ReadFile(programs("shim"))
	if err == nil {
		err = os.WriteFile(filepath.Join(inside, "init"), program, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	first := exec.Command("/init", "container-init", "/app")
	first.SysProcAttr = &syscall.SysProcAttr{Chroot: inside} // its working directory stays out of it
	said, err := first.CombinedOutput()
	if err == nil || !strings.Contains(string(said), "the working directory of the image is not in it") {
		t.Errorf("%v: %s", err, said)
	}
}

func TestAnAppDoesNotSayThatItWasKilledForMemory(t *testing.T) {
	eachEngine(t, func(t *testing.T, w world) {
		i := workloadtest.Start(t, openRuntime(t, t.TempDir()), w.spec("one", "exit", "191"), nil)
		status := i.Await("ended", func(s workload.Status) bool { return s.LastExit != "" })
		if status.OOMKills != 0 || !strings.Contains(status.LastExit, "193") {
			t.Errorf("it is believed: %+v", status)
		}
	})
}

func TestAnImageDoesNotWorkInProc(t *testing.T) {
	for _, dir := range []string{"/proc/self/fd/7", "/srv/../proc/", "/proc"} {
		image := &workload.Image{ID: fairlead.DigestOf(nil), Engine: "unix:///x", WorkDir: dir}
		if err := (container.Containers{}).Check(workload.Spec{Image: image}); fairlead.CodeOf(err) != fairlead.Invalid {
			t.Errorf("%s: %v", dir, err)
		}
	}
}
