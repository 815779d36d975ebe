package container

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/moby/client"

	"github.com/fairlead/fairlead/workload"
)

// About returns what the engine says of itself.
func (e *Engine) About(ctx context.Context) (workload.EngineDiagnosis, error) {
	result, err := e.api.Info(ctx, client.InfoOptions{})
	if err != nil {
		return workload.EngineDiagnosis{}, e.failed("ask the engine", err)
	}
	info := result.Info
	d := workload.EngineDiagnosis{Found: true, Host: e.Host, Name: e.Name, API: e.Version, Storage: info.Driver, Root: info.DockerRootDir}
	if info.CgroupVersion != "" {
		d.Cgroups = fmt.Sprintf("version %s, %s", info.CgroupVersion, info.CgroupDriver)
	}
	d.Rootless = slices.ContainsFunc(info.SecurityOptions, func(o string) bool { return strings.HasPrefix(o, "name=rootless") })
	for _, option := range info.SecurityOptions {
		if rest, ok := strings.CutPrefix(option, "name=seccomp"); ok {
			d.Seccomp = strings.TrimPrefix(rest, ",profile=")
			if d.Seccomp == "" {
				d.Seccomp = "default"
			}
		}
	}
	return d, nil
}
