package doctor

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/local/doctor/attack"
)

// patience is how long one sandbox may be attacked.
const patience = 60 * time.Second

// What each sandbox is limited to. Their attacks ask for a little more.
const (
	memoryLimit = 192 << 20
	milliCPU    = 1000
)

// Resources are those that every sandbox is started with.
func Resources() fairlead.Resources {
	return fairlead.Resources{CPU: "1", Memory: fmt.Sprintf("%dMi", memoryLimit>>20)}
}

// secretName is the name of a secret of each instance.
const secretName = "canary"

// Job plants what a job of a kind, attack.Gate or attack.Build, is to attack, and
// returns it. It tries only the attacks called so, or all if none is named.
func (s *Stage) Job(kind string, only ...string) (workload.Job, error) {
	s.order.Only = only
	id := "doctor-" + kind
	variables := []string{"PATH", "HOME", "TMPDIR", "LANG"}
	if err := s.prepare(kind, "job/"+id, variables); err != nil {
		return workload.Job{}, err
	}
	return workload.Job{
		ID: id, Dir: filepath.Join(s.dir, kind), Writable: kind == attack.Build,
		Command: append([]string{"./" + programFile}, attack.RunArguments(s.order.Nonce)...),
		Timeout: patience, Resources: Resources(), Sandbox: fairlead.SandboxPreferred,
	}, nil
}

// instance plants what the instance is to attack, and returns it.
func (s *Stage) instance() (workload.Spec, error) {
	spec := s.spec(attack.Instance, attack.RunArguments(s.order.Nonce))
	variables := []string{"PATH", "HOME", "TMPDIR", "LANG", "PORT", "FAIRLEAD_APP", "FAIRLEAD_ENV", "FAIRLEAD_RELEASE", "FAIRLEAD_INSTANCE", "FAIRLEAD_SECRETS"}
	return spec, s.prepare(attack.Instance, spec.Site.String(), variables)
}

// neighbour returns the other instance.
func (s *Stage) neighbour() workload.Spec {
	return s.spec(neighbourFolder, attack.WaitArguments(s.order.Nonce))
}

func (s *Stage) spec(folder string, arguments []string) workload.Spec {
	id := "doctor-" + folder
	return workload.Spec{
		ID: id, Site: fairlead.Site{App: "doctor", Env: folder}, Release: 1, Digest: fairlead.DigestOf([]byte(id)),
		Dir: filepath.Join(s.dir, folder), Command: append([]string{"./" + programFile}, arguments...), Port: 8080,
		Readiness: fairlead.Check{Path: "/", Deadline: fairlead.Duration(2 * patience)},
		Resources: Resources(), Sandbox: fairlead.SandboxPreferred,
	}
}

// prepare lays the attacker, its order and what it is to find into its artifact,
// and starts a decoy of its user.
func (s *Stage) prepare(kind, tenant string, variables []string) error {
	dir := filepath.Join(s.dir, kind)
	first := filepath.Join(s.dir, outsideFolder, programFile)
	program := os.Link
	if kind == attack.Build { // its files belong to the build's user while it runs
		program = func(from, to string) error { return copyFile(from, to, 0o755) }
	}
	if err := errors.Join(
		program(first, filepath.Join(dir, programFile)),
		plant(filepath.Join(dir, attack.OwnFile), 0o666),
		os.Symlink(filepath.Join(s.order.State, attack.StateFile), filepath.Join(dir, attack.LinkFile))); err != nil {
		return err
	}
	if os.Getuid() == 0 && kind != attack.Build {
		if err := copyFile(first, filepath.Join(dir, attack.SetGroupFile), 0o755|os.ModeSetgid); err != nil {
			return err
		}
	}
	order := s.order
	order.Sandbox, order.Variables, order.Secret = kind, variables, secretName
	order.Shim = filepath.Join(s.Run(), "instances", "doctor-"+neighbourFolder, "shim.sock")
	order.MemoryLimit, order.MilliCPU = memoryLimit, milliCPU
	order.MostProcesses, order.MostFiles, order.TempSize = workload.MostProcesses, workload.MostFiles, workload.TempSize
	if kind == attack.Build {
		order.TempSize = workload.BuildTempSize
	}
	var err error
	if order.Decoy, order.Address, err = s.decoy(tenant); err != nil {
		return fairlead.Errorf(fairlead.Internal, "", "plant a process: %w", err).
			WithHint("programs must be allowed to run where temporary files are: set TMPDIR to another directory")
	}
	return s.writeOrder(kind, order)
}

// decoy starts a process outside, of the user that a sandbox of tenant has there,
// and returns its pid and where its canary is.
func (s *Stage) decoy(tenant string) (pid int, address uintptr, err error) {
	if os.Getuid() == 0 {
		user := uint32(workload.TenantUser(tenant))
		pid, address, err = s.startDecoy(&syscall.Credential{Uid: user, Gid: user})
		if err == nil {
			return pid, address, nil
		}
	}
	return s.startDecoy(nil) // that user may not get at the program where TMPDIR is closed to others
}

func (s *Stage) startDecoy(as *syscall.Credential) (pid int, address uintptr, err error) {
	command := exec.Command(filepath.Join(s.dir, outsideFolder, programFile), attack.DecoyArguments(s.order.Nonce)...)
	command.Dir, command.Env = "/", []string{}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	in, err := command.StdinPipe()
	if err != nil {
		return 0, 0, err
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return 0, 0, errors.Join(err, in.Close())
	}
	if err := command.Start(); err != nil {
		return 0, 0, err
	}
	end := func() error { return errors.Join(in.Close(), command.Wait()) }
	if _, err := fmt.Fscan(out, &pid, &address); err != nil {
		return 0, 0, errors.Join(err, end())
	}
	s.later(end)
	return pid, address, nil
}
