// Package unixsock listens on and dials Unix sockets whose paths may be longer
// than the 108 bytes (104 on macOS) that a socket address holds.
//
// On Linux a long path goes through an O_PATH descriptor of its directory and
// /proc/self/fd, so only the last element of the path is limited (to 80 bytes)
// and /proc must be mounted. Elsewhere a long path is an error. A socket is made
// with mode 0600 and is left behind when its listener closes: the next Listen
// replaces it.
package unixsock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// shortPath is the longest path, in bytes, that every system's socket address
// holds with its ending zero.
const shortPath = 103

// longestName bounds the last element of a long path.
const longestName = 80

// Listen listens on path with mode 0600. A socket at path on which nobody listens
// is replaced; one that is in use, or a file that is no socket, is an error. The
// caller owns the listener; closing it does not remove the socket.
func Listen(path string) (*net.UnixListener, error) {
	if err := removeStale(path); err != nil {
		return nil, err
	}
	var listener *net.UnixListener
	err := through(path, func(short string) error {
		config := net.ListenConfig{Control: private}
		l, err := config.Listen(context.Background(), "unix", short)
		if err != nil {
			return err
		}
		listener = l.(*net.UnixListener)
		listener.SetUnlinkOnClose(false) // short may name another file by then
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil { // on Linux it has that mode already
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

// Dial connects to the socket at path. The caller owns the connection.
func Dial(ctx context.Context, path string) (*net.UnixConn, error) {
	var conn *net.UnixConn
	err := through(path, func(short string) error {
		var dialer net.Dialer
		c, err := dialer.DialContext(ctx, "unix", short)
		if err != nil {
			return err
		}
		conn = c.(*net.UnixConn)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", path, err)
	}
	return conn, nil
}

// through calls f with a path that fits a socket address and is valid during the
// call.
func through(path string, f func(short string) error) error {
	if len(path) <= shortPath {
		return f(path)
	}
	name := filepath.Base(path)
	if len(name) > longestName {
		return fmt.Errorf("socket name %q has more than %d bytes: %w", name, longestName, syscall.ENAMETOOLONG)
	}
	return inDir(filepath.Dir(path), func(dir string) error { return f(dir + "/" + name) })
}

// removeStale removes the socket at path when nobody listens on it.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("listen on %s: it is there and is no socket: %w", path, fs.ErrExist)
	}
	conn, err := Dial(context.Background(), path)
	if err == nil {
		return errors.Join(fmt.Errorf("listen on %s: %w", path, syscall.EADDRINUSE), conn.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("listen on %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
