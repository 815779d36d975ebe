// Package inprocess calls an HTTP handler of the same process as a client would over a
// network, without one: a [Transport] is an http.RoundTripper.
package inprocess

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
)

// Transport calls Handler. Each call runs in a goroutine of its own that ends when the
// handler returns: closing the answer's body ends the call's context and awaits it. When
// a call's context ends before its answer begins, RoundTrip returns at once; a handler
// that does not heed its context then goes on, and who lends it has to count it.
//
// An answer streams: it begins with the handler's first byte or flush, and a handler
// that is [ahead] of its reader waits. It is safe for concurrent use.
type Transport struct {
	Handler http.Handler
	Log     *slog.Logger // of a handler that panics
}

// RoundTrip implements http.RoundTripper.
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		closeBody(r)
		return nil, err
	}
	ctx, end := context.WithCancel(r.Context())
	a := newAnswer()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer closeBody(r)
		t.serve(a, served(ctx, r))
	}()
	stop := context.AfterFunc(ctx, func() { a.end(context.Cause(ctx)) }) // wakes who writes and who reads
	body := &body{a: a, end: func() { stop(); end(); <-done }}
	select {
	case <-a.begun:
	case <-ctx.Done():
		end()
		return nil, ctx.Err()
	}
	if a.status == 0 { // it broke before it began
		_ = body.Close()
		return nil, a.failed
	}
	return a.response(r, body), nil
}

// serve runs the handler to its end. What it panics with ends the answer, as it would end
// a connection.
func (t Transport) serve(a *answer, r *http.Request) {
	defer func() {
		switch p := recover(); {
		case p == nil && r.Context().Err() != nil:
			a.end(context.Cause(r.Context())) // what it wrote may not be whole
		case p == nil:
			a.WriteHeader(http.StatusOK) // if nothing else was said
			a.end(io.EOF)
		case p == http.ErrAbortHandler:
			a.end(fmt.Errorf("%s %s: the answer was broken off: %w", r.Method, r.URL.Path, io.ErrUnexpectedEOF))
		default:
			t.Log.Error("a call in the process panicked", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
			a.end(fmt.Errorf("%s %s: panic: %v", r.Method, r.URL.Path, p))
		}
	}()
	t.Handler.ServeHTTP(a, r)
}

// served is a client's request as a server would have read it.
func served(ctx context.Context, r *http.Request) *http.Request {
	s := r.Clone(ctx)
	s.RequestURI = r.URL.RequestURI()
	s.Proto, s.ProtoMajor, s.ProtoMinor = "HTTP/1.1", 1, 1
	if s.Host == "" {
		s.Host = r.URL.Host
	}
	if s.Body == nil {
		s.Body = http.NoBody
	}
	return s
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close() // as http.RoundTripper promises; nothing was written that could be lost
	}
}

// body is the answer's, for its reader.
type body struct {
	a   *answer
	end func()
}

func (b *body) Read(p []byte) (int, error) { return b.a.read(p) }

func (b *body) Close() error {
	b.a.end(errClosed)
	b.end()
	return nil
}

var errClosed = errors.New("the answer was closed by its reader")
