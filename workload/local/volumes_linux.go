package local

import (
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// checkVolumes refuses volumes that no sandbox can show.
func checkVolumes(volumes []workload.Volume) error {
	for i, v := range volumes {
		if err := checkDir(v.Source); err != nil {
			return err
		}
		if !filepath.IsAbs(v.Path) || filepath.Clean(v.Path) != v.Path || shownAlready(v.Path) {
			return fairlead.Errorf(fairlead.Invalid, "", "volume %s cannot be shown at %q", v.Name, v.Path).
				WithHint(`choose a directory of its own, such as "/data"`)
		}
		for _, other := range volumes[:i] {
			if below(v.Path, other.Path) || below(other.Path, v.Path) {
				return fairlead.Errorf(fairlead.Invalid, "", "the volumes %s and %s lie in each other", other.Name, v.Name)
			}
		}
	}
	return nil
}

// shownAlready reports whether something else of the sandbox is at path, below or
// above it.
func shownAlready(path string) bool {
	for _, taken := range append(systemDirs(), appDir, secretsDir, "/etc", "/dev", "/proc", "/sys", "/tmp") {
		if below(path, taken) || below(taken, path) {
			return true
		}
	}
	return false
}

// below reports whether path is dir or lies below it.
func below(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// bindVolumes shows the volumes, which are all that an app can write to for good.
func bindVolumes(s setup) error {
	for _, v := range s.Volumes {
		if err := bind(v.Source, s.Stage+v.Path, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV); err != nil {
			return err
		}
	}
	return nil
}

// withoutRoot says why volumes cannot be had in a sandbox without namespaces.
func withoutRoot(volumes []workload.Volume, why error) string {
	return "volume " + volumes[0].Name + " cannot be shown at " + volumes[0].Path +
		": without namespaces an instance sees the machine's own files: " + why.Error()
}
