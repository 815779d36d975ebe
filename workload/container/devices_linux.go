package container

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead/internal/figures"
	"github.com/fairlead/fairlead/workload"
)

// gpuNode are the device files of single GPUs.
var gpuNode = regexp.MustCompile(`^/dev/(nvidia[0-9]+|dri/renderD[0-9]+)$`)

// ownDevices says whether a container, whose first process is pid, has exactly the
// devices that it was given, as its own /dev shows them.
func ownDevices(pid int, devices []workload.Device) (enforced bool, detail string) {
	root := procPath(pid, "root")
	var given, wrong []string
	for _, d := range devices {
		for _, node := range d.Nodes {
			if !slices.Contains(given, node) {
				given = append(given, node)
			}
			var here, there unix.Stat_t
			if unix.Stat(d.Source(node), &here) != nil || unix.Stat(filepath.Join(root, node), &there) != nil || here.Rdev != there.Rdev {
				wrong = append(wrong, node+" is not there")
			}
		}
	}
	for _, dir := range []string{"/dev", "/dev/dri"} {
		entries, _ := os.ReadDir(filepath.Join(root, dir)) // one that is not there has none
		for _, e := range entries {
			if node := filepath.Join(dir, e.Name()); gpuNode.MatchString(node) && !slices.Contains(given, node) {
				wrong = append(wrong, node+" is there too")
			}
		}
	}
	detail = "only " + strings.Join(given, ", ")
	if len(wrong) > 0 {
		detail = strings.Join(wrong, ", ")
	}
	for _, d := range devices {
		switch {
		case d.Memory > 0:
			detail += fmt.Sprintf("; %s of %s is its part, which the driver does not enforce", figures.Bytes(d.Memory), d.Name)
		case d.Share < 1:
			detail += fmt.Sprintf("; %s of %s is its part, which the driver does not enforce", figures.Percent(d.Share), d.Name)
		}
	}
	return len(wrong) == 0, detail
}
