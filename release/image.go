package release

import (
	"context"

	"github.com/fairlead/fairlead"
)

// Images find or make the image that an App file names, and say what a release
// holds of it. Its errors are for who deploys.
type Images func(ctx context.Context, m Making) (Imaged, error)

// Imaged is a container image that a release can run.
type Imaged struct {
	Image   fairlead.Image
	Tree    fairlead.Digest // its configuration and the files that the App file names
	Command []string        // its entry point and arguments
	Port    int             // the one port that it exposes, or 0
	Kept    fairlead.Digest // the tree from which the engine can load it again, or nothing
}

// standardPort is where an app listens when nothing says otherwise.
const standardPort = 8080

// complete fills in what the file leaves to the image.
func (i Imaged) complete(s *fairlead.AppSpec) error {
	if len(s.Command) == 0 {
		s.Command = i.Command
	}
	if len(s.Command) == 0 {
		return fairlead.Errorf(fairlead.Invalid, "", "%s: the image names no program to run", i.Image.Reference).
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
