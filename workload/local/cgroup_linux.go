package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// hierarchy is a mounted cgroup tree, and this process's place in it.
type hierarchy struct {
	version     int // 1 or 2
	controllers []string
	dir         string
}

// hierarchies reads what is mounted from the texts of /proc/self/mountinfo and
// /proc/self/cgroup (proc(5), cgroups(7)).
func hierarchies(mountinfo, cgroups string) []hierarchy {
	own := map[string]string{} // controller, or "" for version 2 -> path
	for line := range strings.Lines(cgroups) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) == 3 {
			for controller := range strings.SplitSeq(parts[1], ",") {
				own[controller] = parts[2]
			}
		}
	}
	var found []hierarchy
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		place, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(place) < 5 || len(kind) < 3 {
			continue
		}
		h := hierarchy{version: 2}
		path := own[""]
		if kind[0] == "cgroup" {
			h = hierarchy{version: 1, controllers: strings.Split(kind[2], ",")}
			for _, controller := range h.controllers {
				if own[controller] != "" {
					path = own[controller]
				}
			}
		} else if kind[0] != "cgroup2" {
			continue
		}
		h.dir = place[4]
		below := filepath.Join(h.dir, strings.TrimPrefix(path, strings.TrimSuffix(place[3], "/")))
		if info, err := os.Stat(below); err == nil && info.IsDir() {
			h.dir = below
		}
		found = append(found, h)
	}
	return found
}

// cgroup is an instance's place in the cgroup trees: a directory in each that
// could be had.
type cgroup struct {
	dirs    []string
	events  string // file that counts its processes killed for memory
	entered []*os.File
	results []workload.Protection
}

// mountedHierarchies reads those of this machine.
func mountedHierarchies() []hierarchy {
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	own, ownErr := os.ReadFile("/proc/self/cgroup")
	if errors.Join(err, ownErr) != nil {
		return nil
	}
	return hierarchies(string(mountinfo), string(own))
}

// parents returns, for each controller, the directory in which this process may
// make a cgroup with it.
func parents(all []hierarchy) map[string]hierarchy {
	chosen := map[string]hierarchy{}
	for _, controller := range []string{"memory", "cpu", "pids"} {
		for _, h := range all {
			if h.version == 1 && slices.Contains(h.controllers, controller) {
				chosen[controller] = h
			}
			if h.version != 2 {
				continue
			}
			for _, dir := range []string{h.dir, filepath.Dir(h.dir)} {
				if delegated(dir, controller) {
					chosen[controller] = hierarchy{version: 2, dir: dir}
					break
				}
			}
		}
	}
	return chosen
}

// delegated reports whether children of the version 2 cgroup at dir have
// controller, and switches it on where this process may.
func delegated(dir, controller string) bool {
	enabled := func() bool {
		data, _ := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
		return slices.Contains(strings.Fields(string(data)), controller)
	}
	if enabled() {
		return true
	}
	err := writeExisting(filepath.Join(dir, "cgroup.subtree_control"), "+"+controller)
	return err == nil && enabled()
}

// newCgroup makes the cgroups called name below chosen and sets the limits. What
// could not be had is in its results, never an error.
func newCgroup(chosen map[string]hierarchy, name string, asked fairlead.Resources, l workload.Limits) *cgroup {
	c := &cgroup{}
	settings := []struct {
		protection, controller string
		asked                  bool
		text                   string
		files                  map[int][][2]string // by version
	}{
		{workload.MemoryLimit, "memory", l.Memory > 0, asked.Memory, map[int][][2]string{
			1: {{"memory.limit_in_bytes", fmt.Sprint(l.Memory)}, {"?memory.memsw.limit_in_bytes", fmt.Sprint(l.Memory)}},
			2: {{"memory.max", fmt.Sprint(l.Memory)}, {"?memory.swap.max", "0"}}}},
		{workload.CPULimit, "cpu", l.MilliCPU > 0, asked.CPU, map[int][][2]string{
			1: {{"cpu.cfs_period_us", "100000"}, {"cpu.cfs_quota_us", fmt.Sprint(max(1000, l.MilliCPU*100))}},
			2: {{"cpu.max", fmt.Sprintf("%d 100000", max(1000, l.MilliCPU*100))}}}},
		{workload.ProcessLimit, "pids", true, fmt.Sprint(workload.MostProcesses), map[int][][2]string{
			1: {{"pids.max", fmt.Sprint(workload.MostProcesses)}}, 2: {{"pids.max", fmt.Sprint(workload.MostProcesses)}}}},
	}
	for _, setting := range settings {
		if !setting.asked {
			c.results = append(c.results, workload.Protection{Name: setting.protection, Detail: "none was asked for"})
			continue
		}
		parent, ok := chosen[setting.controller]
		err := error(fairlead.Errorf(fairlead.Unsupported, "", "no cgroup with the %s controller may be made", setting.controller))
		if ok {
			err = c.limit(filepath.Join(parent.dir, name), parent.version, setting.controller, setting.files[parent.version])
		}
		c.results = append(c.results, outcome(setting.protection, fmt.Sprintf("%s, cgroup v%d", setting.text, parent.version), err))
	}
	return c
}

// limit makes the cgroup dir if need be and writes settings into it; a name that
// begins with ? may be missing.
func (c *cgroup) limit(dir string, version int, controller string, settings [][2]string) error {
	err := os.Mkdir(dir, 0o755)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("no right to make a cgroup in %s (version %d)", filepath.Dir(dir), version)
	case err != nil && !errors.Is(err, fs.ErrExist):
		return err
	}
	if !slices.Contains(c.dirs, dir) {
		c.dirs = append(c.dirs, dir)
		procs, err := os.OpenFile(filepath.Join(dir, "cgroup.procs"), os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		c.entered = append(c.entered, procs)
	}
	if controller == "memory" {
		c.events = filepath.Join(dir, map[int]string{1: "memory.oom_control", 2: "memory.events"}[version])
	}
	for _, setting := range settings {
		name, optional := strings.CutPrefix(setting[0], "?")
		if err := writeExisting(filepath.Join(dir, name), setting[1]); err != nil && !optional {
			return err
		}
	}
	return nil
}

func writeExisting(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

// oomKills returns how many processes the kernel has killed here for memory.
func (c *cgroup) oomKills() int {
	if c.events == "" {
		return 0
	}
	data, _ := os.ReadFile(c.events)
	for line := range strings.Lines(string(data)) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok {
			n, _ := strconv.Atoi(text)
			return n
		}
	}
	return 0
}

// close forgets the cgroups, which must be without processes by then.
func (c *cgroup) close() error {
	closeAll(c.entered)
	return removeCgroups(c.dirs)
}

// removeCgroups removes cgroup directories. The kernel needs a moment after the
// last process of one has ended.
func removeCgroups(dirs []string) error {
	var failed error
	for _, dir := range dirs {
		deadline := time.Now().Add(5 * time.Second)
		for {
			err := os.Remove(dir)
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				break
			}
			if time.Now().After(deadline) {
				failed = errors.Join(failed, err)
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	return failed
}
