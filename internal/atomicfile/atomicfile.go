// Package atomicfile replaces files so that a reader, or the machine after a
// crash, sees either the whole old content or the whole new one.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/disk"
)

// TempPrefix begins the names of temporary files, which a crash may leave.
const TempPrefix = ".new-"

// tempMost is how many temporary files of one name may lie in a directory: those
// of calls at the same time, and what crashes left.
const tempMost = 1000

// Write puts data into the file at path with mode mode, whatever the umask. It
// writes a temporary file beside it, syncs that, renames it, and syncs the
// directory: when it returns nil the content is durable, and when it returns an
// error the old content stands, unless only the last sync failed. Calls for one
// path may run at the same time; one of them wins.
func Write(path string, data []byte, mode os.FileMode) error {
	return WriteTo(disk.OS{}, path, data, mode)
}

// WriteTo is Write on a disk.
func WriteTo(d disk.Disk, path string, data []byte, mode os.FileMode) error {
	return put(d, path, data, mode, d.Rename)
}

// Create is Write for a file that must not replace another: of several that make
// it at once the first one's content stays, and the others get fs.ErrExist.
func Create(path string, data []byte, mode os.FileMode) error {
	d := disk.OS{}
	return put(d, path, data, mode, func(from, to string) error {
		if err := d.Link(from, to); err != nil {
			return err
		}
		_ = d.Remove(from) // the file is there; Sweep finds the other name
		return nil
	})
}

// put makes a temporary file and gives it its name with move, which leaves the
// temporary name free when it succeeds.
func put(d disk.Disk, path string, data []byte, mode os.FileMode, move func(from, to string) error) error {
	temp, name, err := create(d, path)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err = fill(temp, data, mode); err == nil {
		err = move(name, path)
	}
	if err != nil {
		_ = d.Remove(name) // it may be gone already
		return fmt.Errorf("write %s: %w", path, err)
	}
	return syncDir(d, filepath.Dir(path))
}

// create makes a temporary file for path. Its name is free: no other call has it
// before this one gives it up.
func create(d disk.Disk, path string) (temp disk.File, name string, err error) {
	base := filepath.Join(filepath.Dir(path), TempPrefix+filepath.Base(path)+".")
	for n := range tempMost {
		name = base + strconv.Itoa(n)
		temp, err = d.Open(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			return temp, name, err
		}
	}
	return nil, "", err
}

// fill writes, syncs and closes temp.
func fill(temp disk.File, data []byte, mode os.FileMode) error {
	_, err := temp.WriteAt(data, 0)
	if err == nil {
		err = temp.Chmod(mode)
	}
	if err == nil {
		err = temp.Sync()
	}
	return errors.Join(err, temp.Close())
}

// Sweep removes temporary files that a crash left in dir. No call for a file in
// dir may run at the same time.
func Sweep(d disk.Disk, dir string) error {
	names, err := d.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, TempPrefix) {
			err = errors.Join(err, d.Remove(filepath.Join(dir, name)))
		}
	}
	return err
}

// SyncDir makes the names in the directory at path durable.
func SyncDir(path string) error { return syncDir(disk.OS{}, path) }

func syncDir(d disk.Disk, path string) error {
	if err := d.SyncDir(path); err != nil {
		return fmt.Errorf("sync directory %s: %w", path, err)
	}
	return nil
}
