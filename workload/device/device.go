// Package device knows the GPUs of this machine: it finds them without the vendors'
// libraries, decides which instance gets which, and reads how they do.
//
// [Finder] finds them in what the kernel and the vendors' programs show below a root
// directory, which tests make by themselves. [Assign] and [Offers] are pure. Who holds
// what is kept by the caller, as [Holding]s.
package device

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// The vendors whose devices are found.
const (
	NVIDIA = "nvidia"
	AMD    = "amd"
)

// Device is one GPU of this machine, or one part of a GPU that its driver divided.
type Device struct {
	ID      string            `json:"id"`                // the GPU's own id such as "GPU-5ad..." where it tells one, else PCI
	PCI     string            `json:"pci"`               // its address, such as "0000:03:00.0"
	Vendor  string            `json:"vendor"`            // NVIDIA or AMD
	Name    string            `json:"name"`              // such as "NVIDIA L4"; "GPU 10de:27b8" where nothing tells it
	Memory  int64             `json:"memory,omitempty"`  // bytes in all; 0 where it is not known
	Nodes   []string          `json:"nodes,omitempty"`   // device files, such as /dev/nvidia0
	Mounts  []workload.Mount  `json:"mounts,omitempty"`  // the vendor's libraries
	Env     map[string]string `json:"env,omitempty"`     // what the vendor's description of it sets
	CDI     string            `json:"cdi,omitempty"`     // its qualified name in that description, such as "nvidia.com/gpu=0"
	Note    string            `json:"note,omitempty"`    // what is particular, such as that MIG is on
	Missing string            `json:"missing,omitempty"` // why it cannot be given to anybody, such as that it has no driver
}

// Inventory is what a machine has. It is never changed once it is made.
type Inventory struct {
	Root    string   `json:"root,omitempty"`  // below which Nodes are; "" for the machine's own
	Devices []Device `json:"devices"`         // sorted by PCI address and ID
	Notes   []string `json:"notes,omitempty"` // what could not be read, and why
	Blind   bool     `json:"blind,omitempty"` // nvidia-smi told nothing: what only it knows of NVIDIA's devices is missing
}

// Find returns the device called id.
func (v Inventory) Find(id string) (Device, bool) {
	i := slices.IndexFunc(v.Devices, func(d Device) bool { return d.ID == id })
	if i < 0 {
		return Device{}, false
	}
	return v.Devices[i], true
}

// Part is what an instance has of one device: all of it, a share, or some memory.
type Part struct {
	Device string           `json:"device"`           // its ID
	Whole  bool             `json:"whole,omitempty"`  // nobody else has a part of it
	Share  fairlead.Percent `json:"share,omitempty"`  // of the device
	Memory int64            `json:"memory,omitempty"` // bytes of the device's memory
}

// Holding is what one instance holds. It keeps it until the instance will never run
// again.
type Holding struct {
	Instance string        `json:"instance"`
	Site     fairlead.Site `json:"site"`
	Release  int           `json:"release"`
	Parts    []Part        `json:"parts"`
}

// Holds reports whether h has a part of the device called id.
func (h Holding) Holds(id string) bool {
	return slices.ContainsFunc(h.Parts, func(p Part) bool { return p.Device == id })
}

// Given returns the parts of an instance as it is given them. A device that is not in
// the inventory any more is left out. Each has the same variables: they tell of all.
func (v Inventory) Given(parts []Part) []workload.Device {
	var given []workload.Device
	for _, p := range parts {
		if d, ok := v.Find(p.Device); ok {
			given = append(given, v.give(d, p))
		}
	}
	env := variables(given)
	for i := range given {
		given[i].Env = env
	}
	return given
}

func (v Inventory) give(d Device, p Part) workload.Device {
	g := workload.Device{
		ID: d.ID, Vendor: d.Vendor, Name: d.Name, Root: v.Root, Nodes: slices.Clone(d.Nodes), Mounts: slices.Clone(d.Mounts),
		Env: d.Env, CDI: d.CDI, Share: 1,
	}
	if p.Whole {
		return g
	}
	g.Share = float64(taken(d, p)) / float64(capacity(d))
	if d.Memory > 0 {
		g.Memory = taken(d, p)
	}
	return g
}

// sorted puts devices in their order.
func sorted(devices []Device) []Device {
	slices.SortFunc(devices, func(a, b Device) int { return cmp.Or(strings.Compare(a.PCI, b.PCI), strings.Compare(a.ID, b.ID)) })
	return devices
}

// rooted returns where a path of the machine is below root.
func rooted(root, path string) string {
	if root == "" {
		return path
	}
	return filepath.Join(root, path)
}
