package shim

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/reach"
)

var (
	idForm     = regexp.MustCompile(`^[a-z0-9-]{1,80}$`)
	secretForm = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$`)
	envForm    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// check refuses what cannot be run.
func (k Kinds) check(spec workload.Spec, secrets workload.Secrets) error {
	invalid := func(format string, args ...any) error {
		return fairlead.Errorf(fairlead.Invalid, "", format, args...)
	}
	if !idForm.MatchString(spec.ID) {
		return invalid("%q is not an id: at most 80 of [a-z0-9-]", spec.ID)
	}
	if spec.Port < 1 || spec.Port > 65535 {
		return invalid("%d is not a port", spec.Port)
	}
	size := 0
	for name, value := range secrets {
		if !secretForm.MatchString(name) {
			return invalid("%q cannot be the file name of a secret", name)
		}
		size += len(value)
	}
	if size > mostSecrets {
		return invalid("secrets of %d bytes; at most %d", size, mostSecrets)
	}
	kind, err := k.of(spec.Image)
	if err != nil {
		return err
	}
	if err := checkRun(spec.Command, spec.Env, spec.Sandbox, spec.Resources, spec.Network); err != nil {
		return err
	}
	if err := checkOwnPort(spec); err != nil {
		return err
	}
	return kind.Check(spec)
}

// checkOwnPort refuses to lead the port at which an instance is asked and served out to
// somebody else, who would answer in its place.
func checkOwnPort(spec workload.Spec) error {
	rules, err := reach.Parse(spec.Network)
	for _, rule := range rules {
		if int(rule.Port) == spec.Port && (rule.At == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || rule.At == netip.IPv6Loopback()) {
			return fairlead.Errorf(fairlead.Invalid, "", "network.reach leads %s:%d outside, where the app itself must listen", rule.Host, rule.Port).
				WithHint("give the app another port, or reach the other one by a name, such as one that ends in .localhost")
		}
	}
	return err
}

// checkRun is what instances and jobs have in common.
func checkRun(command []string, env map[string]string, sandbox string, resources fairlead.Resources, network fairlead.Network) error {
	switch {
	case len(command) == 0 || command[0] == "":
		return fairlead.Errorf(fairlead.Invalid, "", "the command is empty")
	case slices.ContainsFunc(command, func(s string) bool { return strings.ContainsRune(s, 0) }):
		return fairlead.Errorf(fairlead.Invalid, "", "the command has a zero byte")
	case sandbox != fairlead.SandboxRequired && sandbox != fairlead.SandboxPreferred && sandbox != "":
		return fairlead.Errorf(fairlead.Invalid, "", "sandbox is %q, neither required nor preferred", sandbox)
	}
	for name, value := range env {
		if !envForm.MatchString(name) || strings.ContainsRune(value, 0) {
			return fairlead.Errorf(fairlead.Invalid, "", "%q cannot be an environment variable", name)
		}
	}
	if _, err := workload.LimitsOf(resources); err != nil {
		return err
	}
	_, err := reach.Parse(network)
	return err
}
