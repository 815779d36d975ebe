package attack

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead/workload/local"
)

// ShimSocket is the name of the attack that needs another instance.
const ShimSocket = "connect to the socket of a shim"

// fileAttacks try files outside the tree of the sandbox.
func fileAttacks() []Attack {
	own := []string{local.MountNamespace, local.Landlock}
	readOnly := []string{Instance, Gate} // a build owns its directory
	return []Attack{
		{Name: "read a file of the state directory", Against: own, try: func(s *scene) result { return read(filepath.Join(s.State, StateFile)) }},
		{Name: "write to a file of the state directory", Against: own, try: func(s *scene) result { return openToWrite(filepath.Join(s.State, StateFile)) }},
		{Name: "read the administrator's token", Against: own, User: true, try: func(s *scene) result { return read(filepath.Join(s.State, TokenFile)) }},
		{Name: "list the homes of instances and jobs", Against: own, User: true, try: func(s *scene) result { return list(s.Run) }},
		{Name: "read another instance's artifact", Against: own, try: func(s *scene) result { return read(filepath.Join(s.Neighbour, OwnFile)) }},
		{Name: "read another instance's secret", Against: own, User: true, try: neighboursSecret},
		{Name: "read a file in the user's home", Against: own, User: true, Modes: true, try: readHome},
		{Name: "open /etc/shadow, /root, /home, /var", Against: own, Modes: true, try: func(*scene) result {
			return each([]string{"/etc/shadow", "/root", "/home", "/var", "/boot", "/old_root"}, open)
		}},
		{Name: "open disks, memory and terminals", Against: own, try: func(*scene) result {
			return each([]string{"/dev/mem", "/dev/kmsg", "/dev/sda", "/dev/vda", "/dev/nvme0n1", "/dev/fuse", "/dev/kvm", "/dev/tty0", "/dev/ptmx"}, open)
		}},
		{Name: "open /sys, and its own limits there", Against: own, try: func(*scene) result {
			return each([]string{"/sys", "/sys/fs/cgroup", "/sys/kernel"}, list)
		}},
		{Name: "open /proc/sys, sysrq-trigger to write", Against: own, Modes: true, try: func(*scene) result {
			return each([]string{"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sysrq-trigger"}, openToWrite)
		}},
		{Name: "follow a link out of the artifact", Against: own, try: func(s *scene) result { return read(filepath.Join(artifact(), LinkFile)) }},
		{Name: "climb out with ..", Against: own, try: climb},
		{Name: "go out through /proc/1/root and cwd", Against: own, User: true, Modes: true, try: func(s *scene) result {
			return each([]string{"/proc/1/root", "/proc/1/cwd"}, func(door string) result { return read(door + filepath.Join(s.State, StateFile)) })
		}},
		{Name: "hard-link a file of the state directory", Against: own, Changes: true, try: hardLink},
		{Name: "write to a file of its own artifact", Against: own, In: readOnly, try: func(*scene) result { return openToWrite(filepath.Join(artifact(), OwnFile)) }},
		{Name: "set the mode of its own program", Against: []string{local.MountNamespace}, In: readOnly, User: true, Changes: true, try: changeProgram},
		{Name: "make a file in /usr, /etc, / or /run", Against: own, User: true, Modes: true, Changes: true, try: func(*scene) result {
			return each([]string{"/usr", "/etc", "/", "/run", "/run/secrets", "/proc", "/dev"}, makeUnnamed)
		}},
		{Name: "run a program from /tmp", Against: own, In: readOnly, Changes: true, try: runFromTemp},
		{Name: "connect to API's and gateway's sockets", Against: []string{local.MountNamespace}, try: func(s *scene) result {
			return each([]string{APISocket, GatewaySocket}, func(name string) result { return connect("unix", filepath.Join(s.State, name)) })
		}},
		{Name: ShimSocket, Against: []string{local.MountNamespace}, User: true, try: func(s *scene) result { return connect("unix", s.Shim) }},
		{Name: "find a process outside in /proc", Against: []string{local.MountNamespace}, Plain: []string{local.MountNamespace, local.Landlock}, try: func(s *scene) result {
			return read(fmt.Sprintf("/proc/%d/status", s.Decoy))
		}},
		{Name: "write to its own files in /proc", Against: []string{local.Landlock}, try: rewriteOwnProc},
	}
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
		return untried("the home directory cannot be written")
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
