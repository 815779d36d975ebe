package container

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/moby/moby/client"

	"github.com/fairlead/fairlead"
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

// Discard removes an image that has no name, which this program had loaded.
func (e *Engine) Discard(ctx context.Context, id fairlead.Digest) error {
	_, err := e.api.ImageRemove(ctx, string(id), client.ImageRemoveOptions{Force: true})
	if err != nil && !gone(err) {
		return e.failed("remove the image", err)
	}
	return nil
}

// InsideInit is where every container has this program, read-only.
const InsideInit = insideInit

// RunsInContainers reports whether program, which is the first process of each
// container, can run where there are no libraries: it must be linked statically.
func RunsInContainers(program string) error {
	file, err := elf.Open(program)
	if err != nil {
		return fmt.Errorf("read %s: %w", program, err)
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			if at, err := os.Readlink(program); err == nil { // such as /proc/self/exe
				program = at
			}
			return fairlead.Errorf(fairlead.Unsupported, "", "%s was linked with libraries of this machine, which a container has not", program).
				WithHint("build it with CGO_ENABLED=0, as `make build` does")
		}
	}
	return nil
}

// DiscardLabelled removes every image that has a label of this value, with its names.
func (e *Engine) DiscardLabelled(ctx context.Context, label, value string) error {
	found, err := e.api.ImageList(ctx, client.ImageListOptions{All: true, Filters: client.Filters{}.Add("label", label+"="+value)})
	if err != nil {
		return e.failed("list images", err)
	}
	var failed error
	for _, image := range found.Items {
		failed = errors.Join(failed, e.Discard(ctx, fairlead.Digest(image.ID)))
	}
	return failed
}
