package artifact

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fairlead/fairlead"
)

// Sweep removes what a crash left half written, and the trees whose digests are not
// needed; blobs stay. No other call may run at the same time, in any process.
func (s *Store) Sweep(needed map[fairlead.Digest]bool) error {
	const op = "sweep the artifact store"
	kept := map[string]bool{}
	for digest := range needed {
		kept[digest.Hex()] = true
	}
	for _, dir := range []string{"tmp", "trees"} {
		entries, err := os.ReadDir(filepath.Join(s.dir, dir))
		if err != nil {
			return failure(op, err)
		}
		for _, entry := range entries {
			if dir == "trees" && kept[entry.Name()] {
				continue
			}
			if err := RemoveTree(filepath.Join(s.dir, dir, entry.Name())); err != nil {
				return failure(op, err)
			}
		}
	}
	return nil
}

// RemoveTree removes a directory with all that is below, read-only directories
// too. One that is not there is no error.
func RemoveTree(path string) error {
	err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(p, 0o700)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, os.RemoveAll(path))
}
