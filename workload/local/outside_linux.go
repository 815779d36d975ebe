package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fairlead/fairlead/workload/shim"
)

// outside.json names what an instance or job has outside its home, so that it can
// be removed even after its shim was killed.
type outside struct {
	Cgroups []string `json:"cgroups"`
	Scratch string   `json:"scratch"`

	name    string
	parents map[string]hierarchy
}

// leftovers is the file of a home that holds an outside.
func leftovers(home string) string { return filepath.Join(home, "outside.json") }

// noteOutside decides and records where things will be, before they are.
func noteOutside(home, id string) (outside, error) {
	o := outside{name: fmt.Sprintf("fairlead-%s-%d", id, os.Getpid()), parents: parents(mountedHierarchies())}
	for _, parent := range o.parents {
		o.Cgroups = append(o.Cgroups, filepath.Join(parent.dir, o.name))
	}
	o.Scratch = filepath.Join("/dev/shm", o.name)
	return o, shim.WriteNote(leftovers(home), o)
}

// clearOutside removes what a dead shim left.
func clearOutside(home string) error {
	var o outside
	err := shim.ReadNote(leftovers(home), &o)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = removeCgroups(o.Cgroups)
	}
	if err == nil && o.Scratch != "" {
		err = os.RemoveAll(o.Scratch)
	}
	return err
}
