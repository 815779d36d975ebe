package attack

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead/workload"
)

// callAttacks make the system calls that the filter denies. Where a call can really
// succeed without harm it is made so that it would.
func callAttacks() []Attack {
	filter := []string{workload.Seccomp}
	return []Attack{
		{Name: "make a user namespace", Against: filter, try: makeUserNamespace},
		{Name: "mount inside a user namespace", Against: []string{workload.Seccomp, workload.Landlock}, Changes: true, try: mountInside},
		{Name: "mount, unmount, pivot_root, chroot", Against: filter, Changes: true, try: func(*scene) result { return calls(mountCalls()) }},
		{Name: "open a file by its handle", Against: filter, try: fileHandle},
		{Name: "open a userfaultfd or an io_uring", Against: filter, try: newInterfaces},
		{Name: "load a BPF program, count events", Against: filter, try: func(*scene) result { return calls(observerCalls()) }},
		{Name: "use the kernel's keys", Against: filter, try: func(*scene) result { return calls(keyCalls()) }},
		{Name: "open raw, packet, SCTP, vsock sockets", Against: filter, try: func(*scene) result { return calls(socketCalls()) }},
		{Name: "type into a terminal (TIOCSTI)", Against: filter, try: func(*scene) result { return calls(terminalCalls()) }},
		{Name: "turn off address randomisation", Against: filter, try: personality},
		{Name: "run a program of 32 bits", Against: filter, try: runForeign},
		{Name: "look into processes by other calls", Against: filter, try: func(*scene) result { return calls(lookCalls()) }},
		{Name: "load modules, swap, reboot, set clocks", Against: []string{workload.Seccomp, workload.NoCapabilities}, Modes: true, Changes: true,
			try: func(*scene) result { return calls(adminCalls()) }},
	}
}

// pinned copies data to memory that stays where it is, and returns where.
func pinned(data []byte) uintptr {
	memory, err := unix.Mmap(-1, 0, len(data), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return 0
	}
	copy(memory, data)
	return uintptr(unsafe.Pointer(&memory[0]))
}

// text returns a C string for a system call.
func text(s string) uintptr { return pinned(append([]byte(s), 0)) }

// mountCalls name places that do not exist.
func mountCalls() []call {
	nowhere := text("/nowhere")
	return []call{
		{"mount", []uintptr{unix.SYS_MOUNT, text("none"), nowhere, text("tmpfs"), 0, 0}},
		{"umount2", []uintptr{unix.SYS_UMOUNT2, nowhere, 0}},
		{"pivot_root", []uintptr{unix.SYS_PIVOT_ROOT, nowhere, nowhere}},
		{"chroot", []uintptr{unix.SYS_CHROOT, nowhere}},
		{"fsopen", []uintptr{unix.SYS_FSOPEN, text("nofs"), 0}},
		{"open_tree", []uintptr{unix.SYS_OPEN_TREE, ^uintptr(99), nowhere, 0}},
		{"move_mount", []uintptr{unix.SYS_MOVE_MOUNT, ^uintptr(99), nowhere, ^uintptr(99), nowhere, 0}},
		{"mount_setattr", []uintptr{unix.SYS_MOUNT_SETATTR, ^uintptr(99), nowhere, 0, 0, 0}},
		{"open_tree_attr", []uintptr{unix.SYS_OPEN_TREE_ATTR, ^uintptr(99), nowhere, 0, 0, 0}},
		{"setns", []uintptr{unix.SYS_SETNS, ^uintptr(0), 0}},
	}
}

// observerCalls are such that the kernel refuses them as invalid.
func observerCalls() []call {
	return []call{
		{"bpf", []uintptr{unix.SYS_BPF, ^uintptr(0), 0, 0}},
		{"perf_event_open", []uintptr{unix.SYS_PERF_EVENT_OPEN, 0, 0, 0, 0, 0}},
		{"fanotify_init", []uintptr{unix.SYS_FANOTIFY_INIT, ^uintptr(0), 0}},
		{"syslog", []uintptr{unix.SYS_SYSLOG, 10 /* SYSLOG_ACTION_SIZE_BUFFER */, 0, 0}},
	}
}

func keyCalls() []call {
	return []call{
		{"keyctl", []uintptr{unix.SYS_KEYCTL, 0 /* KEYCTL_GET_KEYRING_ID */, 0, 0}},
		{"request_key", []uintptr{unix.SYS_REQUEST_KEY}},
		{"add_key", []uintptr{unix.SYS_ADD_KEY}},
	}
}

// terminalCalls are about standard input, which is no terminal.
func terminalCalls() []call {
	return []call{
		{"TIOCSTI", []uintptr{unix.SYS_IOCTL, 0, unix.TIOCSTI, text("x")}},
		{"TIOCLINUX", []uintptr{unix.SYS_IOCTL, 0, unix.TIOCLINUX, text("\x00")}},
	}
}

func socketCalls() []call {
	const alg, dccp = 38, 6
	return []call{
		{"AF_ALG", []uintptr{unix.SYS_SOCKET, alg, unix.SOCK_SEQPACKET | unix.SOCK_CLOEXEC, 0}},
		{"AF_VSOCK", []uintptr{unix.SYS_SOCKET, unix.AF_VSOCK, unix.SOCK_STREAM | unix.SOCK_CLOEXEC, 0}},
		{"AF_PACKET", []uintptr{unix.SYS_SOCKET, unix.AF_PACKET, unix.SOCK_RAW | unix.SOCK_CLOEXEC, 0}},
		{"SCTP", []uintptr{unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM | unix.SOCK_CLOEXEC, unix.IPPROTO_SCTP}},
		{"DCCP", []uintptr{unix.SYS_SOCKET, unix.AF_INET6, dccp | unix.SOCK_CLOEXEC, 0}},
		{"raw", []uintptr{unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_RAW | unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP}},
		{"netlink audit", []uintptr{unix.SYS_SOCKET, unix.AF_NETLINK, unix.SOCK_RAW | unix.SOCK_CLOEXEC, unix.NETLINK_AUDIT}},
	}
}

