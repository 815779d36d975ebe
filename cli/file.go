package cli

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/fairlead/fairlead"
)

// readFile reads a file that the user named, at most most bytes of it and one
// more, which tells that it is larger. A pipe will do, and one that nobody writes
// to is empty rather than waited for.
func readFile(path string, most int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	return data, nil
}

// here is the present directory, for people.
func here() string {
	dir, err := os.Getwd()
	if err != nil {
		return "."
	}
	return dir
}

// unreadable says in plain words why a file cannot be read.
func unreadable(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fairlead.Errorf(fairlead.NotFound, "", "there is no file %s", path).WithHint("name one that is there; %s is the present directory", here())
	case errors.Is(err, fs.ErrPermission):
		return fairlead.Errorf(fairlead.Invalid, "", "the file %s may not be read by this user", path).WithHint("look who may: ls -l %s", path)
	case errors.Is(err, syscall.EISDIR):
		return fairlead.Errorf(fairlead.Invalid, "", "%s is a directory, not a file", path).WithHint("name a file in it")
	}
	return fairlead.Errorf(fairlead.Invalid, "", "%s cannot be read: %w", path, err).WithHint("look what it is: ls -l %s", path)
}
