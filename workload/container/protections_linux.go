package container

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/shim"
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

// inspect reads back what a container really has, and makes what the app may reach
// reachable, before the app is let go. It is a *shim.Refusal where something is missing
// that must be there.
func (b *body) inspect(r *run, found container.InspectResponse) ([]workload.Protection, error) {
	f := readFacts(found.State.Pid)
	if r.main.ended() {
		return nil, errNotRunning // and so not weaker than it must be
	}
	if r.network != nil {
		_ = noIPv6(r.network) // what is left of it is read back
	}
	all := b.protections(r, f)
	if err := r.connect(b.recipe.rules); err != nil {
		return nil, &shim.Refusal{Reason: "what network.reach names cannot be made reachable: " + err.Error(), Protections: all}
	}
	if !b.recipe.required {
		return all, nil
	}
	var lacking []string
	for _, p := range all {
		if !p.Enforced && Required(p.Name, b.recipe.asked, b.recipe.loosen) {
			lacking = append(lacking, fmt.Sprintf("%s (%s)", p.Name, p.Detail))
		}
	}
	if len(lacking) > 0 {
		return nil, &shim.Refusal{Reason: "this engine does not enforce what sandbox: required demands: " + strings.Join(lacking, ", "), Protections: all}
	}
	return all, nil
}

// protections judges facts. What cannot be read is not enforced, as far as anybody
// knows.
func (b *body) protections(r *run, f facts) []workload.Protection {
	loosen := b.recipe.loosen
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
	add(workload.FileLimit, f.limits["Max open files"] == strconv.FormatInt(b.recipe.files, 10), "", f.limits["Max open files"])
	all = append(all, b.limitProtections(f)...)
	enforced, detail := b.scratch(f)
	add(workload.ScratchLimit, enforced, "", detail)
	if !b.recipe.job {
		kind := f.mounts[insideSecrets].kind
		add(workload.SecretsInMemory, kind == "ramfs" || kind == "tmpfs", "", b.vault.detail)
	}
	enforced, detail = b.ownNetwork(r)
	add(workload.OwnNetwork, enforced, "", detail)
	if len(b.recipe.devices) > 0 {
		enforced, detail := ownDevices(r.main.pid, b.recipe.devices)
		add(workload.OwnDevices, enforced, "", detail)
	}
	return all
}

// scratch judges the sizes of the places to write that go with a container.
func (b *body) scratch(f facts) (bool, string) {
	temp, shm := f.mounts["/tmp"], f.mounts["/dev/shm"]
	wanted := fmt.Sprintf("size=%dk", (b.recipe.limits.Shm+pageSize-1)/pageSize*pageSize>>10)
	if temp.kind != "tmpfs" || !strings.Contains(temp.options, "size=") {
		return false, "/tmp has no size"
	}
	if shm.kind != "tmpfs" || !shm.has(wanted) {
		return false, "/dev/shm is not of the size that it should be: " + shm.options
	}
	return true, fmt.Sprintf("%d MiB in /tmp, %d MiB in /dev/shm", workload.TempSize>>20, b.recipe.limits.Shm>>20)
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

// limitProtections judges the limits of the control groups, version 1 and 2.
func (b *body) limitProtections(f facts) []workload.Protection {
	limits := b.recipe.limits
	var all []workload.Protection
	judge := func(name string, wanted bool, want string, got string, found bool) {
		p := workload.Protection{Name: name, Enforced: wanted && found && got == want, Detail: got}
		switch {
		case !wanted:
			p.Detail = "none is asked for"
		case !found:
			p.Detail = "no control group says so"
		}
		all = append(all, p)
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
	judge(workload.ProcessLimit, true, strconv.FormatInt(b.recipe.processes(), 10), processes, found)
	if i := len(all) - 1; b.recipe.loosen.Processes > workload.MostProcesses {
		all[i].Detail = fmt.Sprintf("asked for: %d processes", b.recipe.loosen.Processes)
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

// ownNetwork judges the container's network.
func (b *body) ownNetwork(r *run) (bool, string) {
	switch {
	case b.recipe.network == "":
		return true, "none but what it may reach"
	case r.network == nil:
		return true, b.recipe.network + "; this machine answers in it, for only root does without"
	}
	if leadsOutside(r.network) {
		return false, b.recipe.network + " leads outside"
	}
	if hasIPv6(r.network) {
		return false, "this machine answers in " + b.recipe.network + " by IPv6"
	}
	return true, b.recipe.network
}
