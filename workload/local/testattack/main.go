//go:build linux

// Command testattack tries to get out of a sandbox in every way that it knows and
// prints, as JSON, what came of each: "" when the attack failed.
//
// Outside a sandbox it refuses to attack anything: as root it would do harm to
// the machine. There it only looks, with "look". And no attack does harm where it
// succeeds against expectation: nothing is written, killed or changed.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// targets are what the test made outside, in a JSON argument.
type targets struct {
	File, Dir, TCP, Abstract, Unix string
}

func main() {
	mode := os.Args[1]
	if why := unconfined(); why != "" && mode != "look" && mode != "orphan" {
		fmt.Fprintln(os.Stderr, "not in a sandbox:", why)
		os.Exit(3)
	}
	switch mode {
	case "attack", "look":
		var t targets
		if err := json.Unmarshal([]byte(os.Args[2]), &t); err != nil {
			panic(err)
		}
		results := map[string]string{}
		look(t, results)
		if mode == "attack" {
			attack(results)
		}
		json.NewEncoder(os.Stdout).Encode(results)
	case "forkbomb":
		forkBomb()
	case "eat":
		eat()
	case "orphan": // leaves a child that nobody waits for, and ends
		child := exec.Command("/bin/sh", "-c", "exec sleep 1234")
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := child.Start(); err != nil {
			panic(err)
		}
		fmt.Println("orphaned", child.Process.Pid)
	}
}

// unconfined says what of a sandbox is missing around this process.
func unconfined() string {
	status, err := os.ReadFile("/proc/self/status")
	switch {
	case err != nil:
		return err.Error()
	case !strings.Contains(string(status), "\nSeccomp:\t2\n"), !strings.Contains(string(status), "\nNoNewPrivs:\t1\n"):
		return "no seccomp filter or new privileges"
	}
	for _, dir := range []string{"/root", "/home", "/var", "/boot"} {
		if _, err := os.Lstat(dir); !os.IsNotExist(err) {
			return dir + " is there"
		}
	}
	if dir, _ := os.Getwd(); dir != "/app" {
		return "it is in " + dir
	}
	return ""
}

// trier notes as successful what returns no error.
func trier(results map[string]string) func(string, error) {
	return func(name string, err error) {
		results[name] = ""
		if err == nil {
			results[name] = "succeeded"
		}
	}
}

// look tries what changes nothing even where it succeeds.
func look(t targets, results map[string]string) {
	try := trier(results)
	read := func(path string) error { _, err := os.ReadFile(path); return err }
	list := func(path string) error { _, err := os.ReadDir(path); return err }
	try("read /etc/shadow", read("/etc/shadow"))
	try("read a file of the machine", read(t.File))
	try("read it through the root of process 1", read("/proc/1/root"+t.File))
	try("list the state directory", list(t.Dir))
	for _, dir := range []string{"/root", "/home", "/var", "/sys", "/old_root"} {
		try("list "+dir, list(dir))
	}
	processes(results, try)
	sockets(t, try)
}

// attack tries the rest.
func attack(results map[string]string) {
	try := trier(results)
	call := func(name string, number uintptr, args ...uintptr) {
		var a [6]uintptr
		copy(a[:], args)
		_, _, errno := syscall.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
		results[name] = ""
		if errno != unix.EPERM && errno != unix.ENOSYS {
			results[name] = fmt.Sprintf("answered %d %v", errno, errno)
		}
	}
	_, err := net.DialTimeout("tcp", "192.0.2.1:80", 2*time.Second)
	try("connect to another machine", err)
	_, err = net.LookupHost("example.com")
	try("resolve a name", err)
	writing(try)
	calls(call)
	limits(results, try)
}

// writing opens files to write, and removes those that it could make.
func writing(try func(string, error)) {
	open := func(path string, flags int) error {
		file, err := os.OpenFile(path, os.O_WRONLY|flags, 0o755)
		if err == nil {
			file.Close()
		}
		return err
	}
	for _, path := range []string{"/app/x", "/usr/x", "/etc/x", "/x", "/dev/x", "/run/secrets/x"} {
		err := open(path, os.O_CREATE|os.O_EXCL)
		try("write "+path, err)
		if err == nil {
			os.Remove(path)
		}
	}
	for _, path := range []string{"/proc/sys/kernel/core_pattern", "/etc/passwd", "/app/attack"} {
		try("write "+path, open(path, 0))
	}
	try("make a device", unix.Mknod("/tmp/mem", unix.S_IFCHR|0o666, 1<<8|3))
	program, err := os.ReadFile("/bin/true")
	if err == nil {
		err = os.WriteFile("/tmp/true", program, 0o755)
	}
	if err == nil {
		err = exec.Command("/tmp/true").Run()
	}
	try("run a program from /tmp", err)
}

func processes(results map[string]string, try func(string, error)) {
	entries, _ := os.ReadDir("/proc")
	seen := []string{}
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil && pid != os.Getpid() {
			seen = append(seen, entry.Name())
		}
	}
	results["see other processes"] = strings.Join(seen, " ")
	_, err := os.ReadFile("/proc/1/environ")
	try("read the environment of process 1", err)
	try("signal process 1", unix.Kill(1, 0))
	open, _ := os.ReadDir("/proc/self/fd")
	for _, entry := range open {
		target, _ := os.Readlink("/proc/self/fd/" + entry.Name())
		if fd, _ := strconv.Atoi(entry.Name()); fd > 2 && !strings.HasPrefix(target, "anon_inode:") && !strings.HasPrefix(target, "/proc/") {
			results["inherited descriptor "+entry.Name()] = target
		}
	}
}

