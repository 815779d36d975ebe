package container

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// mostDeclared is how many volumes an image may declare.
const mostDeclared = 64

// addDeclared puts into a container what lies where its image declares volumes that its
// App file does not have. An engine would give each a directory of its disk, which the
// app could fill without a bound. It is given a little memory instead, all of them
// together as much as /tmp has: empty, and gone at each end, as what an engine gives is
// gone with the container. Where something of ours lies below, nobody writes beside it.
//
// Errors: invalid for what is no path below the root, or too many.
func addDeclared(config *container.HostConfig, declared []string) error {
	if len(declared) > mostDeclared {
		return fairlead.Errorf(fairlead.Invalid, "", "the image declares %d volumes; at most %d are taken", len(declared), mostDeclared)
	}
	for _, at := range declared {
		clean := path.Clean(at)
		if !absolute(clean) || clean == "/" || strings.ContainsAny(clean, ":,") {
			return fairlead.Errorf(fairlead.Invalid, "", "the image declares a volume at %.80q, where none can be", at).WithHint("build it with a path such as VOLUME /data")
		}
		is := func(m mount.Mount) bool { return m.Target == clean }
		below := func(m mount.Mount) bool { return strings.HasPrefix(m.Target, clean+"/") }
		mode, size := "1777", workload.TempSize/len(declared)
		if slices.ContainsFunc(config.Mounts, below) {
			mode = "0755"
		}
		if _, has := config.Tmpfs[clean]; !has && !slices.ContainsFunc(config.Mounts, is) {
			config.Tmpfs[clean] = fmt.Sprintf("rw,nosuid,nodev,noexec,mode=%s,size=%d", mode, size)
		}
	}
	return nil
}
