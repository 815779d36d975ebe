package local

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
		if conn.Read(func(uintptr) bool { return reaped(pid) }) != nil { // its deadline, by Close
			reaped(pid) // it may just have ended
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

// reaped takes the exit status of a child that has ended.
func reaped(pid int) bool {
	for {
		got, err := unix.Wait4(pid, nil, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return got == pid || err != nil
	}
}
