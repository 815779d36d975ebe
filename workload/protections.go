package workload

import (
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/figures"
	"github.com/fairlead/fairlead/internal/quantity"
)

// Names of protections, as statuses and doctor print them. A sandboxed process and a
// container have those that apply to them.
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
	SwapLimit        = "swap limit" // memory and swap together are at most the memory limit
	CPULimit         = "cpu limit"
	ProcessLimit     = "process limit"
	FileLimit        = "file limit"
	ScratchLimit     = "scratch limit"
	SecretsInMemory  = "secrets in memory"
	NonRoot          = "non-root user"
	ReadOnlyRoot     = "read-only root"
	OwnDevices       = "devices"            // of the machine's GPUs only those that are its own
	OwnNetwork       = "network of its own" // shared with instances of its own app and environment only
)

// Shown is what is known of p as people read it. Records have limits as plain numbers:
// bytes, or thousandths of a core.
func (p Protection) Shown() string {
	number, _, _ := strings.Cut(p.Detail, " thousandths of a core")
	n, err := strconv.ParseInt(number, 10, 64)
	switch {
	case err != nil || n < 0:
		return p.Detail
	case p.Name == SwapLimit && n == 0:
		return "no swap"
	case p.Name == MemoryLimit || p.Name == SwapLimit:
		return figures.Bytes(n)
	case p.Name == CPULimit && n == 1000:
		return "1 core"
	case p.Name == CPULimit:
		return quantity.CPU(n) + " cores"
	}
	return p.Detail
}
