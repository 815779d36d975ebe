package container

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fairlead/fairlead/workload/shim"
)

// note is what a body writes into its home before it makes anything, so that who comes
// after it finds what it left.
type note struct {
	Engine  string `json:"engine"`
	Name    string `json:"name"`              // of the container
	Network string `json:"network,omitempty"` // that it is in
	Shared  string `json:"shared,omitempty"`  // directory of its secrets, where they are not below home
}

func notePath(home string) string { return filepath.Join(home, "container.json") }

// readNote returns a home's note. ok is whether it has one.
func readNote(home string) (n note, ok bool, err error) {
	err = shim.ReadNote(notePath(home), &n)
	if errors.Is(err, fs.ErrNotExist) {
		return n, false, nil
	}
	return n, err == nil, err
}

func removeNote(home string) error {
	if err := os.Remove(notePath(home)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
