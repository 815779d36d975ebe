package attack

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead/workload"
)

// processAttacks try processes of the machine and the first one of the sandbox.
func processAttacks() []Attack {
	outside := []string{workload.PidNamespace, workload.UserNamespace, workload.Landlock, workload.Seccomp}
	places := []string{workload.PidNamespace, workload.UserNamespace, workload.MountNamespace}
	parent := []string{workload.UnreadableInit, workload.NoCapabilities, workload.Landlock, workload.MountNamespace}
	traced := []string{workload.UnreadableInit, workload.NoCapabilities, workload.Landlock, workload.Seccomp}
	plain := []string{workload.Landlock, workload.Seccomp}
	return []Attack{
		{Name: "signal a process outside", Against: []string{workload.PidNamespace, workload.Landlock}, try: func(s *scene) result {
			return refused(unix.Kill(s.Decoy, 0), "it could be signalled")
		}},
		{Name: "trace a process outside", Against: outside, Plain: plain, try: func(s *scene) result { return trace(s, s.Decoy) }},
		{Name: "read the memory of a process outside", Against: outside, Plain: plain, try: readDecoy},
		{Name: "open environ, root, fd of one outside", Against: places, Plain: plain[:1], try: func(s *scene) result {
			return each([]string{"environ", "root", "cwd", "fd"}, func(name string) result { return openProc(s.Decoy, name) })
		}},
		{Name: "open environ, mem, fd of its parent", Against: parent, Plain: []string{workload.UnreadableInit, workload.Landlock}, User: true, try: func(*scene) result {
			return each([]string{"environ", "mem", "fd", "root", "exe"}, func(name string) result { return openProc(parentPid(), name) })
		}},
		{Name: "trace its parent", Against: traced, Plain: plain, User: true, try: func(s *scene) result { return trace(s, os.Getppid()) }},
		{Name: "trace and read a child of its own", Against: []string{workload.Seccomp}, try: traceChild},
		{Name: "inherit a descriptor of the shim", Against: []string{workload.CleanStart}, try: inherited},
		{Name: "inherit a variable of the shim", Against: []string{workload.CleanStart}, try: variables},
	}
}

// canary is what the decoy has in its memory.
var canary = [...]byte{'p', 'l', 'a', 'n', 't', 'e', 'd', ' ', 'm', 'e', 'm', 'o', 'r', 'y'}

func canaryAddress() uintptr { return uintptr(unsafe.Pointer(&canary[0])) }

// readMemory reads the canary of a process at an address.
func readMemory(pid int, address uintptr) result {
	got := make([]byte, len(canary))
	local := []unix.Iovec{{Base: &got[0]}}
	local[0].SetLen(len(got))
	_, err := unix.ProcessVMReadv(pid, local, []unix.RemoteIovec{{Base: address, Len: len(got)}}, 0)
	if err == nil && !bytes.Equal(got, canary[:]) {
		return untried("it read something else")
	}
	return refused(err, "it read the memory")
}

func readDecoy(s *scene) result {
	r := readMemory(s.Decoy, s.Address)
	if r.outcome == "succeeded" {
		return r
	}
	file, err := os.Open(fmt.Sprintf("/proc/%d/mem", s.Decoy))
	if err == nil {
		file.Close()
		return succeeded("/proc/PID/mem was opened")
	}
	return r
}

// openProc opens a file or directory of a process in /proc, and reads nothing.
func openProc(pid int, name string) result {
	return open(fmt.Sprintf("/proc/%d/%s", pid, name))
}

// parentPid is the parent's number in the /proc that is seen here.
func parentPid() int {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "PPid:"); ok {
			pid, _ := strconv.Atoi(strings.TrimSpace(text))
			return pid
		}
	}
	return os.Getppid()
}

// trace has a child seize a process: it lets go by ending, and never stops it.
func trace(s *scene, pid int) result {
	output, err := command(s.child(modeTrace, strconv.Itoa(pid))).Output()
	if err == nil {
		return succeeded("it was seized")
	}
	if text := strings.TrimSpace(string(output)); text != "" {
		return stopped(text)
	}
	return untried(err.Error())
}

// seize attaches to a process, without stopping it.
func seize(pid int) error {
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(pid), 0, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// command runs this program once more, in a mode. Its standard input ends with it
// or, where the caller takes it, as the caller wants.
func command(args []string) *exec.Cmd { return exec.Command("/proc/self/exe", args...) }

func traceChild(s *scene) result {
	hold := command(s.child(modeHold))
	in, err := hold.StdinPipe()
	if err != nil {
		return untried(err.Error())
	}
	if err := hold.Start(); err != nil {
		return untried(reason(err))
	}
	defer hold.Wait()
	defer in.Close()
	if r := trace(s, hold.Process.Pid); r.outcome != "stopped" {
		return r
	}
	return readMemory(os.Getpid(), canaryAddress())
}

// inherited looks for descriptors that are neither standard nor the runtime's own.
func inherited(*scene) result {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return untried(reason(err))
	}
	for _, entry := range entries {
		fd, _ := strconv.Atoi(entry.Name())
		target, err := os.Readlink("/proc/self/fd/" + entry.Name())
		if fd > 2 && err == nil && !strings.HasPrefix(target, "anon_inode:") && !strings.HasPrefix(target, "/proc/") {
			return succeeded("descriptor " + entry.Name() + " is " + target)
		}
	}
	return stopped("there is none")
}

func variables(s *scene) result {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		known := false
		for _, expected := range s.Variables {
			known = known || name == expected
		}
		if !known {
			return succeeded(name + " is there")
		}
	}
	return stopped("there is none")
}
