package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/workload"
)

// provesByGates: a gate runs in the image, as walled in as its instances.
func provesByGates(w *world) {
	file := appFile{lines: gateLines}
	b := behaviour{Version: "v1"}
	b.Gate.Dial = w.plane.at.API // which no gate may reach
	w.ship(0, b, file)
	passed := w.last("gate.passed")
	if !strings.Contains(string(passed.Data), string(see[[]struct{ Digest string }](w, "releases", w.named)[0].Digest)) {
		w.Errorf("the evidence is not for the release: %s", passed.Data)
	}
	b.Version, b.Gate.Exit = "v2", 3
	w.ship(1, b, file)
	if n := w.count("instance.start"); n != 1 {
		w.Errorf("%d instances were started, one of them of a release whose gate failed", n)
	}
	if why := w.must("explain", w.named); !strings.Contains(why, "check") {
		w.Errorf("explain says %q", why)
	}
	w.servedInABox("v1")
	w.proven()
}

// keepsSecrets: a secret is a file in memory of its instance, and nowhere else.
func keepsSecrets(w *world) {
	secret := fmt.Sprintf("corn-flower-blue-%d", time.Now().UnixNano())
	if r := w.feed(secret, "secret", "set", "token", "--env", "production"); r.code != 0 {
		w.Fatal(r)
	}
	w.ship(0, behaviour{Version: "v1"}, appFile{lines: "  secrets: [{name: token}]\n"})
	if a := w.try(w.host(), "secret", "token"); a.Text != secret {
		w.Errorf("the instance reads %+v", a)
	}
	box := w.box(w.site().Instances[0].ID)
	var told []byte
	w.engine.Ask(w, "GET", "/containers/"+box.ID+"/json", nil, &told)
	if carries(told, secret) {
		w.Error("the engine tells the secret")
	}
	for _, variable := range w.try(w.host(), "env", "").Names {
		if strings.Contains(variable, secret) {
			w.Errorf("the environment has %s", variable)
		}
	}
	w.untold(secret)
	w.notBelow(w.state, secret)
	w.notBelow(w.engine.Dir(), secret)
}

// notBelow says that no file below dir, on its own disk, holds text.
func (w *world) notBelow(dir, text string) {
	w.Helper()
	disk := deviceOf(dir)
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // it went away
		}
		if d.IsDir() && deviceOf(path) != disk {
			return filepath.SkipDir // a container's root, or memory
		}
		if !d.Type().IsRegular() {
			return nil
		}
		if data, err := os.ReadFile(path); err == nil && carries(data, text) {
			w.Errorf("%s holds the secret", path)
		}
		return nil
	})
}

// keepsEnvironmentsApart: development reaches neither production's containers nor Fairlead.
func keepsEnvironmentsApart(w *world) {
	file := appFile{environments: "    - {name: dev}\n    - {name: production, replicas: 2}\n"}
	w.ship(0, behaviour{Version: "v1"}, file)
	w.must("promote", w.named+"@1", "--to", "production", "--wait")
	dev, own := "dev."+w.host(), w.box(w.site("dev").Instances[0].ID)
	if a := w.try(dev, "tcp", net.JoinHostPort(cmp.Or(own.address(), "127.0.0.1"), "8080")); !a.OK {
		w.Errorf("development does not reach itself: %s", a.Error)
	}
	for _, i := range w.site("production").Instances {
		address := w.box(i.ID).address()
		if address == "" {
			continue // it is in no network that an engine has
		}
		if a := w.try(dev, "tcp", address+":8080"); a.OK {
			w.Errorf("development reaches production at %s", address)
		}
	}
	for _, at := range []string{w.plane.at.API, w.plane.at.Gateway} {
		_, port, _ := net.SplitHostPort(at)
		for _, address := range []string{"127.0.0.1", gatewayOf(own)} {
			if address == "" {
				continue
			}
			if a := w.try(dev, "tcp", net.JoinHostPort(address, port)); a.OK {
				w.Errorf("development reaches Fairlead at %s:%s", address, port)
			}
		}
	}
}

// gatewayOf is the machine's address in a container's network.
func gatewayOf(b boxed) string {
	for _, n := range b.NetworkSettings.Networks {
		if n.Gateway != "" {
			return n.Gateway
		}
		if at := strings.LastIndexByte(n.IPAddress, '.'); at > 0 {
			return n.IPAddress[:at] + ".1"
		}
	}
	return ""
}

// hardens: what is recorded of a start is what Linux says of the app's process.
func hardens(w *world) {
	w.ship(0, behaviour{Version: "v1"}, appFile{
		lines:        "  resources: {cpu: 500m, memory: 128Mi}\n",
		environments: "    - {name: production, sandbox: required, strategy: " + fast + "}\n",
	})
	i := w.site().Instances[0]
	recorded := map[string]workload.Protection{}
	for _, p := range i.Protections {
		recorded[p.Name] = p
	}
	var entry struct{ Protections []workload.Protection }
	if err := json.Unmarshal(w.last("instance.started").Data, &entry); err != nil || len(entry.Protections) != len(i.Protections) {
		w.Errorf("the ledger has %+v of this start, %v", entry, err)
	}
	app := w.appIn(w.box(i.ID))
	for name, is := range app.hardened() {
		p, ok := recorded[name]
		if !ok || p.Enforced != is || !is {
			w.Errorf("%s: Linux says %t, recorded is %+v (%t)", name, is, p, ok)
		}
	}
	if w.Failed() {
		w.Logf("recorded: %+v", i.Protections)
	}
	for _, path := range []string{"/app/written", "/written", "/etc/passwd"} {
		if a := w.try(w.host(), "write", path); a.OK {
			w.Errorf("the app writes %s", path)
		}
	}
	if a := w.try(w.host(), "write", "/tmp/written"); !a.OK {
		w.Errorf("the app does not write to /tmp: %s", a.Error)
	}
}

