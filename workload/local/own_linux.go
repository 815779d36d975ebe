package local

import (
	"io/fs"
	"os"
	"path/filepath"
)

// own gives a tree to a user. It changes links themselves, never what they name.
func own(dir string, user int) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, user, user)
	})
}
