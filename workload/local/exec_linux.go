package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/shim"
)

// execStream is the descriptor on which a shim-exec is told what to become, and
// reports.
const execStream = 3

// execMain takes every right from its own thread and becomes the app. The kernel
// keeps credentials, workload.Landlock domains and seccomp filters by thread, and execve
// keeps those of the thread that calls it, so all of it happens on one thread.
func execMain() error {
	runtime.LockOSThread()
	stream := os.NewFile(execStream, "stream")
	unix.CloseOnExec(execStream)
	var s setup
	if err := json.NewDecoder(stream).Decode(&s); err != nil {
		return fmt.Errorf("read setup: %w", err)
	}
	report := json.NewEncoder(stream)
	protections, err := confine(s)
	if err != nil {
		return report.Encode(shim.Event{Error: "start: " + err.Error()})
	}
	lacking := slices.DeleteFunc(slices.Clone(protections), func(p workload.Protection) bool {
		return p.Enforced || !slices.Contains(s.Required, p.Name)
	})
	if len(lacking) > 0 {
		return report.Encode(shim.Event{Kind: shim.Refused, Error: lackingText(lacking), Protections: protections})
	}
	if err := report.Encode(shim.Event{Protections: protections}); err != nil {
		return err
	}
	err = become(s.Command, s.Env)
	return report.Encode(shim.Event{Error: err.Error()})
}

// lackingText says which protections are missing, and why.
func lackingText(lacking []workload.Protection) string {
	texts := make([]string, len(lacking))
	for i, p := range lacking {
		texts[i] = p.Name + " (" + p.Detail + ")"
	}
	return "the sandbox that is required cannot be had: " + strings.Join(texts, ", ")
}

// confine puts this thread under every restriction and returns which took hold.
// An error means that the app cannot run at all.
func confine(s setup) ([]workload.Protection, error) {
	for i := range s.Cgroups {
		if _, err := unix.Write(execStream+1+i, []byte("0")); err != nil {
			return nil, fmt.Errorf("enter the cgroup: %w", err)
		}
	}
	dir := s.Dir
	if s.Namespaces && !s.leavesOut(workload.MountNamespace) {
		dir = appDir
	}
	if err := os.Chdir(dir); err != nil {
		return nil, err
	}
	unix.Umask(0o022)
	var protections []workload.Protection
	take := func(name, detail string, restrict func() error) {
		if s.leavesOut(name) {
			protections = append(protections, workload.Protection{Name: name, Detail: leftOut})
			return
		}
		protections = append(protections, outcome(name, detail, restrict()))
	}
	take(workload.CleanStart, "no descriptor or variable of the shim", func() error {
		return unix.CloseRange(execStream, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC)
	})
	take(workload.NoCoreDumps, "RLIMIT_CORE 1", func() error { return setLimit(unix.RLIMIT_CORE, mostCore) })
	take(workload.FileLimit, fmt.Sprintf("RLIMIT_NOFILE %d", mostFiles()), limitFiles)
	if s.Processes > 0 {
		take(workload.ProcessLimit, fmt.Sprintf("RLIMIT_NPROC %d", s.Processes), func() error { return setLimit(unix.RLIMIT_NPROC, uint64(s.Processes)) })
	}
	if err := dropRights(s, take); err != nil {
		return nil, err
	}
	if !s.Namespaces { // a pid namespace ends with its init; plain processes need this
		if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
			return nil, fmt.Errorf("prctl parent death signal: %w", err)
		}
	}
	take(workload.NoNewPrivileges, "", func() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })
	detail, err := "", error(nil)
	if !s.leavesOut(workload.Landlock) {
		detail, err = restrictFiles(s, dir)
	}
	take(workload.Landlock, detail, func() error { return err })
	take(workload.Seccomp, "deny list", filterSyscalls)
	return protections, nil
}

