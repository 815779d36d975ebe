package attack

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead/workload"
)

// The names of the attacks that need another instance.
const (
	ShimSocket       = "connect to the socket of a shim"
	NeighboursSecret = "read another instance's secret"
)

// fileAttacks try files outside the tree of the sandbox.
func fileAttacks() []Attack {
	tree := []string{workload.MountNamespace, workload.Landlock}
	root := []string{workload.MountNamespace}
	jobs := []string{Instance, Gate} // a build owns its directory
	state := func(try func(path string) result, name string) func(*scene) result {
		return func(s *scene) result { return try(filepath.Join(s.State, name)) }
	}
	own := func(try func(path string) result, name string) func(*scene) result {
		return func(*scene) result { return try(filepath.Join(artifact(), name)) }
	}
	anyOf := func(try func(path string) result, paths ...string) func(*scene) result {
		return func(*scene) result { return each(paths, try) }
	}
	return []Attack{
		{Name: "read a file of the state directory", Against: tree, try: state(read, StateFile)},
		{Name: "write to a file of the state directory", Against: tree, try: state(openToWrite, StateFile)},
		{Name: "read the administrator's token", Against: tree, User: true, try: state(read, TokenFile)},
		{Name: "list the homes of instances and jobs", Against: tree, User: true, try: func(s *scene) result { return list(s.Run) }},
		{Name: "read another instance's artifact", Against: tree, try: func(s *scene) result { return read(filepath.Join(s.Neighbour, OwnFile)) }},
		{Name: NeighboursSecret, Against: tree, User: true, try: neighboursSecret},
		{Name: "read a file in the user's home", Against: tree, User: true, Modes: true, try: readHome},
		{Name: "open /etc/shadow, /root, /home, /var", Against: tree, Modes: true, try: anyOf(open, "/etc/shadow", "/root", "/home", "/var", "/boot", "/old_root")},
		{Name: "open disks, memory and terminals", Against: tree, try: anyOf(open, devices()...)},
		{Name: "open /sys, and its own limits there", Against: tree, try: anyOf(list, "/sys", "/sys/fs/cgroup", "/sys/kernel")},
		{Name: "open /proc/sys, sysrq-trigger to write", Against: tree, Modes: true,
			try: anyOf(openToWrite, "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sysrq-trigger")},
		{Name: "follow a link out of the artifact", Against: tree, try: own(read, LinkFile)},
		{Name: "climb out with ..", Against: tree, try: climb},
		{Name: "go out through /proc/1/root and cwd", Against: tree, User: true, Modes: true, try: throughProc},
		{Name: "hard-link a file of the state directory", Against: tree, Changes: true, try: hardLink},
		{Name: "write to a file of its own artifact", Against: tree, In: jobs, try: own(openToWrite, OwnFile)},
		{Name: "set the mode of its own program", Against: root, In: jobs, User: true, Changes: true, try: changeProgram},
		{Name: "make a file in /usr, /etc, / or /run", Against: tree, User: true, Modes: true, Changes: true,
			try: anyOf(makeUnnamed, "/usr", "/etc", "/", "/run", "/run/secrets", "/proc", "/dev")},
		{Name: "run a program from /tmp", Against: tree, In: jobs, Changes: true, try: runFromTemp},
		{Name: "connect to API's and gateway's sockets", Against: root, try: func(s *scene) result {
			return each([]string{APISocket, GatewaySocket}, func(name string) result { return connect("unix", filepath.Join(s.State, name)) })
		}},
		{Name: ShimSocket, Against: root, User: true, try: func(s *scene) result { return connect("unix", s.Shim) }},
		{Name: "find a process outside in /proc", Against: root, Plain: tree, try: func(s *scene) result {
			return read(fmt.Sprintf("/proc/%d/status", s.Decoy))
		}},
		{Name: "write to its own files in /proc", Against: []string{workload.Landlock}, try: rewriteOwnProc},
	}
}

