package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/figures"
	"github.com/fairlead/fairlead/workload"
)

// deviceNode is a device file that an instance is given.
type deviceNode struct {
	At   string `json:"at"`   // as the instance sees it, below /dev
	From string `json:"from"` // outside
}

// given is what a sandbox shows of devices: their files, and the vendor's libraries that
// the machine's own directories do not show already.
type given struct {
	Nodes     []deviceNode     `json:"nodes,omitempty"`
	Libraries []workload.Mount `json:"libraries,omitempty"`
	Hidden    int              `json:"hidden,omitempty"` // libraries for which there is no place
}

// checkDevices refuses devices that no sandbox can show.
func checkDevices(devices []workload.Device) error {
	for _, d := range devices {
		for _, node := range d.Nodes {
			if filepath.Clean(node) != node || !below(node, "/dev") || node == "/dev" || below(node, "/dev/shm") {
				return fairlead.Errorf(fairlead.Invalid, "", "%q is not a device file below /dev", node)
			}
		}
		for _, m := range d.Mounts {
			if !filepath.IsAbs(m.Source) || !filepath.IsAbs(m.Path) || filepath.Clean(m.Path) != m.Path {
				return fairlead.Errorf(fairlead.Invalid, "", "a library of %s cannot be shown at %q", d.ID, m.Path)
			}
		}
	}
	return nil
}

// newGiven decides how devices are shown. Where this process may, the instance gets
// device files of its own in dir, which it may use whoever the machine's are for; else
// it gets the machine's.
func newGiven(devices []workload.Device, dir string) (given, error) {
	var g given
	for _, d := range devices {
		for _, node := range d.Nodes {
			if slices.ContainsFunc(g.Nodes, func(n deviceNode) bool { return n.At == node }) {
				continue
			}
			from, err := ownNode(d.Source(node), filepath.Join(dir, fmt.Sprint(len(g.Nodes))))
			if err != nil {
				return g, fmt.Errorf("give %s: %w", node, err)
			}
			g.Nodes = append(g.Nodes, deviceNode{At: node, From: from})
		}
		for _, m := range d.Mounts {
			g.addLibrary(m)
		}
	}
	return g, nil
}

// addLibrary adds a library unless the instance sees it where it is. Below a directory
// of the machine's nothing can be added.
func (g *given) addLibrary(m workload.Mount) {
	ofMachine := slices.ContainsFunc(systemDirs(), func(dir string) bool { return below(m.Path, dir) })
	switch {
	case ofMachine && m.Source == m.Path:
	case ofMachine || !libraryPlace(m.Path):
		g.Hidden++
	case !slices.ContainsFunc(g.Libraries, func(l workload.Mount) bool { return l.Path == m.Path }):
		g.Libraries = append(g.Libraries, m)
	}
}

// libraryPlace reports whether a library may be shown at a path: not where it would hide
// what the sandbox is made of.
func libraryPlace(path string) bool {
	for _, dir := range []string{appDir, secretsDir, "/dev", "/proc", "/sys", "/tmp", "/etc/passwd", "/etc/group", "/etc/hosts"} {
		if below(path, dir) || below(dir, path) {
			return false
		}
	}
	return true
}

// ownNode makes the device file at, which does what the one at source does, and returns
// its path; source where it cannot be made or would not work there. Only an instance
// that is given it reaches it: its directory is closed to others.
func ownNode(source, at string) (string, error) {
	var stat unix.Stat_t
	if err := unix.Lstat(source, &stat); err != nil {
		return "", &fs.PathError{Op: "stat", Path: source, Err: err}
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFCHR {
		return "", fmt.Errorf("%s is not a device file", source)
	}
	if os.Geteuid() != 0 {
		return source, nil
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
		return "", err
	}
	if err := os.Remove(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	var system unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(at), &system); err != nil || system.Flags&unix.ST_NODEV != 0 {
		return source, err
	}
	if err := unix.Mknod(at, unix.S_IFCHR|0o600, int(stat.Rdev)); err != nil {
		return source, nil // a container may have no right to make one
	}
	return at, os.Chmod(at, 0o666)
}

// bindDevices shows the devices that an instance is given, the vendor's libraries, and
// what the kernel tells of the machine's hardware, by which those find them.
func bindDevices(s setup) error {
	for _, n := range s.Devices.Nodes {
		if err := bindFile(n.From, s.Stage+n.At, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC); err != nil {
			return err
		}
	}
	for _, m := range s.Devices.Libraries {
		if err := bindLibrary(m.Source, s.Stage+m.Path); err != nil {
			return err
		}
	}
	if len(s.Devices.Nodes) == 0 {
		return nil
	}
	for _, dir := range hardwareDirs() {
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		if err := bind(dir, s.Stage+dir, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC); err != nil {
			return err
		}
	}
	return nil
}

// hardwareDirs are what the vendors' libraries read of sysfs.
func hardwareDirs() []string {
	return []string{"/sys/bus/pci", "/sys/class/drm", "/sys/class/kfd", "/sys/dev/char", "/sys/devices"}
}

func bindLibrary(source, target string) error {
	attributes := uint64(unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV)
	info, err := os.Stat(source)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // the driver was changed since it was found: the app finds out
	case err != nil:
		return err
	case info.IsDir():
		return bind(source, target, attributes)
	}
	return bindFile(source, target, attributes)
}

// bindFile shows one file at a path that it makes.
func bindFile(source, target string, attributes uint64) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	file.Close()
	if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("show %s: %w", source, err)
	}
	return restrictMount(target, 0, attributes)
}

// deviceRules are the files that an instance with devices may use beside all others. A
// GPU is worked by calls (ioctl) on its device files.
func deviceRules(s setup) []fileRule {
	var rules []fileRule
	for _, n := range s.Devices.Nodes {
		path := n.At
		if !s.Namespaces {
			path = n.From
		}
		rules = append(rules, fileRule{path, deviceRights | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV})
	}
	if len(rules) == 0 {
		return nil
	}
	for _, m := range s.Devices.Libraries {
		rules = append(rules, fileRule{m.Path, runRights})
	}
	for _, dir := range hardwareDirs() {
		rules = append(rules, fileRule{dir, readRights})
	}
	return rules
}

// deviceProtection says which devices an instance can reach, and what no driver keeps it
// from.
func deviceProtection(devices []workload.Device, g given, namespaces bool) workload.Protection {
	var paths []string
	for _, n := range g.Nodes {
		paths = append(paths, n.At)
	}
	p := workload.Protection{Name: workload.OwnDevices, Enforced: namespaces, Detail: "only " + strings.Join(paths, ", ")}
	if !namespaces {
		p.Detail = "the machine's /dev, of which Landlock allows " + strings.Join(paths, ", ")
	}
	for _, d := range devices {
		switch {
		case d.Memory > 0:
			p.Detail += fmt.Sprintf("; %s of %s is its part, which the driver does not enforce", figures.Bytes(d.Memory), d.Name)
		case d.Share < 1:
			p.Detail += fmt.Sprintf("; %s of %s is its part, which the driver does not enforce", figures.Percent(d.Share), d.Name)
		}
	}
	if g.Hidden > 0 {
		p.Detail += fmt.Sprintf("; %s could not be shown", figures.Plural(uint64(g.Hidden), "library", "libraries"))
	}
	return p
}
