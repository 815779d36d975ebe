package local

import (
	"maps"

	"github.com/fairlead/fairlead/workload"
)

// instanceEnv is the whole environment of an instance's app.
func instanceEnv(spec workload.Spec, inside setup) []string {
	env := baseEnv(inside)
	maps.Copy(env, spec.Variables(inside.Port, inside.SecretDir))
	return workload.Environ(env)
}

// baseEnv is the environment of every process in a sandbox.
func baseEnv(inside setup) map[string]string {
	temp := "/tmp"
	if !inside.Namespaces {
		temp = inside.Stage
	}
	return map[string]string{"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": temp, "TMPDIR": temp, "LANG": "C.UTF-8"}
}
