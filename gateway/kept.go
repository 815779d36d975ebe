package gateway

import (
	"errors"
	"net"
	"net/http/httptrace"
	"sync/atomic"
	"syscall"
)

var errClosedKept = errors.New("the instance has closed the kept connection")

// kept is a connection to an instance that http.Transport keeps for many requests. An
// instance that ends or restarts closes it, and http.Transport's reader may hear of
// that later than the next request comes. So kept looks once more as a request begins,
// and counts what was written: a request of which nothing was may go elsewhere, also
// one that is not idempotent (RFC 9110, section 9.2.2).
type kept struct {
	net.Conn
	begins  atomic.Bool // the next write is the first of a request
	written atomic.Bool // something of the newest request
}

// Write writes nothing of a request when the instance has closed the connection.
func (k *kept) Write(p []byte) (int, error) {
	if k.begins.Swap(false) && k.closed() {
		return 0, errClosedKept
	}
	k.written.Store(true)
	return k.Conn.Write(p)
}

// closed reports whether the instance has closed the connection, as far as it is known
// to this machine. It takes nothing from it, and does not wait.
func (k *kept) closed() bool {
	socket, ok := k.Conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return true
	}
	over := true
	err = raw.Control(func(fd uintptr) { // Read would wait for http.Transport's reader
		var one [1]byte
		n, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		over = n == 0 && err == nil || err != nil && err != syscall.EAGAIN && err != syscall.EINTR
	})
	return over || err != nil
}

// sending follows one request to the connection that it goes to. It belongs to the
// goroutine of the request.
type sending struct{ to *kept }

// trace tells s of the connection, and the connection of the request.
func (s *sending) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		s.to = nil
		if k, ok := got.Conn.(*kept); ok && got.Reused {
			k.written.Store(false)
			k.begins.Store(true)
			s.to = k
		}
	}}
}

// unsent reports, after a failed request, that it got a kept connection and that no
// byte of it was written there.
func (s *sending) unsent() bool { return s.to != nil && !s.to.written.Load() }
