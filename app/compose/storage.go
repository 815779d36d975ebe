package compose

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/fairlead/fairlead"
)

// storage carries what a service keeps.
type storage struct{ *carrying }

// guessedSize is written where a compose file says no size, as none does.
const guessedSize = "10Gi"

// volumes carries storage that compose keeps; what lies in the machine's own
// directories stays there.
func (c storage) volumes() error {
	for i, mount := range c.service.Volumes {
		at := fmt.Sprintf("volumes.%d", i)
		what := "volumes: " + mount.Target
		switch mount.Type {
		case types.VolumeTypeVolume:
			c.volume(at, mount)
		case types.VolumeTypeBind:
			c.bind(at, mount)
		case types.VolumeTypeTmpfs:
			c.scratch(at, mount.Target)
		default:
			c.note(Lost, at, what, "an app has volumes of its own only, no "+mount.Type, "copy what is there into the image, or into a volume")
		}
	}
	return nil
}

// volume carries a named volume, or one without a name, which each release has anew.
func (c storage) volume(at string, mount types.ServiceVolumeConfig) {
	what := "volumes: " + mount.Source + " at " + mount.Target
	volume := fairlead.Volume{Name: label(mount.Source), Path: path.Clean(mount.Target), Size: guessedSize}
	if mount.Source == "" {
		what = "volumes: " + mount.Target
		volume.Name, volume.Fresh = label(path.Base(mount.Target)), true
	}
	sharers := c.project.mounting(mount.Source)
	volume.Shared = c.service.GetScale() > 1 // also where none of them writes: one writer would mean one instance
	if wrong := c.offer("spec.volumes", func(s *fairlead.AppSpec) { s.Volumes = append(slices.Clone(s.Volumes), volume) }); wrong != "" {
		c.note(Lost, at, what, wrong, "keep it at another path")
		return
	}
	field := fmt.Sprintf("spec.volumes[%d]", len(c.spec.Volumes)-1)
	c.carried("volumes")
	begins := "write the size that it needs"
	if !volume.Fresh {
		begins += "; what the old one holds has to be copied into STATE/volumes/production/" + c.made.App + "/" + volume.Name + "/data, whose owner stays"
	}
	c.note(Decide, at, what, "compose sets no size, and "+guessedSize+" was written; it begins empty", begins)
	c.remark(field+".size", "TODO: choose; compose sets none.")
	switch {
	case volume.Shared && volume.Fresh:
		c.note(Decide, at, what, "compose gives each instance one of its own, and here a release's instances have it together (shared: true)", "have each write to names of its own")
		c.remark(field+".shared", "TODO: the instances of a release have it together; in compose each had its own.")
	case volume.Shared && !mount.ReadOnly:
		c.note(Decide, at, what, "the service has several instances, so that all of them write to it at once (shared: true)", "leave that out where only one may write")
		c.remark(field+".shared", "TODO: several instances write to it at once. Is that meant?")
	}
	if !volume.Shared && !volume.Fresh {
		c.oneWriter(at, mount.Target)
	}
	if mount.ReadOnly {
		c.note(Lost, at, what+": read-only", "a volume may be written by its app", "see that the app does not")
	}
	if len(sharers) > 1 {
		c.note(Lost, at, what, "volumes are an app's own, and "+strings.Join(sharers, ", ")+" share this one", "have one app keep it, and the others ask that one")
	}
	if kept := c.project.types.Volumes[mount.Source]; bool(kept.External) || kept.Driver != "" && kept.Driver != "local" || len(kept.DriverOpts) > 0 {
		c.note(Lost, at, "volumes: "+mount.Source+": driver, external", "a volume is a directory of this machine", "copy what it holds")
	}
}

// oneWriter has releases follow each other where only one may write.
func (c storage) oneWriter(at, target string) {
	env := c.environmentSpec()
	if env.Strategy.Type == fairlead.Replace {
		return
	}
	env.Strategy.Type = fairlead.Replace
	c.note(Decide, at, "volumes: "+target, "one instance writes to it at a time, so that a new release begins when the old one has ended (strategy type replace)",
		"say shared: true of the volume where both may write at once, and leave the strategy out")
}

// mounting returns the services that a named volume is mounted in.
func (p *project) mounting(source string) []string {
	var all []string
	for _, name := range sortedNames(p.types.Services) {
		has := func(v types.ServiceVolumeConfig) bool { return v.Type == types.VolumeTypeVolume && v.Source == source }
		if source != "" && slices.ContainsFunc(p.types.Services[name].Volumes, has) {
			all = append(all, name)
		}
	}
	return all
}

// bind tells what to do about a directory or file of the machine.
func (c storage) bind(at string, mount types.ServiceVolumeConfig) {
	source := c.project.relativeName(mount.Source)
	what := fmt.Sprintf("volumes: %s at %s", source, mount.Target)
	instead := "COPY it in the Dockerfile, so that it is a part of the release"
	switch {
	case strings.HasSuffix(mount.Source, "docker.sock") || strings.HasSuffix(mount.Source, "podman.sock"):
		instead = "do without: who may use the engine is as good as root"
	case filepath.Dir(mount.Source) == "/" || strings.HasPrefix(mount.Source, "/proc") || strings.HasPrefix(mount.Source, "/sys") || strings.HasPrefix(mount.Source, "/dev") || strings.HasPrefix(mount.Source, "/etc"):
		instead = "do without: the machine's own directories are no app's"
	case !mount.ReadOnly:
		instead = "declare a volume at " + mount.Target + " where the app writes there; " + instead + " where it only reads"
	}
	c.note(Lost, at, what, "no directory of the machine is seen inside", instead)
}

// tmpfs tells what becomes of directories in memory.
func (c storage) tmpfs() error {
	for i, each := range c.service.Tmpfs {
		target, _, _ := strings.Cut(each, ":")
		c.scratch(fmt.Sprintf("tmpfs.%d", i), target)
	}
	return nil
}

// scratch carries a directory in memory: /tmp is one, of 256 MiB.
func (c storage) scratch(at, target string) {
	switch path.Clean(target) {
	case "/tmp", "/dev/shm":
		c.carried("tmpfs")
	default:
		c.note(Lost, at, "tmpfs: "+target, "/tmp is the one directory in memory", "have the app use /tmp, or declare a volume at "+target+" with fresh: true")
	}
}

// configs tells what to do about files that compose puts inside.
func (c storage) configs() error {
	for i, used := range c.service.Configs {
		target := used.Target
		if target == "" {
			target = "/" + used.Source
		}
		c.note(Lost, fmt.Sprintf("configs.%d", i), "configs: "+used.Source+" at "+target, "configuration is a part of the release",
			"COPY it in the Dockerfile to "+target+", and name it under spec.config, so that a diff shows its lines")
	}
	return nil
}
