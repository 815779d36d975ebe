package container

import (
	"path"
	"regexp"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// Containers is the kind of body whose instances and jobs are containers of an
// engine. It is safe for concurrent use.
type Containers struct{}

// Check implements shim.Kind.
func (Containers) Check(spec workload.Spec) error {
	if spec.Dir != "" {
		return fairlead.Errorf(fairlead.Invalid, "", "it has both an image and the directory %q", spec.Dir)
	}
	if err := checkImage(spec.Image); err != nil {
		return err
	}
	return checkLoosen(spec.Loosen)
}

// CheckJob implements shim.Kind.
func (Containers) CheckJob(job workload.Job) error {
	if job.Dir != "" && !absolute(job.Dir) {
		return fairlead.Errorf(fairlead.Invalid, "", "%q is not an absolute path", job.Dir)
	}
	return checkImage(job.Image)
}

func checkImage(image *workload.Image) error {
	switch {
	case image == nil || image.ID == "":
		return fairlead.Errorf(fairlead.Invalid, "", "the image has no id")
	case image.Engine == "":
		return fairlead.Errorf(fairlead.Invalid, "", "the image %s does not say which engine has it", image.Name)
	case image.WorkDir != "" && !absolute(image.WorkDir):
		return fairlead.Errorf(fairlead.Invalid, "", "the image's working directory %q is not an absolute path", image.WorkDir)
	case path.Clean(image.WorkDir) == "/proc" || strings.HasPrefix(path.Clean(image.WorkDir), "/proc/"):
		return fairlead.Errorf(fairlead.Invalid, "", "the image's working directory %.80q is no directory of the image", image.WorkDir).WithHint("build it with a WORKDIR such as /srv")
	}
	return nil
}

var capabilityForm = regexp.MustCompile(`^[A-Z][A-Z_]{1,39}$`)

func checkLoosen(loosen *fairlead.Loosen) error {
	if loosen == nil {
		return nil
	}
	for _, name := range loosen.Capabilities {
		if !capabilityForm.MatchString(name) || name == "ALL" {
			return fairlead.Errorf(fairlead.Invalid, "", "%q is not the name of a capability", name).WithHint(`write it as in "NET_BIND_SERVICE"`)
		}
	}
	if loosen.Processes < 0 {
		return fairlead.Errorf(fairlead.Invalid, "", "%d is not a number of processes", loosen.Processes)
	}
	return nil
}

// absolute reports whether a path begins at the root, on any system: containers are
// Linux's.
func absolute(path string) bool { return len(path) > 0 && path[0] == '/' }
