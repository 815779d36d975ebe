// Package artifact keeps what is released: a store of immutable blobs named by
// their SHA-256, manifests that say which blobs make up a directory tree, and
// read-only trees made from them.
//
// On disk a store is a directory, readable by its owner alone:
//
//	blobs/ab/ab12...   content, mode 0444, named by the digest's hexadecimals
//	trees/cd34...      the tree of the manifest with that digest
//	tmp/               what is being written
//
// Blobs become visible by a rename after they are synced, so that a blob that
// exists is whole, also after a crash. What is read is verified against its name;
// content that differs is an error of code corrupt.
//
// A [Store] is safe for concurrent use, also by several processes.
package artifact

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fairlead/fairlead"
)

// Store is a content store in a directory.
type Store struct{ dir string }

// abandoned is the age at which what a crash left in tmp is removed.
const abandoned = 24 * time.Hour

// Open opens the store in dir and makes it if it is not there yet. What crashed
// writers left there a day ago or earlier is removed.
func Open(dir string) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, failure("open the artifact store", err)
	}
	s := &Store{dir: dir}
	for _, sub := range []string{"", "blobs", "trees", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, failure("open the artifact store", err)
		}
	}
	for _, left := range []string{filepath.Join(dir, "tmp", "*"), filepath.Join(dir, "trees", ".making-*")} {
		paths, _ := filepath.Glob(left) // the patterns are well formed
		for _, path := range paths {
			if info, err := os.Lstat(path); err == nil && time.Since(info.ModTime()) > abandoned {
				removeTree(path)
			}
		}
	}
	return s, nil
}

// removeTree removes a directory that may have read-only directories in it. What
// it cannot remove stays and does no harm: its name is never looked up.
func removeTree(path string) {
	_ = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(p, 0o700)
		}
		return err
	})
	_ = os.RemoveAll(path)
}

// failure wraps an error of the operating system, unless it is one of ours.
func failure(op string, err error) error {
	var ours *fairlead.Error
	if errors.As(err, &ours) {
		return err
	}
	return &fairlead.Error{Code: fairlead.Internal, Op: op, Err: err}
}