func lookCalls() []call {
	self := uintptr(os.Getpid())
	return []call{
		{"kcmp", []uintptr{unix.SYS_KCMP, self, self, 0 /* KCMP_FILE */, 0, 0}},
		{"pidfd_getfd", []uintptr{unix.SYS_PIDFD_GETFD, ^uintptr(0), 0, 0}},
		{"process_madvise", []uintptr{unix.SYS_PROCESS_MADVISE, ^uintptr(0), 0, 0, 0, 0}},
		{"move_pages", []uintptr{unix.SYS_MOVE_PAGES, 0, 0, 0, 0, 0, ^uintptr(0)}},
	}
}

// adminCalls have arguments that the kernel refuses from root too.
func adminCalls() []call {
	return []call{
		{"init_module", []uintptr{unix.SYS_INIT_MODULE, 0, 0, 0}},
		{"delete_module", []uintptr{unix.SYS_DELETE_MODULE, 0, 0}},
		{"kexec_load", []uintptr{unix.SYS_KEXEC_LOAD, 0, ^uintptr(0), 0, ^uintptr(0)}},
		{"reboot", []uintptr{unix.SYS_REBOOT, 0, 0, 0, 0}},
		{"swapon", []uintptr{unix.SYS_SWAPON, text("/nowhere"), ^uintptr(0)}},
		{"acct", []uintptr{unix.SYS_ACCT, text("/nowhere")}},
		{"clock_settime", []uintptr{unix.SYS_CLOCK_SETTIME, ^uintptr(0), 0}},
		{"sethostname", []uintptr{unix.SYS_SETHOSTNAME, 0, ^uintptr(0)}},
	}
}

// makeUserNamespace starts a child in a user namespace of its own, in both ways.
func makeUserNamespace(s *scene) result {
	ways := map[string]*syscall.SysProcAttr{"clone": {Cloneflags: unix.CLONE_NEWUSER}, "unshare": {Unshareflags: unix.CLONE_NEWUSER}}
	return each([]string{"clone", "unshare"}, func(way string) result {
		child := command(s.child(modeIDs))
		child.SysProcAttr = ways[way]
		return refused(child.Run(), "it made one")
	})
}

// mountInside has a child mount something in namespaces of its own.
func mountInside(s *scene) result {
	own, err := Own()
	if err != nil {
		return untried(reason(err))
	}
	return scratch(func(string) result {
		child := command(s.child(modeMount, own.Mount))
		// No ids are mapped, for a root without rights may not map its own; so the right
		// to mount must be carried over the exec.
		child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS, AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN}}
		output, err := child.Output()
		if _, ran := err.(*exec.ExitError); ran {
			return stopped(strings.TrimSpace(string(output)))
		}
		return refused(err, "it made a mount")
	})
}

// mountAlone mounts an empty directory of its own over itself. It does so only in a
// mount namespace that is neither the machine's nor its parent's, and that hands no
// mounts on.
func mountAlone(parents string, machine Namespaces) error {
	own, err := Own()
	if err != nil {
		return err
	}
	if why := outside(machine); why != "" || parents == "" || own.Mount == parents {
		return fmt.Errorf("not mounting: it has no mount namespace of its own %s", why)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "attack-")
	if err != nil {
		return err
	}
	defer os.Remove(dir)
	if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	return unix.Unmount(dir, unix.MNT_DETACH)
}

func fileHandle(*scene) result {
	_, _, err := unix.NameToHandleAt(unix.AT_FDCWD, artifact(), 0)
	return refused(err, "it got a handle")
}

// newInterfaces opens what has brought many faults of the kernel.
func newInterfaces(*scene) result {
	parameters := make([]byte, 256) // struct io_uring_params, zero
	attempts := []call{
		{"userfaultfd", []uintptr{unix.SYS_USERFAULTFD, unix.O_CLOEXEC | 1 /* UFFD_USER_MODE_ONLY */}},
		{"io_uring", []uintptr{unix.SYS_IO_URING_SETUP, 1, pinned(parameters)}},
	}
	for _, a := range attempts {
		fd, _, errno := syscall.Syscall(a.args[0], a.args[1], append(a.args, 0)[2], 0)
		if errno == 0 {
			unix.Close(int(fd))
			return succeeded(a.name + " was opened")
		}
		if errno != unix.EPERM && errno != unix.ENOSYS {
			return succeeded(a.name + " reached the kernel: " + errno.Error())
		}
	}
	return stopped(unix.EPERM.Error())
}

func personality(*scene) result {
	const current, noRandomize = 0xffffffff, 0x0040000
	before, _, errno := syscall.Syscall(unix.SYS_PERSONALITY, current, 0, 0)
	if errno != 0 {
		return untried(errno.Error())
	}
	_, _, errno = syscall.Syscall(unix.SYS_PERSONALITY, noRandomize, 0, 0)
	if errno != 0 {
		return refused(errno, "")
	}
	syscall.Syscall(unix.SYS_PERSONALITY, before, 0, 0)
	return succeeded("it is off for its children")
}
