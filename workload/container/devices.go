package container

import (
	"os"
	"slices"
	"strconv"
	"syscall"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
)

// addDevices hands devices over by their nodes, with the vendor's libraries. The user of
// a container, which is not root, gets the groups that the machine's nodes are for where
// they are not for everybody.
func (r recipe) addDevices(config *container.HostConfig) {
	for _, device := range r.devices {
		for _, node := range device.Nodes {
			if slices.ContainsFunc(config.Devices, func(d container.DeviceMapping) bool { return d.PathInContainer == node }) {
				continue
			}
			config.Devices = append(config.Devices, container.DeviceMapping{PathOnHost: device.Source(node), PathInContainer: node, CgroupPermissions: "rw"})
			if group := groupOf(device.Source(node)); group != "" && !slices.Contains(config.GroupAdd, group) {
				config.GroupAdd = append(config.GroupAdd, group)
			}
		}
	}
}

// groupOf is the group that may use a device file which not everybody may, or "".
func groupOf(path string) string {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o006 == 0o006 {
		return ""
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Gid == 0 || info.Mode().Perm()&0o060 != 0o060 {
		return "" // root's group is given to nobody
	}
	return strconv.FormatUint(uint64(owner.Gid), 10)
}

// allMounts are the recipe's mounts and those of its devices.
func (r recipe) allMounts() []mount.Mount {
	all := slices.Clone(r.mounts)
	for _, device := range r.devices {
		for _, m := range device.Mounts {
			if !slices.ContainsFunc(all, func(other mount.Mount) bool { return other.Target == m.Path }) {
				all = append(all, bind(m.Source, m.Path, true))
			}
		}
	}
	return all
}
