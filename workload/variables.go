package workload

import (
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"slices"
)

// Variables are the environment variables that an instance is given by Fairlead, by its
// devices and by its file, when its app listens on port and finds its secrets in secretDir.
func (s Spec) Variables(port int, secretDir string) map[string]string {
	env := maps.Clone(s.Env)
	if env == nil {
		env = map[string]string{}
	}
	for _, d := range s.Devices {
		maps.Copy(env, d.Env)
	}
	env["PORT"] = fmt.Sprint(port)
	env["FAIRLEAD_APP"], env["FAIRLEAD_ENV"] = s.Site.App, s.Site.Env
	env["FAIRLEAD_RELEASE"], env["FAIRLEAD_INSTANCE"] = fmt.Sprint(s.Release), s.ID
	env["FAIRLEAD_SECRETS"] = secretDir
	return env
}

// Environ writes env as execve takes it, sorted.
func Environ(env map[string]string) []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

// TenantUser returns the user id outside under which a tenant's instances run: one
// of a hundred thousand that no account has.
func TenantUser(tenant string) int {
	hash := fnv.New32a()
	io.WriteString(hash, tenant)
	return 200_000 + int(hash.Sum32()%100_000)
}
