package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/consolecookie"
)

var (
	errDeadline   = errors.New("no first byte before the deadline")
	errSlowUpload = errors.New("the client did not send its request before the deadline")
	errNothing    = errors.New("no instance could be reached")
	errStatus     = errors.New("the app's answer has a status below 100")
)

// exchange is the ticket of a request that came by HTTP. httputil.ReverseProxy does
// the copying, the hop-by-hop headers and the upgrades; the exchange is its
// Transport, so that a request that was never sent can go elsewhere.
type exchange struct {
	Ticket
	session    string // name of the cookie that only the gateway sets; "" when there is none
	cookie     string // Set-Cookie of a new session
	unitHeader string
	timeout    time.Duration
	cause      func() error // why the request's context ended, nil while it has not
	trace      string       // for instance and client, once it is needed
	deadline   deadline
	body       *upload // nil without one
	mirror     *mirror // nil without a copy for the new release
	whole      bool    // the answer was read to its end
}

// serve forwards the request and copies the answer.
func (x *exchange) serve(w *paced, r *http.Request) {
	if kind := r.Header.Get("Upgrade"); kind != "" && !strings.EqualFold(kind, "websocket") {
		r.Header.Del("Upgrade") // such as h2c, in which requests would pass unseen
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	x.cause = func() error { return context.Cause(ctx) }
	if r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0 {
		r.Body = x.mirror.tee(r.Body)
		x.body = newUpload(r, w.control, w.stall)
		w.body = x.body
	}
	if err := x.queue(ctx); err != nil {
		x.fail(w, r, err)
		return
	}
	x.deadline.start(x.timeout, func() {
		if x.body.waits() {
			cancel(errSlowUpload)
		}
		cancel(errDeadline)
		x.body.abort() // http.Transport returns only when its read of the body does
	})
	defer x.deadline.stop()
	if x.instance == nil && !x.hold(ctx) {
		x.fail(w, r, errNothing)
		return
	}
	forward := httputil.ReverseProxy{
		Rewrite: x.rewrite, Transport: x, ModifyResponse: x.final, ErrorHandler: x.fail,
		BufferPool: &x.proxy.buffers, ErrorLog: x.proxy.quiet,
	}
	forward.ServeHTTP(w, r.WithContext(ctx))
}

// queue lets a request wait whose site queues, and says why it cannot go on.
func (x *exchange) queue(ctx context.Context) error {
	switch {
	case x.turnedAway:
		return errLineFull
	case x.Waits():
		return x.wait(ctx)
	}
	return nil
}

// end counts the request as ended, whatever became of it.
func (x *exchange) end() {
	x.mirror.answered(x.whole, x.reading.values())
	x.End(time.Now())
}

// rewrite makes the request that an instance gets.
func (x *exchange) rewrite(r *httputil.ProxyRequest) {
	r.SetXForwarded()
	r.Out.URL.Scheme, r.Out.URL.Host = "http", "instance"
	r.Out.URL.RawQuery = r.In.URL.RawQuery // as it came, semicolons too
	for _, h := range []http.Header{r.Out.Header, r.Out.Trailer} {
		for name := range h {
			if ours(name) && (name != x.unitHeader || name == mirroredHeader) {
				delete(h, name)
			}
		}
	}
	consolecookie.Strip(r.Out.Header)
	if id := r.Out.Header.Get("X-Request-Id"); id == "" || len(id) > 200 {
		r.Out.Header.Set("X-Request-Id", rand.Text())
	}
	x.setTrace(r.Out.Header)
}

// ours reports whether a request's header looks to an instance as if the gateway had
// written it. CGI and WSGI give an app the same variable for Fairlead_Mirrored, or
// for any mix of letters, as for Fairlead-Mirrored (RFC 3875, section 4.1.18).
func ours(name string) bool {
	const prefix = "fairlead-"
	return len(name) >= len(prefix) && strings.EqualFold(strings.ReplaceAll(name[:len(prefix)], "_", "-"), prefix)
}

// RoundTrip sends the request. Only a request of which no byte was sent is sent again:
// to another instance when no connection could be had, and to the same one when a kept
// connection was closed. (http.Transport itself sends again what is idempotent, when a
// kept connection closes.)
func (x *exchange) RoundTrip(out *http.Request) (*http.Response, error) {
	if x.mirror != nil {
		x.mirror.send(out, x.traceOf(true, true))
	}
	for {
		var s sending
		attempt := out.WithContext(httptrace.WithClientTrace(out.Context(), s.trace()))
		if x.body != nil {
			attempt.Body, attempt.GetBody = x.body.open(), x.body.again
		}
		answer, err := x.instance.transport.RoundTrip(attempt)
		if err == nil {
			x.deadline.stop()
			x.Reached(time.Now())
			return x.answered(answer), nil
		}
		if out.Context().Err() != nil {
			return nil, err
		}
		if s.unsent() {
			continue
		}
		var unsent *dialError
		if !errors.As(err, &unsent) {
			return nil, err
		}
		if !x.Unreachable(time.Now()) && !x.hold(out.Context()) {
			return nil, errors.Join(errNothing, err)
		}
	}
}

// answered counts the head of an answer and watches its body.
func (x *exchange) answered(a *http.Response) *http.Response {
	if a.StatusCode >= 500 {
		x.observed.fail(fairlead.ServerError)
	}
	x.hear(a.Header)
	withoutReports(a.Trailer) // what is announced of it
	now := time.Now()
	switch duplex, ok := a.Body.(io.ReadWriteCloser); {
	case a.StatusCode == http.StatusSwitchingProtocols && ok:
		x.observed.firstByte(now, true)
		a.Body = &upgraded{ReadWriteCloser: duplex, x: x}
	case isStream(a.Header):
		a.Body = &download{ReadCloser: a.Body, x: x, answer: a, stream: true}
	default:
		x.observed.firstByte(now, false)
		a.Body = &download{ReadCloser: a.Body, x: x, answer: a}
	}
	return a
}

// final makes an instance's final answer the gateway's. A new session is in no
// answer before it: clients pass over headers of a 1xx. The instance sets no
// session of the gateway's, with which it could make one unit of many, or move
// one. And a status that net/http cannot write is no answer.
func (x *exchange) final(a *http.Response) error {
	if a.StatusCode < 100 {
		return errStatus
	}
	if x.session != "" {
		withoutCookie(a.Header, x.session)
	}
	consolecookie.StripSet(a.Header)
	x.setSession(a.Header)
	x.setTrace(a.Header)
	if queued := x.queuedFor(); queued != "" {
		a.Header.Set(queuedHeader, queued)
	}
	return nil
}

func (x *exchange) setSession(h http.Header) {
	if x.cookie != "" {
		h.Add("Set-Cookie", x.cookie)
	}
}

// withoutCookie takes the cookie of a name out of an answer's head.
func withoutCookie(h http.Header, name string) {
	kept := slices.DeleteFunc(h["Set-Cookie"], func(line string) bool {
		given, _, _ := strings.Cut(line, "=")
		return strings.TrimSpace(given) == name
	})
	if len(kept) == 0 {
		h.Del("Set-Cookie")
		return
	}
	h["Set-Cookie"] = kept
}

// isStream reports whether an answer comes bit by bit for as long as it likes.
func isStream(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return false
	}
	switch kind {
	case "text/event-stream", "application/x-ndjson", "application/jsonl", "multipart/x-mixed-replace":
		return true
	}
	return strings.HasPrefix(kind, "application/grpc")
}

