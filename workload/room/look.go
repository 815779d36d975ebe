package room

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"path"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// Look reads what this machine has. system is the root of its file system, which
// tests make by themselves; state is the state directory, and engine where a container
// engine keeps its images, or "". What cannot be read is left unknown.
func Look(system fs.FS, state, engine string) (Machine, error) {
	m := Machine{MilliCPU: int64(runtime.NumCPU()) * 1000, Memory: totalMemory(system)}
	groups := groupsOf(system)
	if quota := groups.cpu(system); quota > 0 && quota < m.MilliCPU {
		m.MilliCPU = quota
	}
	if limit := groups.memory(system); limit > 0 && (m.Memory == 0 || limit < m.Memory) {
		m.Memory, m.Bounded = limit, "limit of Fairlead's control group"
	}
	if m.Memory > 0 {
		m.Reserve = Reserve(m.Memory)
	}
	var err error
	if m.State, err = diskAt(state); err != nil {
		return m, err
	}
	if engine == "" {
		return m, nil
	}
	disk, err := diskAt(engine)
	if err != nil {
		return m, nil // an engine in another machine's file system, or a directory of root's alone
	}
	if disk.Size != m.State.Size || disk.Free != m.State.Free { // else it is the same one, in all likelihood
		m.Engine = &disk
	}
	return m, nil
}

func diskAt(dir string) (Disk, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return Disk{}, fmt.Errorf("look how much is free at %s: %w", dir, err)
	}
	block := int64(stat.Bsize)
	return Disk{Path: dir, Size: int64(stat.Blocks) * block, Free: int64(stat.Bavail) * block}, nil
}

// totalMemory reads MemTotal; 0 where it is not known.
func totalMemory(system fs.FS) int64 {
	data, err := readSmall(system, "proc/meminfo")
	if err != nil {
		return 0
	}
	lines := bufio.NewScanner(strings.NewReader(data))
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) == 3 && fields[0] == "MemTotal:" && fields[2] == "kB" {
			n, _ := strconv.ParseInt(fields[1], 10, 48)
			return n << 10
		}
	}
	return 0
}

// groups are the control groups of this process, by the folders below which their
// limits are.
type groups struct {
	unified               string // of version 2
	memoryGroup, cpuGroup string // of version 1
}

// groupsOf reads /proc/self/cgroup.
func groupsOf(system fs.FS) (g groups) {
	data, err := readSmall(system, "proc/self/cgroup")
	if err != nil {
		return g
	}
	for line := range strings.Lines(data) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for _, controller := range strings.Split(parts[1], ",") {
			switch controller {
			case "":
				g.unified = "sys/fs/cgroup" + parts[2]
			case "memory":
				g.memoryGroup = "sys/fs/cgroup/memory" + parts[2]
			case "cpu":
				g.cpuGroup = "sys/fs/cgroup/cpu" + parts[2]
			}
		}
	}
	return g
}

// memory returns the lowest memory limit of the groups and those above them, or 0.
func (g groups) memory(system fs.FS) int64 {
	return lowest(
		climb(g.unified, func(dir string) int64 { return number(system, dir+"/memory.max") }),
		climb(g.memoryGroup, func(dir string) int64 { return number(system, dir+"/memory.limit_in_bytes") }),
	)
}

// cpu returns the lowest CPU limit, in thousandths of a core, or 0.
func (g groups) cpu(system fs.FS) int64 {
	return lowest(
		climb(g.unified, func(dir string) int64 {
			data, err := readSmall(system, dir+"/cpu.max")
			fields := strings.Fields(data)
			if err != nil || len(fields) != 2 {
				return 0
			}
			return quota(fields[0], fields[1])
		}),
		climb(g.cpuGroup, func(dir string) int64 {
			most, err := readSmall(system, dir+"/cpu.cfs_quota_us")
			period, periodErr := readSmall(system, dir+"/cpu.cfs_period_us")
			if err != nil || periodErr != nil {
				return 0
			}
			return quota(most, period)
		}),
	)
}

func quota(most, period string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(most), 10, 48)
	d, periodErr := strconv.ParseInt(strings.TrimSpace(period), 10, 48)
	if err != nil || periodErr != nil || n <= 0 || d <= 0 {
		return 0 // "max" or -1: none
	}
	return max(1, n*1000/d)
}

// climb returns the lowest limit of a group and of those above it, or 0 for none.
func climb(dir string, limit func(dir string) int64) (least int64) {
	for ; strings.HasPrefix(dir, "sys/fs/cgroup"); dir = path.Dir(dir) {
		least = lowest(least, limit(strings.TrimSuffix(dir, "/")))
	}
	return least
}

// lowest returns the least of limits, where 0 is none.
func lowest(limits ...int64) (least int64) {
	for _, n := range limits {
		if n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	return least
}

// noLimit is what version 1 says where there is none, rounded to pages.
const noLimit = 1 << 62

func number(system fs.FS, file string) int64 {
	data, err := readSmall(system, file)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(data), 10, 64)
	if err != nil || n >= noLimit {
		return 0
	}
	return n
}

// readSmall reads a file of the kernel's.
func readSmall(system fs.FS, file string) (string, error) {
	f, err := system.Open(path.Clean(file))
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 64<<10))
	return string(data), err
}