// dropRights makes this thread the app's user, without capabilities.
func dropRights(s setup, take func(name, detail string, restrict func() error)) error {
	var bounding error
	if !s.leavesOut(workload.NoCapabilities) {
		bounding = dropBounding()
	}
	if err := changeUser(s.UID, s.Namespaces); err != nil {
		return err
	}
	take(workload.NoCapabilities, "none", func() error { return errors.Join(bounding, dropCapabilities()) })
	return nil
}

// mostCore is the limit of core dumps in bytes. Where the machine hands dumps to a
// program (core_pattern begins with |) the kernel ignores a limit of 0 and honours
// only 1, see core(5); no dump of any kind fits into it.
const mostCore = 1

// mostFiles is how many files a process may open here: the machine may allow less
// than workload.MostFiles.
func mostFiles() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return workload.MostFiles
	}
	return min(limit.Max, workload.MostFiles)
}

// limitFiles lowers the limit of open files; it never raises one.
func limitFiles() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Max = min(limit.Max, workload.MostFiles)
	limit.Cur = min(limit.Cur, limit.Max)
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
}

// outcome is a protection that holds unless err says otherwise.
func outcome(name, detail string, err error) workload.Protection {
	if err != nil {
		return workload.Protection{Name: name, Detail: err.Error()}
	}
	return workload.Protection{Name: name, Enforced: true, Detail: detail}
}

func setLimit(resource int, most uint64) error {
	return unix.Setrlimit(resource, &unix.Rlimit{Cur: most, Max: most})
}

// dropBounding empties the capability bounding set, while there is still the
// right to, and sees to it that user id 0 gains nothing by execve.
func dropBounding() error {
	const noRoot = 0b1111 // SECBIT_NOROOT and SECBIT_NO_SETUID_FIXUP, both locked
	for capability := uintptr(0); capability <= 63; capability++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			break // the kernel has no more
		}
		held, _ := unix.PrctlRetInt(unix.PR_CAPBSET_READ, capability, 0, 0, 0)
		if err != nil && held == 1 && os.Geteuid() == 0 {
			return fmt.Errorf("drop capability %d: %w", capability, err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, noRoot, 0, 0, 0); err != nil && os.Geteuid() == 0 {
		return fmt.Errorf("set securebits: %w", err)
	}
	return nil
}

// changeUser makes this thread's user and group uid, by system calls of its own:
// those of package syscall change every thread. Where uid 0 is only a name for the
// user who started the shim there is nothing to change to.
func changeUser(uid int, namespaces bool) error {
	if uid == 0 || !namespaces {
		return nil
	}
	id := uintptr(uid)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); errno != 0 {
		return fmt.Errorf("setgroups: %w", errno)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, id, id, id); errno != 0 {
		return fmt.Errorf("setresgid: %w", errno)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, id, id, id); errno != 0 {
		return fmt.Errorf("setresuid: %w", errno)
	}
	return nil
}

// dropCapabilities gives up the rest of the capabilities and looks whether they
// are gone.
func dropCapabilities() error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("clear ambient capabilities: %w", err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none, left [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return fmt.Errorf("capset: %w", err)
	}
	if err := unix.Capget(&header, &left[0]); err != nil || left != none {
		return fmt.Errorf("capabilities are left: %+v %w", left, err)
	}
	return nil
}

// become replaces this process by command, which is looked up as the contract
// says. It returns only when that fails.
func become(command, env []string) error {
	name := command[0]
	candidates := []string{filepath.Clean(name)}
	switch {
	case !strings.Contains(name, "/"):
		candidates = nil
		for _, dir := range strings.Split(pathOf(env), ":") {
			candidates = append(candidates, filepath.Join(dir, name))
		}
	case !filepath.IsAbs(name):
		candidates[0] = "./" + candidates[0]
	}
	last := error(unix.ENOENT)
	for _, path := range candidates {
		err := syscall.Exec(path, command, env)
		if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR) {
			last = err
		}
	}
	return fmt.Errorf("start %s: %w", name, last)
}

func pathOf(env []string) string {
	for _, variable := range slices.Backward(env) {
		if path, ok := strings.CutPrefix(variable, "PATH="); ok {
			return path
		}
	}
	return "/usr/bin:/bin"
}
