package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/disk"
)

// Lock keeps every store out of the state directory dir until the file is closed or
// the process ends. An error of code conflict says that one has it open.
func Lock(dir string) (io.Closer, error) { return lockDir(dir) }

// lockDir takes the exclusive lock of a state directory. The kernel frees it
// when the returned file is closed or the process ends, however it ends.
func lockDir(dir string) (*os.File, error) {
	op := "open state directory " + dir
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Unavailable, op, "%w", err).WithHint("choose a directory that this user may write")
	}
	if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
		err = note(f, fmt.Sprintf("%d\n", os.Getpid()))
	}
	if err == nil {
		return f, nil
	}
	holder, _ := io.ReadAll(io.NewSectionReader(f, 0, 20)) // only for the message; a pipe has no such section
	_ = f.Close()                                          // nothing was written
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fairlead.Errorf(fairlead.Conflict, op, "another process has it open (pid %s)", strings.TrimSpace(string(holder))).
			WithHint("stop the other fairlead first, or choose another state directory")
	}
	if disk.Full(err) {
		return nil, fairlead.Errorf(fairlead.Unavailable, op, "%w", err).WithHint(disk.FullHint)
	}
	return nil, fairlead.Errorf(fairlead.Unavailable, op, "lock it: %w", err).
		WithHint("keep the state directory on a local disk that supports flock")
}

// note replaces f's content.
func note(f *os.File, text string) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(text), 0)
	return err
}
