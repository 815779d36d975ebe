package doctor

import (
	"os"
	"strings"

	"github.com/fairlead/fairlead/workload"
)

// hint says what to do about a protection that is not enforced.
func hint(c workload.Check) string {
	switch c.Name {
	case workload.UserNamespace, workload.MountNamespace, workload.PidNamespace, workload.NetworkNamespace, workload.IPCNamespace, workload.UTSNamespace:
		return namespaceHint(sysctl)
	case workload.Landlock:
		return "needs Linux 5.13 or newer with landlock in its lsm= list"
	case workload.MemoryLimit, workload.CPULimit:
		return "run as root, or with cgroup version 2 in one that is delegated: systemd-run --user --scope -p Delegate=yes fairlead up"
	case workload.SecretsInMemory:
		return "comes with the mount namespace; until then encrypt the swap, or have none"
	case workload.ScratchLimit:
		return "comes with the mount namespace"
	case workload.ProcessLimit:
		return "comes with the user namespace, or as root with a cgroup"
	}
	return ""
}

// namespaceHint reads why namespaces cannot be had from the kernel's settings.
func namespaceHint(setting func(name string) string) string {
	switch {
	case setting("kernel/apparmor_restrict_unprivileged_userns") == "1" && os.Getuid() != 0:
		return "run as root, or allow it: sysctl kernel.apparmor_restrict_unprivileged_userns=0"
	case setting("kernel/unprivileged_userns_clone") == "0" && os.Getuid() != 0:
		return "run as root, or allow it: sysctl kernel.unprivileged_userns_clone=1"
	case setting("user/max_user_namespaces") == "0":
		return "allow namespaces: sysctl user.max_user_namespaces=10000"
	}
	return "in a container, let it make user namespaces (seccomp and AppArmor profiles)"
}

func sysctl(name string) string {
	data, _ := os.ReadFile("/proc/sys/" + name)
	return strings.TrimSpace(string(data))
}
