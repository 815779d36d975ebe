package local

import (
	"fmt"
	"maps"
	"slices"

	"github.com/fairlead/fairlead/workload"
)

// instanceEnv is the whole environment of an instance's app.
func instanceEnv(spec workload.Spec, inside setup) []string {
	env := baseEnv(inside)
	for name, value := range spec.Env {
		env[name] = value
	}
	env["PORT"] = fmt.Sprint(inside.Port)
	env["FAIRLEAD_APP"], env["FAIRLEAD_ENV"] = spec.Site.App, spec.Site.Env
	env["FAIRLEAD_RELEASE"], env["FAIRLEAD_INSTANCE"] = fmt.Sprint(spec.Release), spec.ID
	env["FAIRLEAD_SECRETS"] = inside.SecretDir
	return environ(env)
}

// baseEnv is the environment of every process in a sandbox.
func baseEnv(inside setup) map[string]string {
	temp := "/tmp"
	if !inside.Namespaces {
		temp = inside.Stage
	}
	return map[string]string{"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": temp, "TMPDIR": temp, "LANG": "C.UTF-8"}
}

// environ writes env as execve takes it, sorted.
func environ(env map[string]string) []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}
