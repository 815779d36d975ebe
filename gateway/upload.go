package gateway

import (
	"errors"
	"io"
	"sync"
)

// replayMost is how much of a request's body is kept, in bytes, in case that it
// was read for a connection that closed before anything was written to it.
const replayMost = 64 << 10

var (
	errUploadClosed = errors.New("the request's body was closed")
	errUploadGone   = errors.New("the request's body is too long to be sent again")
)

// upload is the body of a request, which several attempts may read one after the
// other. It is safe for concurrent use.
type upload struct {
	from io.Reader

	mu      sync.Mutex
	kept    []byte
	over    bool  // more than replayMost was read
	failed  error // what reading from the client said, io.EOF too
	reading bool
}

// open returns a reader of the whole body; on a body of which too much was read,
// its reads fail.
func (u *upload) open() io.ReadCloser { return &attempt{upload: u} }

// again is open for http.Request.GetBody.
func (u *upload) again() (io.ReadCloser, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.over {
		return nil, errUploadGone
	}
	return u.open(), nil
}

// waits reports whether the gateway waits for the client to send more.
func (u *upload) waits() bool {
	if u == nil {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.reading
}

// broke reports whether the client failed to send its body.
func (u *upload) broke() bool {
	if u == nil {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.failed != nil && u.failed != io.EOF
}

// attempt reads an upload from its begin.
type attempt struct {
	*upload
	at     int // bytes read of what is kept
	live   bool
	closed bool // guarded by upload.mu
}

// Read reads what earlier attempts read, then what the client sends.
func (a *attempt) Read(p []byte) (int, error) {
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return 0, errUploadClosed
	}
	if !a.live && a.over {
		a.mu.Unlock()
		return 0, errUploadGone
	}
	if a.at < len(a.kept) && !a.over {
		n := copy(p, a.kept[a.at:])
		a.at += n
		a.mu.Unlock()
		return n, nil
	}
	if a.failed != nil || a.reading {
		err := a.failed
		a.mu.Unlock()
		if err == nil {
			err = errUploadClosed // another attempt reads still: net/http never does that
		}
		return 0, err
	}
	a.live, a.reading = true, true
	a.mu.Unlock()
	n, err := a.from.Read(p)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reading = false
	a.failed = err
	a.keep(p[:n])
	return n, err
}

// keep remembers what was read. It needs the lock.
func (a *attempt) keep(p []byte) {
	if a.over {
		return
	}
	if len(a.kept)+len(p) > replayMost {
		a.over, a.kept = true, nil
		return
	}
	a.kept = append(a.kept, p...)
	a.at = len(a.kept)
}

// Close ends this attempt. The client's body stays open for another one.
func (a *attempt) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	return nil
}
