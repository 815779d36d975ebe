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
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/disk"
)

// Store is a content store in a directory.
type Store struct{ dir string }

// Open opens the store in dir and makes it if it is not there yet.
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
	return s, nil
}

// failure wraps an error of the operating system, unless it is one of ours.
func failure(op string, err error) error {
	var ours *fairlead.Error
	if errors.As(err, &ours) {
		return err
	}
	known := &fairlead.Error{Code: fairlead.Unavailable, Op: op, Err: err}
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return known
	case disk.Full(err):
		return known.WithHint(disk.FullHint)
	case errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, fs.ErrPermission):
		return known.WithHint("look at what is there, and who may read and write it: ls -l")
	}
	known.Code = fairlead.Internal
	return known
}
