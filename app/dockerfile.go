package app

import (
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/secretive"
)

// strayFile is where a Dockerfile is uploaded that lies outside of its context.
const strayFile = ".fairlead/Dockerfile"

// Context returns the directory that an artifact's Dockerfile copies from, relative
// to the App file.
func Context(a fairlead.Artifact) string {
	if a.Context != "" {
		return path.Clean(a.Context)
	}
	return path.Dir(path.Clean(a.Dockerfile))
}

// BuildFile returns where in the uploaded context an artifact's Dockerfile is.
func BuildFile(a fairlead.Artifact) string {
	inside, err := filepath.Rel(filepath.FromSlash(Context(a)), filepath.FromSlash(path.Clean(a.Dockerfile)))
	if err != nil || !filepath.IsLocal(inside) {
		return strayFile
	}
	return filepath.ToSlash(inside)
}

// build demands that what only a build takes goes with a Dockerfile, and that nothing
// secret is among its arguments: engines write them into the image's history.
func (c *checking) build(spec fairlead.AppSpec) {
	a := spec.Artifact
	if a.Target != "" && a.Dockerfile == "" {
		c.problem("spec.artifact.target", "is a stage of a dockerfile; there is none")
	}
	if len(a.BuildArgs) > 0 && a.Dockerfile == "" {
		c.problem("spec.artifact.buildArgs", "are for a dockerfile; there is none")
	}
	for _, name := range slices.Sorted(maps.Keys(a.BuildArgs)) {
		value := a.BuildArgs[name]
		declared := slices.ContainsFunc(spec.Secrets, func(s fairlead.SecretRef) bool { return s.Name == name })
		if declared || strings.HasPrefix(value, "secret:") || strings.Contains(value, "/run/secrets/") || strings.Contains(value, "FAIRLEAD_SECRETS") || secretive.Setting(name, value) {
			c.problem("spec.artifact.buildArgs."+clip(name), "looks like a secret, and the image and the release keep build arguments for good; a build has no secrets: have the app read it when it runs (spec.secrets), or fetch what needs it before and COPY it")
		}
	}
}
