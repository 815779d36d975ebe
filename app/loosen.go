package app

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/strictyaml"
)

// capabilities are those that a container may keep: what they allow stays inside
// its namespaces (capabilities(7)).
func capabilities() []string {
	return []string{"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE", "MKNOD",
		"NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT", "SYS_NICE",
		"SYS_PTRACE", "SYS_RESOURCE"}
}

// machineCapabilities reach the machine and everybody on it from inside a container.
func machineCapabilities() []string {
	return []string{"AUDIT_CONTROL", "AUDIT_READ", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "DAC_READ_SEARCH", "LINUX_IMMUTABLE",
		"MAC_ADMIN", "MAC_OVERRIDE", "PERFMON", "SYSLOG", "SYS_ADMIN", "SYS_BOOT", "SYS_MODULE", "SYS_PACCT", "SYS_RAWIO", "SYS_TIME",
		"SYS_TTY_CONFIG", "WAKE_ALARM"}
}

// wrongCapability says why a container cannot keep a capability, or nothing.
func wrongCapability(name string) string {
	bare, prefixed := strings.CutPrefix(strings.ToUpper(name), "CAP_")
	switch {
	case slices.Contains(machineCapabilities(), bare):
		return fmt.Sprintf("%s reaches beyond the container to the whole machine; no container is given it", bare)
	case slices.Contains(capabilities(), bare) && (prefixed || bare != name):
		return fmt.Sprintf("write %s for %s", bare, name)
	case !slices.Contains(capabilities(), name):
		return fmt.Sprintf("%q is no capability that a container can keep%s", clip(name), strictyaml.DidYouMean(name, capabilities()))
	}
	return ""
}

// loosen applies what binds looseness to the artifact.
func (c *checking) loosen(spec fairlead.AppSpec) {
	const field = "spec.loosen"
	if spec.Loosen == nil {
		return
	}
	if !spec.Artifact.Container() {
		c.problem(field, "is for containers (artifact: image, dockerfile or archive); what runs in a sandbox has one and the same everywhere")
	}
	for i, env := range spec.Environments {
		if env.Sandbox == fairlead.SandboxRequired {
			c.problem(fmt.Sprintf("spec.environments[%d].sandbox", i), "required allows nothing looser than the default, and spec.loosen asks for it")
		}
	}
	if reflect.ValueOf(*spec.Loosen).IsZero() {
		c.problem(field, "loosens nothing; leave it out")
	}
	for i, name := range spec.Loosen.Capabilities {
		if slices.Contains(spec.Loosen.Capabilities[:i], name) {
			c.problem(fmt.Sprintf("%s.capabilities[%d]", field, i), "%q is listed twice", clip(name))
		}
	}
}