// devices are those that an app has no business with.
func devices() []string {
	return []string{"/dev/mem", "/dev/kmsg", "/dev/sda", "/dev/vda", "/dev/nvme0n1", "/dev/fuse", "/dev/kvm", "/dev/tty0", "/dev/ptmx"}
}

func throughProc(s *scene) result {
	return each([]string{"/proc/1/root", "/proc/1/cwd"}, func(door string) result {
		return read(door + filepath.Join(s.State, StateFile))
	})
}

// changeProgram sets the mode that its program has already. To open it to write
// would say nothing: the kernel refuses that for any program that runs.
func changeProgram(*scene) result {
	info, err := os.Stat("/proc/self/exe")
	if err != nil {
		return untried(reason(err))
	}
	return refused(os.Chmod("/proc/self/exe", info.Mode()), "its mode was set")
}

// artifact is the directory that holds this program.
func artifact() string {
	program, err := os.Executable()
	if err != nil {
		return "/app"
	}
	return filepath.Dir(program)
}

func read(path string) result {
	data, err := os.ReadFile(path)
	return refused(err, fmt.Sprintf("it read %d bytes", len(data)))
}

func list(path string) result {
	entries, err := os.ReadDir(path)
	return refused(err, fmt.Sprintf("it saw %d entries", len(entries)))
}

// open opens a file to read, and reads nothing.
func open(path string) result {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err == nil {
		unix.Close(fd)
	}
	return refused(err, "it was opened")
}

// openToWrite opens a file to write, and writes nothing.
func openToWrite(path string) result {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err == nil {
		unix.Close(fd)
	}
	return refused(err, "it was opened to write")
}

// makeUnnamed makes a file without a name, which is gone once it is closed.
func makeUnnamed(dir string) result {
	fd, err := unix.Open(dir, unix.O_WRONLY|unix.O_TMPFILE|unix.O_CLOEXEC, 0o600)
	if err == nil {
		unix.Close(fd)
	}
	if errors.Is(err, unix.EOPNOTSUPP) { // asked only of who may write
		return stopped("no files can be made there")
	}
	return refused(err, "it made a file")
}

func readHome(s *scene) result {
	if s.Home == "" {
		return untried("no home to plant in")
	}
	return read(s.Home)
}

// neighboursSecret looks where secrets are in a sandbox with and without namespaces.
func neighboursSecret(s *scene) result {
	var found []string
	for _, pattern := range []string{"/dev/shm/*/" + s.Secret, "/proc/[0-9]*/root/run/secrets/" + s.Secret} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			if data, err := os.ReadFile(path); err == nil && strings.HasPrefix(string(data), SecretPrefix) {
				found = append(found, path)
			}
		}
	}
	if len(found) > 0 {
		return succeeded("it read " + found[0])
	}
	return stopped("it is nowhere to be found")
}

func climb(s *scene) result {
	return read(artifact() + strings.Repeat("/..", 16) + filepath.Join(s.State, StateFile))
}

// scratch makes a directory for files of the attacker's own.
func scratch(f func(dir string) result) result {
	dir, err := os.MkdirTemp("", "attack-")
	if err != nil {
		return untried("no place to write: " + reason(err))
	}
	defer os.RemoveAll(dir)
	return f(dir)
}

func hardLink(s *scene) result {
	return scratch(func(dir string) result {
		err := os.Link(filepath.Join(s.State, StateFile), filepath.Join(dir, "link"))
		return refused(err, "it made a link")
	})
}

func runFromTemp(*scene) result {
	return scratch(func(dir string) result {
		script := filepath.Join(dir, "script")
		if err := os.WriteFile(script, []byte("#!/bin/true\n"), 0o755); err != nil {
			return untried(reason(err))
		}
		return refused(exec.Command(script).Run(), "it ran")
	})
}

// rewriteOwnProc writes what is there already to a file of its own process.
func rewriteOwnProc(*scene) result {
	const file = "/proc/self/oom_score_adj"
	now, err := os.ReadFile(file)
	if err != nil {
		return untried(reason(err))
	}
	return refused(os.WriteFile(file, now, 0), "it was written")
}
