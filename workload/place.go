package workload

import (
	"path/filepath"

	"github.com/fairlead/fairlead"
)

// Image is a container image as an engine of this machine holds it.
type Image struct {
	ID      fairlead.Digest `json:"id"`     // of its configuration: the engine runs exactly this one
	Name    string          `json:"name"`   // for people, such as "triage:3"
	Engine  string          `json:"engine"` // where the engine listens, such as "unix:///run/docker.sock"
	User    string          `json:"user,omitempty"`
	WorkDir string          `json:"workDir,omitempty"`
}

// Volume is a directory of this machine that an instance sees at Path and that
// outlives it.
type Volume struct {
	Name   string `json:"name"`
	Source string `json:"source"` // absolute, on this machine
	Path   string `json:"path"`   // absolute, in the instance
	Size   int64  `json:"size"`   // bytes that it may hold, 0 for no limit
}

// Device is one GPU of this machine, as an instance is given it.
type Device struct {
	ID     string            `json:"id"`               // stable over restarts of the machine, such as "GPU-5ad..." or "0000:03:00.0"
	Vendor string            `json:"vendor"`           // nvidia or amd
	Name   string            `json:"name"`             // such as "NVIDIA L4"
	Root   string            `json:"root,omitempty"`   // directory below which this machine has Nodes; "" for /, tests have others
	Nodes  []string          `json:"nodes"`            // device files as the instance sees them, such as /dev/nvidia0; see [Device.Source]
	Mounts []Mount           `json:"mounts,omitempty"` // the vendor's libraries, read-only
	Env    map[string]string `json:"env,omitempty"`    // by which its libraries find it
	CDI    string            `json:"cdi,omitempty"`    // its qualified name for engines that know CDI, such as "nvidia.com/gpu=0"
	Share  float64           `json:"share"`            // of the device that is this instance's; 1 is all of it
	Memory int64             `json:"memory,omitempty"` // bytes of the device's memory that are this instance's; 0 where it has all
}

// Source is where this machine has the device file that an instance sees at node.
func (d Device) Source(node string) string { return filepath.Join("/", d.Root, node) }

// Mount is a file or directory of this machine that an instance sees, read-only.
type Mount struct {
	Source string `json:"source"`
	Path   string `json:"path"`
}
