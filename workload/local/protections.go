package local

import (
	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// Names of protections, as statuses and doctor print them.
const (
	UserNamespace    = "user namespace"
	MountNamespace   = "mount namespace"
	PidNamespace     = "pid namespace"
	NetworkNamespace = "network namespace"
	IPCNamespace     = "ipc namespace"
	UTSNamespace     = "uts namespace"
	Landlock         = "landlock"
	Seccomp          = "seccomp"
	NoNewPrivileges  = "no new privileges"
	NoCapabilities   = "capabilities"
	NoCoreDumps      = "no core dumps"
	CleanStart       = "clean start"     // no descriptor and no variable of the shim
	UnreadableInit   = "unreadable init" // the shim-init, which held the secrets, gives nothing away
	MemoryLimit      = "memory limit"
	CPULimit         = "cpu limit"
	ProcessLimit     = "process limit"
	FileLimit        = "file limit"
	ScratchLimit     = "scratch limit"
	SecretsInMemory  = "secrets in memory"
)

// Required reports whether sandbox: required cannot do without the protection
// called name for an instance that asks for these resources. Limits are demanded
// only where the resources ask for them.
func Required(name string, asked fairlead.Resources) bool {
	switch name {
	case UserNamespace, MountNamespace, PidNamespace, NetworkNamespace, IPCNamespace, UTSNamespace,
		CleanStart, Landlock, Seccomp, NoNewPrivileges, NoCoreDumps, NoCapabilities:
		return true
	case MemoryLimit:
		return asked.Memory != ""
	case CPULimit:
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
	return []string{CleanStart, Landlock, Seccomp, NoNewPrivileges, NoCoreDumps, NoCapabilities}
}
