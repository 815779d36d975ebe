package release

import (
	"context"

	"github.com/fairlead/fairlead"
)

// Images find or make the image that an App file names, and say what a release
// holds of it. The tree is what was uploaded with the file: the context of a
// Dockerfile or an archive.
type Images func(ctx context.Context, app fairlead.App, tree fairlead.Digest) (Imaged, error)

// Imaged is a container image that a release can run.
type Imaged struct {
	Image   fairlead.Image
	Tree    fairlead.Digest // its configuration and the files that the App file names
	Command []string        // its entry point and arguments
	Port    int             // the one port that it exposes, or 0
}

// InContainer reports whether an artifact runs in containers.
func InContainer(a fairlead.Artifact) bool {
	return a.Image != "" || a.Dockerfile != "" || a.Archive != ""
}

// standardPort is where an app listens when nothing says otherwise.
const standardPort = 8080

// complete fills in what the file leaves to the image.
func (i Imaged) complete(s *fairlead.AppSpec) error {
	if len(s.Command) == 0 {
		s.Command = i.Command
	}
	if len(s.Command) == 0 {
		return fairlead.Errorf(fairlead.Invalid, "", "the image %s says no program to run", i.Image.Reference).
			WithHint("name one under spec.command, or give the image an ENTRYPOINT")
	}
	if s.Port == 0 {
		s.Port = i.Port
	}
	if s.Port == 0 {
		s.Port = standardPort
	}
	return nil
}
