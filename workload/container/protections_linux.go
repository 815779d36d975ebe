package container

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// Required reports whether sandbox: required cannot do without the protection called
// name for a container that asks for these resources and for this looseness: what a
// file asks to go without is not demanded.
func Required(name string, asked fairlead.Resources, loosen fairlead.Loosen) bool {
	switch name {
	case workload.MountNamespace, workload.PidNamespace, workload.NetworkNamespace, workload.IPCNamespace, workload.UTSNamespace,
		workload.NoCoreDumps, workload.ProcessLimit, workload.OwnNetwork:
		return true
	case workload.Seccomp:
		return !loosen.Seccomp
	case workload.NoNewPrivileges:
		return !loosen.Privileges
	case workload.NoCapabilities:
		return len(loosen.Capabilities) == 0
	case workload.NonRoot:
		return !loosen.Root
	case workload.ReadOnlyRoot:
		return !loosen.WritableRoot
	case workload.MemoryLimit:
		return asked.Memory != ""
	case workload.CPULimit:
		return asked.CPU != ""
	}
	return false
}

// proof is what is known of a container that was started: what it should be, and what
// the kernel says that it is.
type proof struct {
	recipe  recipe
	secrets string // what holds them, for people
	run     *run
	facts   facts
}

// protections judges the facts. What cannot be read is not enforced, as far as anybody
// knows.
func (p proof) protections() []workload.Protection {
	loosen, f := p.recipe.loosen, p.facts
	var all []workload.Protection
	add := func(name string, enforced bool, asked, detail string) {
		if asked != "" {
			enforced, detail = false, "asked for: "+asked
		}
		if !enforced && detail == "" {
			detail = strings.Join(append([]string{"not so"}, f.unread...), "; ")
		}
		all = append(all, workload.Protection{Name: name, Enforced: enforced, Detail: detail})
	}
	for _, ns := range []struct{ file, name string }{{"mnt", workload.MountNamespace}, {"pid", workload.PidNamespace}, {"net", workload.NetworkNamespace}, {"ipc", workload.IPCNamespace}, {"uts", workload.UTSNamespace}} {
		add(ns.name, f.namespaces[ns.file], "", "")
	}
	add(workload.NonRoot, f.user() > 0, word(loosen.Root, "root"), fmt.Sprintf("user %d", f.user()))
	add(workload.NoCapabilities, f.noCapabilities(), strings.Join(loosen.Capabilities, ", "), "")
	add(workload.NoNewPrivileges, f.status["NoNewPrivs"] == "1", word(loosen.Privileges, "privileges"), "")
	add(workload.Seccomp, f.status["Seccomp"] == "2", word(loosen.Seccomp, "no system call filter"), "")
	add(workload.ReadOnlyRoot, f.mounts["/"].has("ro"), word(loosen.WritableRoot, "a writable root"), "")
	add(workload.NoCoreDumps, f.limits["Max core file size"] == "0", "", "")
	add(workload.FileLimit, f.limits["Max open files"] == strconv.FormatInt(p.recipe.files, 10), "", f.limits["Max open files"])
	all = append(all, p.limits()...)
	enforced, detail := p.scratch()
	add(workload.ScratchLimit, enforced, "", detail)
	if !p.recipe.job {
		kind := f.mounts[insideSecrets].kind
		add(workload.SecretsInMemory, kind == "ramfs" || kind == "tmpfs", "", p.secrets)
	}
	enforced, detail = p.network()
	add(workload.OwnNetwork, enforced, "", detail)
	if len(p.recipe.devices) > 0 {
		enforced, detail := ownDevices(p.run.main.pid, p.recipe.devices)
		add(workload.OwnDevices, enforced, "", detail)
	}
	return all
}

// lacking names the protections that must be enforced and are not.
func (r recipe) lacking(all []workload.Protection) []string {
	var lacking []string
	for _, p := range all {
		if r.required && !p.Enforced && Required(p.Name, r.asked, r.loosen) {
			lacking = append(lacking, fmt.Sprintf("%s (%s)", p.Name, p.Detail))
		}
	}
	return lacking
}

