//go:build !linux

package unixsock

import (
	"fmt"
	"syscall"
)

// inDir is an error: only Linux has a way around the limit that does not change
// the working directory.
func inDir(dir string, _ func(short string) error) error {
	return fmt.Errorf("the socket path in %s has more than %d bytes: %w", dir, shortPath, syscall.ENAMETOOLONG)
}

// private does nothing: the mode is set once the socket is bound, and its
// directory must keep others out until then.
func private(_, _ string, _ syscall.RawConn) error { return nil }
