package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway/trace"
)

// Limits of mirroring.
const (
	mirrorMost       = 64       // copies of a site's requests at once
	mirrorBodyMost   = 1 << 20  // bytes of a request that is copied
	mirrorAnswerMost = 16 << 20 // bytes of its answer that are read
)

// mirroredHeader tells an instance that nobody waits for its answer.
const mirroredHeader = "Fairlead-Mirrored"

// mirror is the copy of a request that the old release answers, for the new one. The
// client's request never waits for it: its body is kept as the old release reads it,
// and the copy goes out by a goroutine of its own when the body is whole. The answer
// goes nowhere. A nil mirror is a request without a copy. It is safe for concurrent use.
type mirror struct {
	proxy   *proxy
	site    fairlead.Site
	rollout string
	pair    *pairing
	until   time.Time     // when the old release must have begun its answer, too
	room    *atomic.Int64 // see siteState

	mu     sync.Mutex
	copied *http.Request // without its body; nil before the client's was sent
	body   []byte
	reads  bool // there is a body, and it is not whole yet
	over   bool // sent or given up
}

// mirror decides whether a request that was just admitted is copied, and makes room
// for the copy. It runs under a pinned table.
func (p *proxy) mirror(x *exchange, route *route, r *http.Request, now time.Time) *mirror {
	s := route.split
	if s == nil || s.mirror == nil || x.observed == nil || x.at.canary || p.stopping.Load() {
		return nil
	}
	if !slices.Contains(s.mirror.Methods, r.Method) || !s.mirrors(p.draw()) {
		return nil
	}
	switch {
	case r.Header.Get("Upgrade") != "":
		p.mirrors.skip(skipUpgrade)
		return nil
	case r.ContentLength > mirrorBodyMost:
		p.mirrors.skip(skipLarge)
		return nil
	case route.mirrors.Add(1) > mirrorMost:
		route.mirrors.Add(-1)
		p.mirrors.skip(skipBusy)
		return nil
	}
	return &mirror{
		proxy: p, site: route.site, rollout: s.rollout, pair: route.book.pair(x.observed),
		until: now.Add(route.timeout), room: route.mirrors,
	}
}

// mirrors reports whether a draw, which knows nothing of the unit, chooses a copy.
func (s *split) mirrors(draw uint64) bool {
	n, _ := below(int(fairlead.Whole), draw)
	return fairlead.Weight(n) < s.mirror.Share.Weight()
}

// tee returns a body whose bytes the copy gets too.
func (m *mirror) tee(body io.ReadCloser) io.ReadCloser {
	if m == nil {
		return body
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads = true
	return &tee{body, m}
}

// tee is the body of a request that is copied.
type tee struct {
	io.ReadCloser
	to *mirror
}

// Read reads as the body does.
func (t *tee) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	t.to.took(p[:n], err)
	return n, err
}

// took keeps what was read of the body; at its end the copy goes out.
func (m *mirror) took(p []byte, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.over:
	case len(m.body)+len(p) > mirrorBodyMost:
		m.drop(skipLarge)
	case err != nil && err != io.EOF:
		m.drop(skipUnread)
	default:
		m.body = append(m.body, p...)
		m.reads = err == nil
		m.launch()
	}
}

// send makes the copy of a request as an instance gets it, with a receipt for late
// reports of its own.
func (m *mirror) send(out *http.Request, token string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over {
		return
	}
	m.copied = out.Clone(context.Background())
	m.copied.Body, m.copied.GetBody, m.copied.Trailer, m.copied.TransferEncoding = nil, nil, nil, nil
	m.copied.Header.Del("Expect") // its body is there
	m.copied.Header.Set(mirroredHeader, "true")
	if token != "" {
		m.copied.Header.Set(trace.Header, token)
	}
	m.launch()
}

// answered notes that the client's request ended: whole or cut short. It must be
// called once.
func (m *mirror) answered(whole bool, reported map[string]float64) {
	if m == nil {
		return
	}
	m.mu.Lock()
	if !m.over {
		m.drop(skipUnread)
	}
	m.mu.Unlock()
	m.pair.clientHas(whole, reported)
}