// scratch judges the sizes of the places to write that go with a container.
func (p proof) scratch() (bool, string) {
	temp, shm := p.facts.mounts["/tmp"], p.facts.mounts["/dev/shm"]
	wanted := fmt.Sprintf("size=%dk", (p.recipe.limits.Shm+pageSize-1)/pageSize*pageSize>>10)
	if temp.kind != "tmpfs" || !strings.Contains(temp.options, "size=") {
		return false, "/tmp has no size"
	}
	if shm.kind != "tmpfs" || !shm.has(wanted) {
		return false, "/dev/shm is not of the size that it should be: " + shm.options
	}
	return true, fmt.Sprintf("%d MiB in /tmp, %d MiB in /dev/shm", workload.TempSize>>20, p.recipe.limits.Shm>>20)
}

// word is text where that was asked for.
func word(asked bool, text string) string {
	if asked {
		return text
	}
	return ""
}

// user is who a process runs as on this machine; -1 where that cannot be read.
func (f *facts) user() int {
	ids := strings.Fields(f.status["Uid"])
	if len(ids) != 4 {
		return -1
	}
	uid, err := strconv.Atoi(ids[1])
	if err != nil {
		return -1
	}
	return uid
}

func (f *facts) noCapabilities() bool {
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		if strings.Trim(f.status[set], "0") != "" || f.status[set] == "" {
			return false
		}
	}
	return true
}

// limits judges the limits of the control groups, version 1 and 2.
func (p proof) limits() []workload.Protection {
	limits, f := p.recipe.limits, p.facts
	var all []workload.Protection
	judge := func(name string, wanted bool, want string, got string, found bool) {
		judged := workload.Protection{Name: name, Enforced: wanted && found && got == want, Detail: got}
		switch {
		case !wanted:
			judged.Detail = "none is asked for"
		case !found:
			judged.Detail = "no control group says so"
		}
		all = append(all, judged)
	}
	memory, found := f.group("memory.max", "memory.limit_in_bytes")
	judge(workload.MemoryLimit, limits.Memory > 0, pages(limits.Memory), memory, found)
	swap, found, want := f.swap(limits.Memory)
	judge(workload.SwapLimit, limits.Memory > 0, want, swap, found)
	cpu, found := f.cpu()
	judge(workload.CPULimit, limits.MilliCPU > 0, strconv.FormatInt(limits.MilliCPU, 10), cpu, found)
	if i := len(all) - 1; all[i].Enforced {
		all[i].Detail += " thousandths of a core"
	}
	processes, found := f.group("pids.max")
	judge(workload.ProcessLimit, true, strconv.FormatInt(p.recipe.processes(), 10), processes, found)
	if i := len(all) - 1; p.recipe.loosen.Processes > workload.MostProcesses {
		all[i].Detail = fmt.Sprintf("asked for: %d processes", p.recipe.loosen.Processes)
	}
	return all
}

// pageSize is the smallest amount of memory that the kernel keeps.
const pageSize = 4096

// pages is an amount of memory as the kernel keeps it: in whole pages.
func pages(bytes int64) string { return strconv.FormatInt(bytes/pageSize*pageSize, 10) }

// swap returns the limit of swap, and what it must be for no more than memory in all.
func (f *facts) swap(memory int64) (got string, found bool, want string) {
	if got, found = f.group("memory.memsw.limit_in_bytes"); found {
		return got, true, pages(memory)
	}
	got, found = f.group("memory.swap.max")
	return got, found, "0"
}

// cpu returns the limit of processor time in thousandths of a core.
func (f *facts) cpu() (milli string, found bool) {
	text, found := f.group("cpu.max")
	if !found {
		quota, ok := f.group("cpu.cfs_quota_us")
		period, also := f.group("cpu.cfs_period_us")
		if !ok || !also {
			return "", false
		}
		text = quota + " " + period
	}
	var quota, period int64
	if n, _ := fmt.Sscanf(text, "%d %d", &quota, &period); n != 2 || period <= 0 || quota <= 0 {
		return text, true
	}
	return strconv.FormatInt(quota*1000/period, 10), true
}

// network judges the container's network.
func (p proof) network() (bool, string) {
	switch {
	case p.recipe.network == "":
		return true, "none but what it may reach"
	case p.run.network == nil:
		return true, p.recipe.network + "; this machine answers in it, for only root does without"
	}
	if leadsOutside(p.run.network) {
		return false, p.recipe.network + " leads outside"
	}
	if hasIPv6(p.run.network) {
		return false, "this machine answers in " + p.recipe.network + " by IPv6"
	}
	return true, p.recipe.network
}