// broken counts an answer that ended before its end, unless it was the client
// that went away.
func (x *exchange) broken() {
	switch why := x.cause(); {
	case errors.Is(why, errDeadline):
		x.observed.fail(fairlead.Timeout)
	case why == nil:
		x.observed.fail(fairlead.Reset)
	}
}

// download is the body of an answer.
type download struct {
	io.ReadCloser
	x      *exchange
	answer *http.Response
	stream bool // whose first byte is still to come
}

// Read reads as the body does, and counts the first byte, what the trailer reports,
// and a broken end.
func (d *download) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	if d.stream && n > 0 {
		d.stream = false
		d.x.observed.firstByte(time.Now(), true)
	}
	switch {
	case err == io.EOF:
		d.x.whole = true
		d.x.hear(d.answer.Trailer)
	case err != nil:
		d.x.broken()
	}
	return n, err
}

// upgraded is the connection of an upgraded request.
type upgraded struct {
	io.ReadWriteCloser
	x      *exchange
	closed atomic.Bool
}

// CloseWrite tells the instance that the client sends no more.
func (u *upgraded) CloseWrite() error { return closeWrite(u.ReadWriteCloser) }

// Read reads as the connection does, and counts a reset.
func (u *upgraded) Read(p []byte) (int, error) {
	n, err := u.ReadWriteCloser.Read(p)
	if err != nil && err != io.EOF && !u.closed.Load() {
		u.x.broken()
	}
	return n, err
}

// Close closes the connection; what reads say from here on is no failure.
func (u *upgraded) Close() error {
	u.closed.Store(true)
	return u.ReadWriteCloser.Close()
}
