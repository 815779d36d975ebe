// Package atomicfile replaces files so that a reader, or the machine after a
// crash, sees either the whole old content or the whole new one.
package atomicfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Write puts data into the file at path with mode mode, whatever the umask. It
// writes a temporary file beside it, syncs that, renames it, and syncs the
// directory: when it returns nil the content is durable, and when it returns an
// error the old content stands, unless only the last sync failed. Calls for one
// path may run at the same time; one of them wins.
func Write(path string, data []byte, mode os.FileMode) error {
	return put(path, data, mode, os.Rename)
}

// Create is Write for a file that must not replace another: of several that make
// it at once the first one's content stays, and the others get fs.ErrExist.
func Create(path string, data []byte, mode os.FileMode) error {
	return put(path, data, mode, os.Link)
}

// put makes a temporary file and gives it its name with move.
func put(path string, data []byte, mode os.FileMode, move func(from, to string) error) error {
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, TempPrefix+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(temp.Name()) // gone already after a rename
	if err := fill(temp, data, mode); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := move(temp.Name(), path); err != nil {
		return err
	}
	return SyncDir(dir)
}

// TempPrefix begins the names of temporary files, which a crash may leave.
const TempPrefix = ".new-"

// fill writes, syncs and closes temp.
func fill(temp *os.File, data []byte, mode os.FileMode) error {
	_, err := temp.Write(data)
	if err == nil {
		err = temp.Chmod(mode)
	}
	if err == nil {
		err = temp.Sync()
	}
	return errors.Join(err, temp.Close())
}

// SyncDir makes the names in the directory at path durable.
func SyncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("sync directory %s: %w", path, err)
	}
	return nil
}