// launch sends the copy when it is whole. It needs the lock.
func (m *mirror) launch() {
	if m.over || m.reads || m.copied == nil {
		return
	}
	out, body := m.copied, m.body
	m.over, m.copied, m.body = true, nil, nil // a client may take its answer for hours
	if !m.proxy.mirrors.spawn(func(ctx context.Context) { m.run(ctx, out, body) }) {
		m.end(skipGivenUp)
	}
}

// drop gives the copy up before it was sent. It needs the lock.
func (m *mirror) drop(why skip) {
	m.over, m.copied, m.body = true, nil, nil
	m.end(why)
}

// end gives the pair and the copy's room up.
func (m *mirror) end(why skip) {
	m.proxy.mirrors.skip(why)
	m.pair.giveUp()
	m.room.Add(-1)
}

// run sends the copy to an instance of the new release, and another one where no
// connection can be had.
func (m *mirror) run(ctx context.Context, out *http.Request, body []byte) {
	ctx, cancel := context.WithDeadline(ctx, m.until)
	defer cancel()
	var tried []*instance
	for {
		i := m.choose(tried)
		switch {
		case i == nil && tried == nil:
			m.end(skipNotReady)
			return
		case i == nil:
			m.ended(ctx, true, nil) // none can be reached: as for a client's request
			return
		}
		if m.ask(ctx, i, out, body) {
			return
		}
		tried = append(tried, i)
	}
}

// choose returns an instance of the new release by the snapshot in force, with the
// copy counted in flight there; nil when there is none, or nothing is mirrored any more.
func (m *mirror) choose(tried []*instance) *instance {
	t := m.proxy.pin()
	defer t.unpin()
	r := t.sites[m.site]
	if r == nil || r.split == nil || r.split.rollout != m.rollout || r.split.mirror == nil {
		return nil
	}
	i := r.split.canary.pick(tried, time.Now(), m.proxy.draw())
	if i != nil {
		i.inFlight.Add(1)
	}
	return i
}

// ask sends the copy to an instance and reads the answer. It reports false when no
// connection could be had. The outcome is counted before the place in flight is given up.
func (m *mirror) ask(ctx context.Context, i *instance, out *http.Request, body []byte) bool {
	defer i.inFlight.Add(-1)
	out = out.WithContext(ctx)
	out.Body, out.ContentLength = http.NoBody, 0
	if len(body) > 0 {
		out.ContentLength = int64(len(body))
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		out.Body, _ = out.GetBody()
	}
	answer, err := i.transport.RoundTrip(out)
	var unsent *dialError
	if errors.As(err, &unsent) && ctx.Err() == nil {
		return false
	}
	m.proxy.mirrors.sent.Add(1)
	if err != nil {
		m.ended(ctx, true, nil)
		return true
	}
	failed, reported := judged(ctx, answer)
	m.ended(ctx, failed, reported)
	return true
}

// judged reads the answer to a copy, and returns whether it counts as failed and what
// it reports. One that has begun in time and is still coming counts as it stands.
func judged(ctx context.Context, answer *http.Response) (failed bool, reported map[string]float64) {
	defer answer.Body.Close()
	var heard reading
	heard.take(answer.Header[signalHeader])
	_, err := io.CopyN(io.Discard, answer.Body, mirrorAnswerMost)
	if err == io.EOF {
		heard.take(answer.Trailer[signalHeader])
	}
	late := errors.Is(ctx.Err(), context.DeadlineExceeded)
	cut := err != nil && err != io.EOF && !late
	reported = heard.values()
	return cut || answer.StatusCode >= 500 || reported[fairlead.ErrorSignal] == 1, reported
}

// ended counts what became of the copy.
func (m *mirror) ended(ctx context.Context, failed bool, reported map[string]float64) {
	if errors.Is(ctx.Err(), context.Canceled) {
		m.end(skipGivenUp) // the gateway stops
		return
	}
	if failed {
		m.proxy.mirrors.failed.Add(1)
	}
	m.pair.copyHas(failed, reported)
	m.room.Add(-1)
}
