package shim

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// reap waits for a child in a goroutine of the Runtime's own, so that it does not
// stay a zombie, until it ends or the Runtime closes.
func (r *Runtime) reap(pid int) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		r.log.Warn("cannot wait for a shim", "pid", pid, "error", err)
		return
	}
	file := os.NewFile(uintptr(fd), "pidfd")
	done := make(chan struct{})
	r.waiting.Go(func() {
		defer file.Close()
		defer close(done)
		conn, err := file.SyscallConn()
		if err != nil {
			return
		}
		if conn.Read(func(uintptr) bool { return reaped(pid, unix.WNOHANG) }) == nil {
			return
		}
		// Close ended the wait. A shim that is ending now is still reaped: it shows as
		// a zombie a moment before its last thread is gone and it can be.
		if _, state, err := processStart(pid); err == nil && state == 'Z' {
			reaped(pid, 0)
		}
	})
	r.waiting.Go(func() {
		select {
		case <-r.closing:
			file.SetReadDeadline(time.Unix(1, 0))
		case <-done:
		}
	})
}

// reaped takes the exit status of a child, if it has ended or options wait for that.
func reaped(pid, options int) bool {
	for {
		got, err := unix.Wait4(pid, nil, options, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return got == pid || err != nil
	}
}
