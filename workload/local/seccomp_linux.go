package local

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// deniedCalls are answered with EPERM whatever their arguments: they change what
// the sandbox is made of, look into other processes, or reach parts of the kernel
// that no application needs and that are hard to keep free of faults.
func deniedCalls() []uint32 {
	return append([]uint32{
		unix.SYS_SETNS, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT,
		unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT, unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR, unix.SYS_OPEN_TREE_ATTR,
		unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_NAME_TO_HANDLE_AT,
		unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE, unix.SYS_KCMP, unix.SYS_PIDFD_GETFD,
		unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
		unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
		unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY,
		unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD,
		unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT, unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD, unix.SYS_SYSLOG,
		unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX,
		unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME, unix.SYS_VHANGUP, unix.SYS_LOOKUP_DCOOKIE, unix.SYS_NFSSERVCTL,
		unix.SYS_FANOTIFY_INIT, unix.SYS_MOVE_PAGES, unix.SYS_MIGRATE_PAGES,
	}, archDeniedCalls()...)
}

// namespaceFlags are the clone flags that make namespaces; the time namespace's
// shares its bit with clone's exit signal and can only be meant in unshare.
const (
	namespaceFlags = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET
	unshareFlags   = namespaceFlags | unix.CLONE_NEWTIME
)

// Offsets in struct seccomp_data, of the low words on little-endian machines.
const (
	offsetCall = 0
	offsetArch = 4
	offsetArgs = 16
)

// Answers of the filter.
const (
	allow   = unix.SECCOMP_RET_ALLOW
	deny    = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	unknown = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	done    = unix.SECCOMP_RET_ERRNO // with errno 0: nothing is done, and the caller hears that it was
	kill    = unix.SECCOMP_RET_KILL_PROCESS
)

func load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

func argument(i uint32) unix.SockFilter { return load(offsetArgs + 8*i) }

func upperHalf(i uint32) unix.SockFilter { return load(offsetArgs + 8*i + 4) }

func answer(action uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
}

// jump compares the loaded word with k and skips instructions.
func jump(how uint16, k uint32, ifTrue, ifFalse uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | how, Jt: ifTrue, Jf: ifFalse, K: k}
}

// only makes body, which must end in answers, apply to one call.
func only(call uint32, body ...unix.SockFilter) []unix.SockFilter {
	return append([]unix.SockFilter{jump(unix.BPF_JEQ, call, 0, uint8(len(body)))}, body...)
}

// syscallFilter is the whole filter: allow by default, with a deny list. Programs
// of another architecture, whose numbers differ, are killed.
func syscallFilter() []unix.SockFilter {
	program := []unix.SockFilter{
		load(offsetArch), jump(unix.BPF_JEQ, auditArch, 1, 0), answer(kill),
		load(offsetCall),
	}
	if firstForeignCall != 0 {
		program = append(program, jump(unix.BPF_JGE, firstForeignCall, 0, 1), answer(unknown))
	}
	for _, call := range deniedCalls() {
		program = append(program, only(call, answer(deny))...)
	}
	// clone3 passes its flags in memory, which a filter cannot read: callers fall
	// back to clone, whose flags it can.
	program = append(program, only(unix.SYS_CLONE3, answer(unknown))...)
	program = append(program, only(unix.SYS_CLONE, argument(0), jump(unix.BPF_JSET, namespaceFlags, 0, 1), answer(deny), answer(allow))...)
	program = append(program, only(unix.SYS_UNSHARE, argument(0), jump(unix.BPF_JSET, unshareFlags, 0, 1), answer(deny), answer(allow))...)
	program = append(program, only(unix.SYS_PERSONALITY, argument(0),
		jump(unix.BPF_JEQ, 0, 2, 0), jump(unix.BPF_JEQ, 0xffffffff, 1, 0), answer(deny), answer(allow))...)
	// A program may lower its own limit of core dumps to 0, which would let them out
	// to the machine's handler of dumps: see mostCore. It is told that it was done.
	program = append(program, only(unix.SYS_SETRLIMIT, argument(0), jump(unix.BPF_JEQ, unix.RLIMIT_CORE, 0, 1), answer(done), answer(allow))...)
	program = append(program, only(unix.SYS_PRLIMIT64, argument(1), jump(unix.BPF_JEQ, unix.RLIMIT_CORE, 0, 4),
		argument(2), jump(unix.BPF_JEQ, 0, 0, 3), upperHalf(2), jump(unix.BPF_JEQ, 0, 0, 1), answer(allow), answer(done))...)
	program = append(program, only(unix.SYS_IOCTL, argument(1),
		jump(unix.BPF_JEQ, unix.TIOCSTI, 1, 0), jump(unix.BPF_JEQ, unix.TIOCLINUX, 0, 1), answer(deny), answer(allow))...)
	program = append(program, only(unix.SYS_SOCKET, socketRules()...)...)
	return append(program, answer(allow))
}

// socketRules answer socket(2). Of the Internet's families only the protocols that
// applications speak are allowed: for others, such as SCTP, the kernel loads modules
// that hardly anybody needs.
func socketRules() []unix.SockFilter {
	const typeBits = 0xf // the rest of the type are flags
	rules := []unix.SockFilter{
		argument(0),
		jump(unix.BPF_JEQ, unix.AF_UNIX, 0, 1), answer(allow),
		jump(unix.BPF_JEQ, unix.AF_NETLINK, 0, 4),
		argument(2), jump(unix.BPF_JEQ, unix.NETLINK_ROUTE, 0, 1), answer(allow), answer(deny),
		jump(unix.BPF_JEQ, unix.AF_INET, 2, 0), jump(unix.BPF_JEQ, unix.AF_INET6, 1, 0), answer(deny),
		argument(1), {Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: typeBits},
		jump(unix.BPF_JEQ, unix.SOCK_STREAM, 2, 0), jump(unix.BPF_JEQ, unix.SOCK_DGRAM, 1, 0), answer(deny),
		argument(2),
	}
	for _, protocol := range []uint32{0, unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6, unix.IPPROTO_MPTCP} {
		rules = append(rules, jump(unix.BPF_JEQ, protocol, 0, 1), answer(allow))
	}
	return append(rules, answer(deny))
}

// filterSyscalls puts the calling thread, which must have no_new_privs, under the
// filter, and looks whether it is.
func filterSyscalls() error {
	program := syscallFilter()
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if _, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog))); errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	if mode, err := unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0); mode != unix.SECCOMP_MODE_FILTER {
		return fmt.Errorf("the filter is not in force: mode %d %w", mode, err)
	}
	return nil
}
