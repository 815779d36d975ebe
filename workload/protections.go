package workload

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
