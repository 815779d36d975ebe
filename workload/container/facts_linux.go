package container

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// facts are what the kernel says of the first process of a container, and so of all
// that it starts: none of it can be taken back.
type facts struct {
	status     map[string]string    // of /proc/PID/status, such as "NoNewPrivs" -> "1"
	limits     map[string]string    // of /proc/PID/limits: name -> hard limit
	namespaces map[string]bool      // such as "net" -> whether it is not this process's
	mounts     map[string]mountFact // by path inside; the uppermost of each
	cgroups    []string             // directories of its control groups
	unread     []string             // what could not be read, with why
}

// mountFact is one mount.
type mountFact struct {
	options string // of the mount and of its file system, joined by commas
	kind    string // such as "tmpfs"
}

func (m mountFact) has(option string) bool {
	return strings.Contains(","+m.options+",", ","+option+",")
}

func procPath(pid int, name string) string { return filepath.Join("/proc", strconv.Itoa(pid), name) }

// inContainer reports whether a process is in the container id: its control groups
// bear that name.
func inContainer(pid int, id string) bool {
	data, err := os.ReadFile(procPath(pid, "cgroup"))
	return err == nil && id != "" && strings.Contains(string(data), id)
}

// readFacts reads what there is to read of a process.
func readFacts(pid int) facts {
	f := facts{status: map[string]string{}, limits: map[string]string{}, namespaces: map[string]bool{}, mounts: map[string]mountFact{}}
	f.lines(procPath(pid, "status"), func(line string) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			f.status[name] = strings.TrimSpace(value)
		}
	})
	f.lines(procPath(pid, "limits"), f.limit)
	f.lines(procPath(pid, "mountinfo"), f.mount)
	f.lines(procPath(pid, "cgroup"), f.cgroup)
	for _, name := range []string{"mnt", "pid", "net", "ipc", "uts"} {
		theirs, err := os.Readlink(procPath(pid, "ns/"+name))
		ours, ownErr := os.Readlink("/proc/self/ns/" + name)
		if err != nil || ownErr != nil {
			f.unread = append(f.unread, fmt.Sprintf("its %s namespace: %v", name, err))
			continue
		}
		f.namespaces[name] = theirs != ours
	}
	return f
}

func (f *facts) lines(path string, take func(line string)) {
	file, err := os.Open(path)
	if err != nil {
		f.unread = append(f.unread, err.Error())
		return
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		take(scanner.Text())
	}
	if err := scanner.Err(); err != nil {
		f.unread = append(f.unread, err.Error())
	}
}

// limit takes a line of limits: a name, the soft and the hard limit, and the unit, in
// columns.
func (f *facts) limit(line string) {
	if len(line) < 47 {
		return
	}
	if hard := strings.Fields(line[26:]); len(hard) >= 2 {
		f.limits[strings.TrimSpace(line[:26])] = hard[1]
	}
}

// mount takes a line of mountinfo, see proc(5).
func (f *facts) mount(line string) {
	front, back, ok := strings.Cut(line, " - ")
	fields, after := strings.Fields(front), strings.Fields(back)
	if !ok || len(fields) < 6 || len(after) < 3 {
		return
	}
	f.mounts[fields[4]] = mountFact{options: fields[5] + "," + after[2], kind: after[0]}
}

// cgroup takes a line of cgroup, see cgroups(7): the directories at which its limits
// are read.
func (f *facts) cgroup(line string) {
	_, rest, _ := strings.Cut(line, ":")
	controllers, path, ok := strings.Cut(rest, ":")
	if !ok {
		return
	}
	if controllers == "" {
		f.cgroups = append(f.cgroups, filepath.Join("/sys/fs/cgroup", path), filepath.Join("/sys/fs/cgroup/unified", path))
		return
	}
	for _, mounted := range append(strings.Split(controllers, ","), controllers) {
		f.cgroups = append(f.cgroups, filepath.Join("/sys/fs/cgroup", mounted, path))
	}
}

// group returns the content of a file of its control groups, whichever has it.
func (f *facts) group(names ...string) (string, bool) {
	for _, dir := range f.cgroups {
		for _, name := range names {
			if data, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
				return strings.TrimSpace(string(data)), true
			}
		}
	}
	return "", false
}
