package app

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
)

var volumeForm = regexp.MustCompile(volumePattern)

// OneWriter returns the first of volumes that only one instance may write to and
// that releases hand on, so that an old and a new release must never run at once.
func OneWriter(volumes []fairlead.Volume) (fairlead.Volume, bool) {
	i := slices.IndexFunc(volumes, func(v fairlead.Volume) bool { return !v.Shared && !v.Fresh })
	if i < 0 {
		return fairlead.Volume{}, false
	}
	return volumes[i], true
}

// volumes applies what binds volumes to each other, to the artifact and to the
// environments.
func (c *checking) volumes(spec fairlead.AppSpec) {
	c.unique("spec.volumes", "name", len(spec.Volumes), func(i int) string { return spec.Volumes[i].Name })
	for i, v := range spec.Volumes {
		at := fmt.Sprintf("spec.volumes[%d]", i)
		c.amount(at+".size", v.Size, "storage")
		if !volumeForm.MatchString(v.Path) {
			continue // its form is wrong already
		}
		if clean := path.Clean(v.Path); clean != v.Path {
			c.problem(at+".path", "%q can be written %q; use that", clip(v.Path), clip(clean))
			continue
		}
		if says := reservedPath(v.Path, spec.Artifact.Container()); says != "" {
			c.problem(at+".path", "%s", says)
		}
		for _, other := range spec.Volumes[:i] {
			if volumeForm.MatchString(other.Path) && (within(v.Path, other.Path) || within(other.Path, v.Path)) {
				c.problem(at+".path", "%q and %q of %s lie in each other; volumes stand side by side", clip(v.Path), clip(other.Path), clip(other.Name))
			}
		}
	}
	for i, env := range spec.Environments {
		c.writers(fmt.Sprintf("spec.environments[%d]", i), env, spec.Volumes)
	}
}

// writers demands that nothing writes to a volume of one writer beside another.
func (c *checking) writers(at string, env fairlead.Environment, volumes []fairlead.Volume) {
	for _, v := range volumes {
		if !v.Shared && env.Replicas > 1 {
			c.problem(at+".replicas", "volume %s has one writer, so want 1, found %d; say shared: true of the volume if the app writes to it from several instances", clip(v.Name), env.Replicas)
			break
		}
	}
	v, one := OneWriter(volumes)
	if strategy := env.Strategy.Type; one && slices.Contains([]string{fairlead.Canary, fairlead.BlueGreen, fairlead.Rolling}, strategy) {
		c.problem(at+".strategy.type", "%s runs the old and the new release at once, and volume %s has one writer; write replace, or say of the volume shared: true (both write at once) or fresh: true (each release has its own)", strategy, clip(v.Name))
	}
}

// within reports whether clean path p is dir or lies below it.
func within(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}

// reservedPath says why no volume may lie at clean path p, or nothing.
func reservedPath(p string, container bool) string {
	for _, taken := range []string{"/proc", "/sys", "/dev", "/tmp", "/run/secrets"} {
		if within(p, taken) || within(taken, p) {
			return fmt.Sprintf("%q would hide %s, which Fairlead provides; choose another such as \"/data\"", clip(p), taken)
		}
	}
	for _, dir := range []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc"} {
		if p == dir || !container && within(p, dir) {
			return fmt.Sprintf("%q would hide programs or their settings; choose another such as \"/data\"", clip(p))
		}
	}
	if !container && within(p, "/app") {
		return fmt.Sprintf("%q lies in /app, where the artifact is, which nothing writes to; choose another such as \"/data\"", clip(p))
	}
	return ""
}
