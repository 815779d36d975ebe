// Package keyfile keeps keys and tokens in files that only their owner may read.
package keyfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/fairlead/fairlead/internal/atomicfile"
)

// ErrExposed is the error of a file that others may read, or that is none: whoever
// trusts it would trust them.
var ErrExposed = errors.New("others may read it")

// most bounds a key's file in bytes.
const most = 64 << 10

// Read returns what file holds. Errors are fs.ErrNotExist where there is none,
// ErrExposed, and those of the disk, each with the file's name.
func Read(file string) ([]byte, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%w: %s is a symbolic link", ErrExposed, file)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: %s has the mode %s", ErrExposed, file, info.Mode())
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(data) > most {
		err = fmt.Errorf("%s is larger than a key", file)
	}
	return data, err
}

// ReadOrMake is Read, but where there is no file it makes one, durably and with mode
// 0600, of what generate returns, with its directory. Of several that make it at the
// same time one wins, and all return its key.
func ReadOrMake(file string, generate func() ([]byte, error)) ([]byte, error) {
	data, err := Read(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return data, err
	}
	if data, err = generate(); err != nil {
		return nil, fmt.Errorf("make %s: %w", file, err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	if err := atomicfile.Create(file, data, 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return Read(file)
}
