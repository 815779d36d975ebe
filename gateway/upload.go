package gateway

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
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
	from     io.Reader
	deadline func(time.Time) error // of reads; no connection is left to hear its error
	stall    time.Duration         // longest that a read may take; 0 is for ever
	stands   bool                  // a deadline stands until the next read or the end of the body

	mu      sync.Mutex
	kept    []byte
	over    bool  // more than replayMost was read
	failed  error // what reading from the client said, io.EOF too
	reading bool
	ended   bool // by abort
}

// newUpload returns the body of r, which arrives through the connection of control.
// A client that announced a length must go on sending; one that did not may wait
// within a stream for as long as it likes.
func newUpload(r *http.Request, control *http.ResponseController, stall time.Duration) *upload {
	// Over HTTP/1, net/http reads by itself what nobody has read when an answer
	// begins; over HTTP/2 a deadline that passes ends the body, read or not.
	u := &upload{from: r.Body, deadline: control.SetReadDeadline, stands: r.ProtoMajor < 2}
	if r.ContentLength > 0 {
		u.stall = stall
	}
	if u.stands {
		u.limit(time.Now().Add(stall))
	}
	return u
}

// abort ends a read that waits for the client, and those to come.
func (u *upload) abort() {
	if u == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ended = true
	_ = u.deadline(time.Unix(1, 0))
}

// rest lifts a deadline that stands while nobody reads.
func (u *upload) rest() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.reading {
		u.limit(time.Time{})
	}
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
	a.limit(time.Now().Add(a.stall))
	a.mu.Unlock()
	n, err := a.from.Read(p)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reading = false
	if !a.stands || err == io.EOF {
		a.limit(time.Time{})
	}
	a.failed = err
	a.keep(p[:n])
	return n, err
}

// limit sets when a read must have ended. It needs the lock.
func (u *upload) limit(until time.Time) {
	if u.stall > 0 && !u.ended {
		_ = u.deadline(until)
	}
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
