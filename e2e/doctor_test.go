package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/workload"
)

// patient is a machine, or a user of it, that a doctor examines: with a home and a
// directory for temporary files of its own.
type patient struct {
	*testing.T
	home, temp string
	attributes *syscall.SysProcAttr
	forbid     string // a setting of the kernel, of which 0 forbids something
}

// newPatient makes one who is user, or who runs the tests if that is 0.
func newPatient(t *testing.T, user uint32) *patient {
	t.Helper()
	root, err := os.MkdirTemp("", "fldoc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	p := &patient{T: t, home: filepath.Join(root, "home"), temp: filepath.Join(root, "tmp"), attributes: &syscall.SysProcAttr{}}
	for _, dir := range []string{root, p.home, p.temp} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if user != 0 {
			if err := os.Chown(dir, int(user), int(user)); err != nil {
				t.Fatal(err)
			}
			p.attributes.Credential = &syscall.Credential{Uid: user, Gid: user, Groups: []uint32{}}
		}
	}
	return p
}

// doctor is a command that examines p.
func (p *patient) doctor() *exec.Cmd {
	command := exec.Command(built.fairlead, "doctor", "--output", "json")
	if p.forbid != "" {
		command = exec.Command("/bin/sh", "-c", `echo 0 > "$1" && exec "$0" doctor --output json`, built.fairlead, p.forbid)
	}
	command.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + p.home, "TMPDIR=" + p.temp}
	command.SysProcAttr = p.attributes
	command.Dir = "/"
	return command
}

// examined runs a doctor to its end.
func (p *patient) examined(status int) workload.Diagnosis {
	p.Helper()
	var out, errOut bytes.Buffer
	command := p.doctor()
	command.Stdout, command.Stderr = &out, &errOut
	_ = command.Run() // its status says how it ended
	var d workload.Diagnosis
	if err := json.Unmarshal(out.Bytes(), &d); err != nil || command.ProcessState.ExitCode() != status || errOut.Len() > 0 {
		p.Fatalf("status %d, want %d, %v: %s%s", command.ProcessState.ExitCode(), status, err, out.Bytes(), errOut.Bytes())
	}
	p.clean(command.Process.Pid)
	return d
}

// clean fails if a doctor left anything.
func (p *patient) clean(pid int) {
	p.Helper()
	for _, dir := range []string{p.home, p.temp} {
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			p.Errorf("%v is left in %s, or %v", entries, dir, err)
		}
	}
	eventually(p, 10*time.Second, "all processes and cgroups to be gone", func() bool {
		all := processes()
		for _, other := range all {
			if strings.Contains(other.line, p.temp) {
				return false
			}
		}
		for _, pattern := range []string{"/sys/fs/cgroup/*/fairlead-doctor-*", "/sys/fs/cgroup/*/*/*/fairlead-doctor-*", "/dev/shm/fairlead-doctor-*"} {
			found, _ := filepath.Glob(pattern)
			for _, name := range found {
				var owner int
				fmt.Sscan(name[strings.LastIndexByte(name, '-')+1:], &owner)
				if _, alive := all[owner]; !alive { // else it is another doctor's
					return false
				}
			}
		}
		return true
	})
	if segments, _ := os.ReadFile("/proc/sysvipc/shm"); bytes.Contains(segments, fmt.Appendf(nil, " %d ", pid)) {
		p.Errorf("shared memory is left:\n%s", segments)
	}
	if mounts, err := os.ReadFile("/proc/self/mountinfo"); err != nil || bytes.Contains(mounts, []byte(p.temp)) {
		p.Errorf("a mount is left, or %v", err)
	}
}

// succeeded are the attacks that did, each with what it is about.
func succeeded(d workload.Diagnosis) map[string]string {
	all := map[string]string{}
	for _, c := range d.Checks {
		for _, a := range c.Attempts {
			if a.Outcome == workload.Succeeded {
				all[a.Attack] = c.Name
			}
		}
	}
	return all
}

func TestTheDoctorFindsThatTheSandboxHolds(t *testing.T) {
	t.Parallel()
	users := []uint32{0}
	if os.Getuid() == 0 {
		users = append(users, 65534)
	}
	for _, user := range users {
		t.Run(fmt.Sprint("user ", user), func(t *testing.T) {
			d := newPatient(t, user).examined(0)
			if !d.Holds || len(d.Checks) < 15 || len(d.Sandboxes) != 3 {
				t.Errorf("%+v", d)
			}
			for attack, about := range succeeded(d) {
				// Only a limit may be missing, where there are no cgroups.
				if about != "memory limit" && about != "cpu limit" || os.Getuid() == 0 && user == 0 {
					t.Errorf("%s succeeded, against %s", attack, about)
				}
			}
		})
	}
}

func TestTheDoctorEndsWithSevenWhereNamespacesAreForbidden(t *testing.T) {
	t.Parallel()
	p := newPatient(t, 0)
	p.forbid = "/proc/sys/user/max_user_namespaces"
	p.attributes.Cloneflags = syscall.CLONE_NEWUSER
	p.attributes.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	p.attributes.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	d := p.examined(7)
	if d.Holds || succeeded(d)["find a way to other machines"] != "network namespace" {
		t.Errorf("%+v", d)
	}
	for _, c := range d.Checks {
		if strings.HasSuffix(c.Name, " namespace") && (c.Enforced || !c.Required || !strings.Contains(c.Hint, "user.max_user_namespaces")) {
			t.Errorf("%+v", c)
		}
	}
}

// attacking starts a doctor and returns once its instance attacks.
func (p *patient) attacking() *exec.Cmd {
	p.Helper()
	command := p.doctor()
	if err := command.Start(); err != nil {
		p.Fatal(err)
	}
	eventually(p, 30*time.Second, "an instance that attacks", func() bool {
		logs, _ := filepath.Glob(filepath.Join(p.temp, "*/run/instances/doctor-instance/log/current"))
		for _, log := range logs {
			if text, _ := os.ReadFile(log); bytes.Contains(text, []byte(`"attack"`)) {
				return true
			}
		}
		return false
	})
	return command
}

func TestADoctorThatIsInterruptedLeavesNothing(t *testing.T) {
	t.Parallel()
	p := newPatient(t, 0)
	command := p.attacking()
	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait() // its status says how it ended
	if code := command.ProcessState.ExitCode(); code != 130 {
		t.Errorf("it ended with %d", code)
	}
	p.clean(command.Process.Pid)
}

func TestTheNextDoctorRemovesWhatAKilledOneLeft(t *testing.T) {
	t.Parallel()
	p := newPatient(t, 0)
	command := p.attacking()
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait() // it was killed
	if entries, _ := os.ReadDir(p.temp); len(entries) == 0 {
		t.Error("it left nothing, so nothing is shown")
	}
	p.examined(0)
}

func TestTheDoctorSaysWhatToDoWithoutADirectoryForTemporaryFiles(t *testing.T) {
	t.Parallel()
	p := newPatient(t, 0)
	p.temp = filepath.Join(p.temp, "nowhere")
	var said strings.Builder
	command := p.doctor()
	command.Stderr = &said
	if out, err := command.Output(); command.ProcessState.ExitCode() != 1 || len(out) > 0 {
		t.Errorf("it says %q, %v", out, err)
	}
	for _, word := range []string{p.temp, "set TMPDIR to a directory"} {
		if !strings.Contains(said.String(), word) {
			t.Errorf("%q is not in: %s", word, &said)
		}
	}
}
