package app

import (
	"path"
	"path/filepath"

	"github.com/fairlead/fairlead"
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
