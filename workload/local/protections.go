package local

import (
	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// Required reports whether sandbox: required cannot do without the protection
// called name for an instance that asks for these resources. Limits are demanded
// only where the resources ask for them.
func Required(name string, asked fairlead.Resources) bool {
	switch name {
	case workload.UserNamespace, workload.MountNamespace, workload.PidNamespace, workload.NetworkNamespace, workload.IPCNamespace, workload.UTSNamespace,
		workload.CleanStart, workload.Landlock, workload.Seccomp, workload.NoNewPrivileges, workload.NoCoreDumps, workload.NoCapabilities:
		return true
	case workload.MemoryLimit:
		return asked.Memory != ""
	case workload.CPULimit:
		return asked.CPU != ""
	}
	return false
}

// missing returns the protections that sandbox: required cannot do without and
// that are not enforced.
func missing(protections []workload.Protection, asked fairlead.Resources) []workload.Protection {
	var lacking []workload.Protection
	for _, p := range protections {
		if !p.Enforced && Required(p.Name, asked) {
			lacking = append(lacking, p)
		}
	}
	return lacking
}

// atStart are the required protections that each start of an app takes for
// itself.
func atStart() []string {
	return []string{workload.CleanStart, workload.Landlock, workload.Seccomp, workload.NoNewPrivileges, workload.NoCoreDumps, workload.NoCapabilities}
}
