package inprocess

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"sync"
)

// ahead is how many bytes a handler may write before its reader takes them.
const ahead = 64 << 10

// answer is what a handler writes and a client reads: the head, and a pipe with room.
type answer struct {
	header http.Header   // the handler's, until the answer begins
	begun  chan struct{} // closed when the answer begins, or cannot any more

	mu     sync.Mutex
	moved  sync.Cond // something was written, read or ended
	status int       // 0 until the answer begins
	head   http.Header
	buffer bytes.Buffer
	failed error // why nothing more is written: io.EOF at a good end
}

func newAnswer() *answer {
	a := &answer{header: http.Header{}, begun: make(chan struct{})}
	a.moved.L = &a.mu
	return a
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter. What is only on the way to an answer, such
// as 100, is left out.
func (a *answer) WriteHeader(status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.begin(status)
}

func (a *answer) begin(status int) {
	if a.status != 0 || a.failed != nil || status < http.StatusOK {
		return
	}
	a.status, a.head = status, a.header.Clone()
	close(a.begun)
}

// Write implements http.ResponseWriter. It waits for the reader when it is far ahead, and
// fails when the reader is gone.
func (a *answer) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.begin(http.StatusOK)
	for a.failed == nil && a.buffer.Len() > ahead {
		a.moved.Wait()
	}
	if a.failed != nil {
		return 0, a.failed
	}
	a.moved.Broadcast()
	return a.buffer.Write(p)
}

// Flush implements http.Flusher: what is written can be read already, and the answer
// begins.
func (a *answer) Flush() { a.WriteHeader(http.StatusOK) }

// end says that nothing more is written, and why. The first reason stays.
func (a *answer) end(why error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failed != nil {
		return
	}
	a.failed = why
	if a.status == 0 {
		close(a.begun)
	}
	a.moved.Broadcast()
}

// read gives what was written, and then why there is no more.
func (a *answer) read(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.buffer.Len() == 0 && a.failed == nil {
		a.moved.Wait()
	}
	if a.failed == errClosed || a.buffer.Len() == 0 {
		return 0, a.failed
	}
	defer a.moved.Broadcast()
	return a.buffer.Read(p)
}

// response is the answer's head, with its body to be read.
func (a *answer) response(r *http.Request, b *body) *http.Response {
	resp := &http.Response{
		Status: fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: a.head, Body: b, ContentLength: -1, Request: r,
	}
	if n, err := strconv.ParseInt(a.head.Get("Content-Length"), 10, 64); err == nil {
		resp.ContentLength = n
	}
	return resp
}