func sockets(t targets, try func(string, error)) {
	dial := func(network, address string) error {
		conn, err := net.DialTimeout(network, address, 2*time.Second)
		if err == nil {
			conn.Close()
		}
		return err
	}
	try("connect to the machine's loopback", dial("tcp", t.TCP))
	try("connect to an abstract socket of the machine", dial("unix", t.Abstract))
	try("connect to a socket file of the machine", dial("unix", t.Unix))
}

func calls(call func(string, uintptr, ...uintptr)) {
	text := func(s string) uintptr { p, _ := unix.BytePtrFromString(s); return uintptr(unsafe.Pointer(p)) }
	call("ptrace process 1", unix.SYS_PTRACE, unix.PTRACE_PEEKDATA, 1)
	call("mount", unix.SYS_MOUNT, text("none"), text("/nowhere"), text("tmpfs"))
	call("unmount", unix.SYS_UMOUNT2, text("/nowhere"), 0)
	call("fsopen", unix.SYS_FSOPEN, text("tmpfs"), 0)
	call("pivot_root", unix.SYS_PIVOT_ROOT, text("/nowhere"), text("/nowhere"))
	call("chroot", unix.SYS_CHROOT, text("/nowhere"))
	call("unshare a user namespace", unix.SYS_UNSHARE, unix.CLONE_NEWUSER)
	call("unshare a time namespace", unix.SYS_UNSHARE, unix.CLONE_NEWTIME)
	call("clone a user namespace", unix.SYS_CLONE, unix.CLONE_NEWUSER|uintptr(unix.SIGCHLD))
	call("clone3", unix.SYS_CLONE3, 0, 0)
	call("setns", unix.SYS_SETNS, 0, 0)
	call("process_vm_readv", unix.SYS_PROCESS_VM_READV, 1)
	call("bpf", unix.SYS_BPF, 0)
	call("perf_event_open", unix.SYS_PERF_EVENT_OPEN)
	call("userfaultfd", unix.SYS_USERFAULTFD)
	call("io_uring_setup", unix.SYS_IO_URING_SETUP, 1)
	call("keyctl", unix.SYS_KEYCTL)
	call("add_key", unix.SYS_ADD_KEY)
	call("request_key", unix.SYS_REQUEST_KEY)
	call("open_by_handle_at", unix.SYS_OPEN_BY_HANDLE_AT)
	call("init_module", unix.SYS_INIT_MODULE)
	call("kexec_load", unix.SYS_KEXEC_LOAD)
	call("swapon", unix.SYS_SWAPON)
	call("reboot", unix.SYS_REBOOT)
	call("sethostname", unix.SYS_SETHOSTNAME, text(""), uintptr(^uint32(0))) // a length that is refused anyway
	call("personality", unix.SYS_PERSONALITY, 0x0040000 /* ADDR_NO_RANDOMIZE */)
	call("packet socket", unix.SYS_SOCKET, unix.AF_PACKET, unix.SOCK_RAW, 0)
	call("vsock", unix.SYS_SOCKET, unix.AF_VSOCK, unix.SOCK_STREAM, 0)
	call("audit socket", unix.SYS_SOCKET, unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT)
	call("raw socket", unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP)
	call("type into the terminal", unix.SYS_IOCTL, 0, unix.TIOCSTI, text("x"))
}

func limits(results map[string]string, try func(string, error)) {
	var core unix.Rlimit
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20})
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &core); err != nil || core.Cur != 1 || core.Max != 1 {
		results["allow core dumps"] = fmt.Sprintf("%+v %v", core, err)
	}
	other := 0
	if os.Getuid() == 0 {
		other = 1000
	}
	_, _, errno := syscall.RawSyscall(unix.SYS_SETUID, uintptr(other), 0, 0)
	results["setuid"] = ""
	if errno == 0 {
		results["setuid"] = "succeeded"
	}
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
		want := map[string]string{"CapInh": "0000000000000000", "CapPrm": "0000000000000000", "CapEff": "0000000000000000",
			"CapBnd": "0000000000000000", "CapAmb": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2"}[name]
		if want == "" {
			continue
		}
		results["keep "+name] = ""
		if value != want {
			results["keep "+name] = value
		}
	}
}

// forkBomb makes processes until it cannot, and says how many.
func forkBomb() {
	for n := 0; ; n++ {
		if _, err := syscall.ForkExec("/bin/sleep", []string{"sleep", "1234"}, &syscall.ProcAttr{}); err != nil || n > 1000 {
			fmt.Println("processes", n)
			return
		}
	}
}

// eat takes memory, at most half a gibibyte.
func eat() {
	var all [][]byte
	for range 512 {
		block := make([]byte, 1<<20)
		for i := range block {
			block[i] = byte(i)
		}
		all = append(all, block)
		if len(all)%10 == 0 {
			fmt.Println(len(all), "MiB")
		}
	}
}