// proc is what Linux tells of a process.
type proc struct {
	pid     int
	status  map[string]string
	limits  string
	mounts  string
	cgroups string
}

// appIn finds the app's process in a container: the youngest that runs ./app.
func (w *world) appIn(b boxed) proc {
	w.Helper()
	all := processes()
	for _, p := range all {
		if p.line != "./app" {
			continue
		}
		for at := p; at.pid > 1; at = all[at.parent] {
			if at.pid == b.State.Pid {
				return w.procOf(p.pid)
			}
		}
	}
	w.Fatalf("the container %+v runs no app", b)
	return proc{}
}

func (w *world) procOf(pid int) proc {
	w.Helper()
	read := func(name string) string {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
		if err != nil {
			w.Fatal(err)
		}
		return string(text)
	}
	p := proc{pid: pid, status: map[string]string{}, limits: read("limits"), mounts: read("mountinfo"), cgroups: read("cgroup")}
	for line := range strings.Lines(read("status")) {
		name, value, _ := strings.Cut(line, ":")
		p.status[name] = strings.TrimSpace(value)
	}
	return p
}

// hardened says which protections the process has, by their names.
func (p proc) hardened() map[string]bool {
	const memory = 128 << 20
	return map[string]bool{
		workload.NonRoot:          !strings.Contains("\t"+p.status["Uid"]+"\t", "\t0\t") && !strings.Contains("\t"+p.status["Gid"]+"\t", "\t0\t"),
		workload.NoCapabilities:   p.without("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"),
		workload.NoNewPrivileges:  p.status["NoNewPrivs"] == "1",
		workload.Seccomp:          p.status["Seccomp"] == "2",
		workload.NoCoreDumps:      p.limited("Max core file size", 0),
		workload.FileLimit:        p.limited("Max open files", workload.MostFiles),
		workload.ReadOnlyRoot:     p.readOnly("/"),
		workload.ProcessLimit:     p.within("pids.max", "pids", "pids.max", workload.MostProcesses),
		workload.MemoryLimit:      p.within("memory.max", "memory", "memory.limit_in_bytes", memory),
		workload.SwapLimit:        p.within("memory.swap.max", "memory", "memory.memsw.limit_in_bytes", memory),
		workload.CPULimit:         p.halfACore(),
		workload.NetworkNamespace: p.apart("net"),
		workload.PidNamespace:     p.apart("pid"),
		workload.MountNamespace:   p.apart("mnt"),
		workload.IPCNamespace:     p.apart("ipc"),
		workload.UTSNamespace:     p.apart("uts"),
	}
}

func (p proc) without(sets ...string) bool {
	return !slices.ContainsFunc(sets, func(set string) bool { return strings.Trim(p.status[set], "0") != "" })
}

// limited reports whether neither limit called name is higher than most.
func (p proc) limited(name string, most int) bool {
	for line := range strings.Lines(p.limits) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			fields := strings.Fields(rest)
			soft, errSoft := strconv.Atoi(fields[0])
			hard, errHard := strconv.Atoi(fields[1])
			return errSoft == nil && errHard == nil && soft <= most && hard <= most
		}
	}
	return false
}

// readOnly reports whether the newest mount at a path is read-only.
func (p proc) readOnly(path string) (is bool) {
	for line := range strings.Lines(p.mounts) {
		if fields := strings.Fields(line); fields[4] == path {
			is = slices.Contains(strings.Split(fields[5], ","), "ro")
		}
	}
	return is
}

// within reports whether a cgroup holds the process to at most that much: file2 is its name in
// the unified hierarchy, file1 in the older one of a controller.
func (p proc) within(file2, controller, file1 string, most int) bool {
	text, err := p.cgroup(file2, controller, file1)
	n, bad := strconv.Atoi(strings.TrimSpace(text))
	return err == nil && bad == nil && n <= most
}

func (p proc) cgroup(file2, controller, file1 string) (string, error) {
	for line := range strings.Lines(p.cgroups) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if slices.Contains(strings.Split(parts[1], ","), controller) {
			text, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", controller, parts[2], file1))
			return string(text), err
		}
	}
	_, path, _ := strings.Cut(p.cgroups, "0::")
	text, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", strings.TrimSpace(path), file2))
	return string(text), err
}

// halfACore reports whether the process has at most half of a core.
func (p proc) halfACore() bool {
	if text, err := p.cgroup("cpu.max", "cpu", "cpu.cfs_quota_us"); err == nil {
		quota, err := strconv.Atoi(strings.Fields(text)[0])
		return err == nil && quota > 0 && quota <= 50_000 // of a period of 100 ms
	}
	return false
}

// apart reports whether the process has a namespace of its own.
func (p proc) apart(kind string) bool {
	theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", p.pid, kind))
	ours, bad := os.Readlink("/proc/self/ns/" + kind)
	return err == nil && bad == nil && theirs != ours
}

// deviceOf is the disk that a path is on, 0 where there is none.
func deviceOf(path string) uint64 {
	var is syscall.Stat_t
	if err := syscall.Lstat(path, &is); err != nil {
		return 0
	}
	return is.Dev
}
