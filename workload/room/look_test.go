package room

import (
	"runtime"
	"testing"
	"testing/fstest"
)

func files(all map[string]string) fstest.MapFS {
	system := fstest.MapFS{}
	for name, text := range all {
		system[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return system
}

const meminfo = "MemTotal:       16384000 kB\nMemFree:         1000000 kB\n"

func TestTheMachineIsBoundedByItsControlGroupsAndThoseAboveThem(t *testing.T) {
	for name, c := range map[string]struct {
		files  map[string]string
		memory int64
	}{
		"no group": {map[string]string{}, 16384000 << 10},
		"version 2": {map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/memory.max": "1073741824\n",
		}, gi},
		"one above is narrower": {map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "2147483648\n", "sys/fs/cgroup/a/memory.max": "1073741824\n",
		}, gi},
		"one above is wider": {map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "1073741824\n", "sys/fs/cgroup/a/memory.max": "2147483648\n",
		}, gi},
		"version 1": {map[string]string{
			"proc/self/cgroup": "4:memory:/x\n1:cpu,cpuacct:/x\n0::/\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "2147483648\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":   "9223372036854771712\n",
		}, 2 * gi},
		"wider than the machine": {map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "99999999999999\n"}, 16384000 << 10},
	} {
		c.files["proc/meminfo"] = meminfo
		m, err := Look(files(c.files), t.TempDir(), "")
		if bounded := m.Bounded != ""; bounded != (c.memory < 16384000<<10) {
			t.Errorf("%s: bounded by %q", name, m.Bounded)
		}
		if err != nil || m.Memory != c.memory || m.Reserve != Reserve(c.memory) || m.State.Free == 0 {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

func TestCoresAreBoundedByTheQuota(t *testing.T) {
	for name, all := range map[string]map[string]string{
		"version 2": {"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": "25000 100000\n"},
		"version 1": {"proc/self/cgroup": "1:cpu,cpuacct:/\n", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "25000\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"},
	} {
		if m, err := Look(files(all), t.TempDir(), ""); err != nil || m.MilliCPU != 250 {
			t.Errorf("%s: %d, %v", name, m.MilliCPU, err)
		}
	}
	for name, max := range map[string]string{"more than the machine has": "99999999 1000", "no period": "25000 0", "nonsense": "25000 often", "none": "-1 100000"} {
		system := files(map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": max + "\n"})
		if m, err := Look(system, t.TempDir(), ""); err != nil || m.MilliCPU != int64(runtime.NumCPU())*1000 {
			t.Errorf("with a quota of %s there are %d thousandths of a core, %v", name, m.MilliCPU, err)
		}
	}
	least := files(map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": "1 100000\n"})
	if m, err := Look(least, t.TempDir(), ""); err != nil || m.MilliCPU != 1 {
		t.Errorf("the least quota is %d, %v, want 1: 0 is one that is not known", m.MilliCPU, err)
	}
	unbounded := files(map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": "max 100000\n"})
	if m, err := Look(unbounded, t.TempDir(), ""); err != nil || m.MilliCPU < 1000 || m.MilliCPU%1000 != 0 {
		t.Errorf("%d, %v", m.MilliCPU, err)
	}
}

func TestAnEngineOnTheSameFileSystemIsNotCountedTwice(t *testing.T) {
	dir := t.TempDir()
	if m, err := Look(files(nil), dir, dir); err != nil || m.Engine != nil {
		t.Errorf("%+v, %v", m.Engine, err)
	}
	if m, err := Look(files(map[string]string{
		"proc/self/cgroup": "4:memory:/x\n", "sys/fs/cgroup/memory/x/memory.limit_in_bytes": "9223372036854771712\n",
	}), dir, "/proc"); err != nil || m.Memory != 0 || m.Engine == nil {
		t.Errorf("%+v, %v, want no limit and an engine of its own", m, err)
	}
}

func TestWhatIsNotKnownIsNotChecked(t *testing.T) {
	m, err := Look(files(nil), t.TempDir(), "/nowhere/at/all")
	if err != nil || m.Memory != 0 || m.Engine != nil {
		t.Errorf("%+v, %v", m, err)
	}
	if a := Fit(m, nil, beside("a", 1, 5, 1<<50)); !a.Fits {
		t.Error(a.Why())
	}
}
