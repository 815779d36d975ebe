package local

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The sets of file rights that rules give. landlock(7) tells what each means and
// which ABI brought it.
const (
	readRights  = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	runRights   = readRights | unix.LANDLOCK_ACCESS_FS_EXECUTE
	writeRights = readRights | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE |
		unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_MAKE_DIR |
		unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO |
		unix.LANDLOCK_ACCESS_FS_MAKE_SYM | unix.LANDLOCK_ACCESS_FS_REFER | unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX
	buildRights  = writeRights | unix.LANDLOCK_ACCESS_FS_EXECUTE
	deviceRights = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	fileRights   = unix.LANDLOCK_ACCESS_FS_EXECUTE | deviceRights | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV // those that a rule on a file may give
)

// fileRule gives rights on a path and all below it.
type fileRule struct {
	path   string
	rights uint64
}

// fileRules are the files that an instance may use. Without a root of its own
// they are paths of the machine.
func fileRules(s setup, dir string) []fileRule {
	var rules []fileRule
	for _, system := range systemDirs() {
		rules = append(rules, fileRule{system, runRights})
	}
	for _, device := range devices() {
		rules = append(rules, fileRule{"/dev/" + device, deviceRights})
	}
	app, temp := uint64(runRights), uint64(writeRights)
	if s.Writable {
		app, temp = buildRights, buildRights
	}
	rules = append(rules, fileRule{dir, app})
	if s.SecretDir != "" {
		rules = append(rules, fileRule{s.SecretDir, readRights})
	}
	rules = append(rules, deviceRules(s)...)
	for _, v := range s.Volumes { // nothing is run from a volume
		rules = append(rules, fileRule{v.Path, writeRights})
	}
	if s.Namespaces {
		return append(rules, fileRule{"/", unix.LANDLOCK_ACCESS_FS_READ_DIR}, fileRule{"/etc", readRights}, fileRule{"/proc", readRights},
			fileRule{"/tmp", temp}, fileRule{"/dev/shm", writeRights})
	}
	for _, name := range []string{"passwd", "group", "hosts", "resolv.conf", "nsswitch.conf", "ld.so.cache", "localtime", "ssl/certs", "alternatives"} {
		rules = append(rules, fileRule{"/etc/" + name, readRights})
	}
	return append(rules, fileRule{"/proc/self", readRights}, fileRule{s.Stage, temp})
}

// netRule allows connecting to or binding a TCP port (struct
// landlock_net_port_attr).
type netRule struct {
	rights uint64
	port   uint64
}

// netRules are used only where there is no network namespace, which is stronger.
func netRules(s setup) []netRule {
	if s.Namespaces {
		return nil
	}
	rules := []netRule{}
	if s.Port != 0 {
		rules = append(rules, netRule{unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP, uint64(s.Port)})
	}
	for _, reach := range s.Reach {
		rules = append(rules, netRule{unix.LANDLOCK_ACCESS_NET_CONNECT_TCP, uint64(reach.Port)})
	}
	return rules
}

// landlockABI returns the kernel's version of workload.Landlock, or an error where it has
// none.
func landlockABI() (int, error) {
	abi, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0, fmt.Errorf("the kernel has no workload.Landlock: %w", errno)
	}
	return int(abi), nil
}

// handled returns the rights that workload.Landlock of version abi can restrict.
func handled(abi int, net bool) unix.LandlockRulesetAttr {
	all := unix.LandlockRulesetAttr{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1} // the 13 of ABI 1
	if abi >= 2 {
		all.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		all.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= 4 && net {
		all.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if abi >= 5 {
		all.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if abi >= 6 {
		all.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	if abi >= 9 {
		all.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX
	}
	return all
}

// restrictFiles puts the calling thread into a workload.Landlock domain and says of which
// ABI it is.
func restrictFiles(s setup, dir string) (string, error) {
	abi, err := landlockABI()
	if err != nil {
		return "", err
	}
	net := netRules(s)
	all := handled(abi, net != nil)
	ruleset, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&all)), unsafe.Sizeof(all), 0)
	if errno != 0 {
		return "", fmt.Errorf("landlock_create_ruleset: %w", errno)
	}
	defer unix.Close(int(ruleset))
	for _, rule := range fileRules(s, dir) {
		if err := addFileRule(ruleset, rule, all.Handled_access_fs); err != nil {
			return "", fmt.Errorf("landlock rule for %s: %w", rule.path, err)
		}
	}
	for _, rule := range net {
		if all.Handled_access_net == 0 {
			break
		}
		if _, _, errno := unix.RawSyscall6(unix.SYS_LANDLOCK_ADD_RULE, ruleset, 2 /* LANDLOCK_RULE_NET_PORT */, uintptr(unsafe.Pointer(&rule)), 0, 0, 0); errno != 0 {
			return "", fmt.Errorf("landlock rule for port %d: %w", rule.port, errno)
		}
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0, 0); errno != 0 {
		return "", fmt.Errorf("landlock_restrict_self: %w", errno)
	}
	return landlockDetail(abi, net != nil), nil
}

// landlockDetail says what workload.Landlock of version abi does, and which of the rights
// that are asked for it is too old to restrict.
func landlockDetail(abi int, net bool) string {
	detail := fmt.Sprintf("ABI %d", abi)
	if net && abi >= 4 {
		detail += ", TCP ports"
	}
	var lacking []string
	for _, since := range []struct {
		abi  int
		what string
		in   bool
	}{{2, "links between directories", true}, {3, "truncation", true}, {4, "TCP ports", net}, {5, "device calls", true}, {6, "signals and abstract sockets", true}} {
		if since.in && abi < since.abi {
			lacking = append(lacking, since.what)
		}
	}
	if len(lacking) > 0 {
		detail += ", too old for " + strings.Join(lacking, ", ")
	}
	return detail
}

// addFileRule adds a rule; a path that is not there needs none.
func addFileRule(ruleset uintptr, rule fileRule, handled uint64) error {
	fd, err := unix.Open(rule.path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return err
	}
	rights := rule.rights & handled
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &= fileRights
	}
	// struct landlock_path_beneath_attr is packed: 8 bytes and 4.
	attr := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(fd)}
	_, _, errno := unix.RawSyscall6(unix.SYS_LANDLOCK_ADD_RULE, ruleset, unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&attr)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
