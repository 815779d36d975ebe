// Package disk is the few operations on files that durable state needs, so that
// the same code runs on the machine's disk ([OS]) and on a simulated one that
// loses what was not synced (crashdisk).
//
// Errors are those of package os: errors.Is(err, fs.ErrNotExist) and the like
// hold. Paths are slash-separated and clean.
package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// Disk makes, opens and names files. An OS disk is safe for concurrent use.
type Disk interface {
	// Open opens a file; flag and mode are those of os.OpenFile.
	Open(path string, flag int, mode fs.FileMode) (File, error)
	// Rename gives a file another name in its directory; a file of that name is gone.
	Rename(from, to string) error
	// Link gives a file a second name, which must be free.
	Link(from, to string) error
	Remove(path string) error
	// List returns the names in a directory, sorted.
	List(path string) ([]string, error)
	// MkdirAll makes a directory and its parents, and makes new names durable.
	MkdirAll(path string, mode fs.FileMode) error
	// SyncDir makes the names in a directory durable.
	SyncDir(path string) error
}

// File is an open file. What is written is durable once Sync returned nil.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Chmod(mode fs.FileMode) error
	Sync() error
}

// ReadFile returns a file's content.
func ReadFile(d Disk, path string) ([]byte, error) {
	file, err := d.Open(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.NewSectionReader(file, 0, 1<<62))
	return data, errors.Join(err, file.Close())
}

// ErrNotRegular is the error of what stands where a file should.
var ErrNotRegular = errors.New("it is not a regular file")

// OS is the machine's disk.
type OS struct{}

// Open opens a regular file. Anything else is ErrNotRegular: a pipe could be waited
// for, and a device read, without end.
func (OS) Open(path string, flag int, mode fs.FileMode) (File, error) {
	file, err := os.OpenFile(path, flag|syscall.O_NONBLOCK, mode) // a pipe is not waited for
	if err != nil {
		return nil, err // not a File that holds a nil *os.File
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: ErrNotRegular}
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// Rename gives a file another name.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Link gives a file a second name.
func (OS) Link(from, to string) error { return os.Link(from, to) }

// Remove removes a file or an empty directory.
func (OS) Remove(path string) error { return os.Remove(path) }

// List returns the names in a directory.
func (OS) List(path string) ([]string, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return names, nil
}

// MkdirAll makes a directory and its parents, and syncs the directories that
// hold the new names.
func (o OS) MkdirAll(path string, mode fs.FileMode) error {
	var grown []string // directories that get a new name
	for at := filepath.Clean(path); ; at = filepath.Dir(at) {
		if _, err := os.Stat(at); !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			break
		}
		grown = append(grown, filepath.Dir(at))
	}
	if err := os.MkdirAll(path, mode); err != nil {
		return err
	}
	for _, dir := range grown {
		if err := o.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// SyncDir makes the names in a directory durable.
func (OS) SyncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
