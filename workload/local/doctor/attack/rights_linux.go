package attack

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead/workload"
)

// rightAttacks try to gain rights, and to leave secrets where others find them.
func rightAttacks() []Attack {
	rights := []string{workload.UserNamespace, workload.NoCapabilities}
	devices := []string{workload.UserNamespace, workload.Landlock, workload.NoCapabilities}
	return []Attack{
		{Name: "raise its own priority", Against: rights, Plain: rights[1:], Modes: true, try: raisePriority},
		{Name: "make a device", Against: devices, Plain: devices[1:], Changes: true, try: makeDevice},
		{Name: "run a program that sets its group", Against: []string{workload.NoNewPrivileges, workload.MountNamespace}, In: []string{Instance, Gate}, try: runSetGroup},
		{Name: "keep or take a capability", Against: []string{workload.NoCapabilities}, try: capabilities},
		{Name: "become another user", Against: []string{workload.NoCapabilities}, Modes: true, try: becomeAnother},
		{Name: "raise the limit of dumps and crash", Against: []string{workload.NoCoreDumps, workload.Seccomp}, Changes: true, try: crash},
		{Name: "lower the limit of dumps to 0", Against: []string{workload.Seccomp}, try: lowerCore},
		{Name: "find its secret in swappable memory", Against: []string{workload.SecretsInMemory}, In: []string{Instance}, try: secretOnDisk},
	}
}

func makeDevice(*scene) result {
	return scratch(func(dir string) result {
		return refused(unix.Mknod(filepath.Join(dir, "zero"), unix.S_IFCHR|0o600, 1<<8|5), "it was made")
	})
}

func raisePriority(*scene) result {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NICE, &limit); err != nil || limit.Cur > 20 {
		return untried("the machine lets its users do so")
	}
	now, err := unix.Getpriority(unix.PRIO_PROCESS, 0) // 20 less the nice value: getpriority(2)
	if err != nil {
		return untried("its priority is not known: " + err.Error())
	}
	return refused(unix.Setpriority(unix.PRIO_PROCESS, 0, 20-now-1), "it was raised")
}

func runSetGroup(s *scene) result {
	path := filepath.Join(artifact(), SetGroupFile)
	if _, err := os.Stat(path); err != nil {
		return untried("only root can plant one")
	}
	child := exec.Command(path, s.child(modeIDs)...)
	output, err := child.Output()
	if err != nil {
		return refused(err, "")
	}
	var real, effective int
	if _, err := fmt.Sscan(string(output), &real, &effective); err != nil {
		return untried(strings.TrimSpace(string(output)))
	}
	if real == effective {
		return stopped("its group stayed")
	}
	return succeeded(fmt.Sprintf("it got group %d", effective))
}

// capabilities looks at every set, and then asks for all.
func capabilities(s *scene) result {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return untried(reason(err))
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
		bounding := name == "CapBnd" && s.plain // only who has rights can give these up
		if strings.HasPrefix(name, "Cap") && strings.Trim(value, "0") != "" && !bounding {
			return succeeded(name + " is " + value)
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	all := [2]unix.CapUserData{{Effective: 1 << unix.CAP_NET_BIND_SERVICE, Permitted: 1 << unix.CAP_NET_BIND_SERVICE}}
	return refused(unix.Capset(&header, &all[0]), "it has one")
}

// becomeAnother changes the user of a thread of its own, which ends after.
func becomeAnother(*scene) result {
	got := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		for _, id := range []uintptr{0, 1, 1000, 65534} {
			if int(id) == os.Getuid() {
				continue
			}
			if _, _, errno := syscall.RawSyscall(unix.SYS_SETUID, id, 0, 0); errno == 0 {
				got <- succeeded(fmt.Sprintf("it became user %d", id))
				return
			}
		}
		got <- stopped(unix.EPERM.Error())
	}()
	return <-got
}

// mostDump is what is asked for: enough for a dump, too little to matter.
const mostDump = 64 << 10

// crash raises the limit of core dumps and has a child die of SIGABRT. The kernel
// says of a child whether it was dumped, wherever to.
func crash(s *scene) result {
	return scratch(func(dir string) result {
		var before unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_CORE, &before); err != nil {
			return untried(reason(err))
		}
		_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: min(mostDump, before.Max), Max: before.Max})
		child := command(s.child(modeAbort))
		child.Dir, child.Env = dir, []string{}
		_ = child.Run() // it dies, and its status tells of what
		_ = unix.Setrlimit(unix.RLIMIT_CORE, &before)
		state, ok := child.ProcessState.Sys().(syscall.WaitStatus)
		switch {
		case !ok || !state.Signaled():
			return untried("it did not crash: " + child.ProcessState.String())
		case state.CoreDump():
			return succeeded("it was dumped")
		}
		return stopped("it was not dumped")
	})
}

// lowerCore asks for a limit that the kernel ignores where dumps go to a program.
func lowerCore(*scene) result {
	var before, after unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_CORE, &before)
	if err != nil || before.Cur == 0 {
		return untried("the limit is 0 already")
	}
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 0, Max: before.Max})
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &after); err != nil {
		return untried(reason(err))
	}
	if after.Cur == 0 {
		_ = unix.Setrlimit(unix.RLIMIT_CORE, &before)
		return succeeded("the limit is 0")
	}
	return stopped(fmt.Sprintf("it stays %d", after.Cur))
}

func secretOnDisk(s *scene) result {
	const ramfs = 0x858458f6
	path := filepath.Join(os.Getenv("FAIRLEAD_SECRETS"), s.Secret)
	if _, err := os.ReadFile(path); err != nil {
		return untried("it has none: " + reason(err))
	}
	var stat unix.Statfs_t
	if err := unix.Statfs(path, &stat); err != nil {
		return untried(reason(err))
	}
	if uint32(stat.Type) != ramfs {
		return succeeded(fmt.Sprintf("it is on a file system of type %#x", stat.Type))
	}
	return stopped("it is on a ramfs")
}
