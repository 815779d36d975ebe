package container

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"

	"github.com/fairlead/fairlead"
)

// mostDeclared is how many volumes an image may declare.
const mostDeclared = 64

// mountDeclared says what lies where an image declares volumes that its App file does
// not have. An engine would give each a directory of the disk that the app may fill,
// and that is gone with its container. The app sees instead what the image has there,
// and writes nothing; where something of ours lies below, it sees nothing else.
//
// Errors: invalid for what is no path below the root.
func mountDeclared(declared []string, ours []mount.Mount) (mounts []mount.Mount, empty []string, err error) {
	if len(declared) > mostDeclared {
		return nil, nil, fairlead.Errorf(fairlead.Invalid, "", "the image declares %d volumes; at most %d are taken", len(declared), mostDeclared)
	}
	for _, at := range declared {
		clean := path.Clean(at)
		if !absolute(clean) || clean == "/" {
			return nil, nil, fairlead.Errorf(fairlead.Invalid, "", "the image declares a volume at %.80q, where none can be", at).WithHint("build it with a path such as VOLUME /data")
		}
		is := func(m mount.Mount) bool { return m.Target == clean }
		below := func(m mount.Mount) bool { return strings.HasPrefix(m.Target, clean+"/") }
		switch {
		case clean == "/tmp" || slices.ContainsFunc(ours, is) || slices.ContainsFunc(mounts, is) || slices.Contains(empty, clean):
		case slices.ContainsFunc(ours, below):
			empty = append(empty, clean)
		default:
			mounts = append(mounts, mount.Mount{Type: mount.TypeVolume, Target: clean, ReadOnly: true})
		}
	}
	return mounts, empty, nil
}

// addDeclared puts into a container what lies where its image declares volumes.
func addDeclared(config *container.HostConfig, declared []string) error {
	mounts, empty, err := mountDeclared(declared, config.Mounts)
	config.Mounts = append(config.Mounts, mounts...)
	for _, at := range empty {
		config.Tmpfs[at] = emptyOptions
	}
	return err
}

// emptyOptions are those of a file system that holds only the places of mounts.
var emptyOptions = fmt.Sprintf("rw,nosuid,nodev,noexec,mode=0755,size=%d", 64<<10)
