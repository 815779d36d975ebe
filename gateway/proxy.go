package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"log"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead"
)

// proxy is the data plane: it serves requests by the table in force. Nothing in
// it waits for the control side.
type proxy struct {
	table    atomic.Pointer[table]
	registry *registry
	journal  *journal
	patient  func(write func()) // runs a write of the journal; returns when it is done, or has taken too long
	log      *slog.Logger
	quiet    *log.Logger // for net/http's own remarks
	buffers  buffers
	mirrors  *mirroring
	seed     uint64 // of its draws
	draws    atomic.Uint64
	nonces   atomic.Uint64 // given
	signals  atomic.Uint64 // that answers reported
	ignored  atomic.Uint64 // of no use, see Ticket.Report
	requests atomic.Uint64
	refused  atomic.Uint64
	active   atomic.Int64  // requests being served, hijacked ones too
	held     atomic.Int64  // of these, those that wait for an instance
	holdFor  time.Duration // how long they do: Config.Hold
	stall    time.Duration // longest that a client may take over a piece: Config.Stall
	stopping atomic.Bool
	lost     atomic.Bool                                            // the snapshot on disk could not be read, and there is none yet
	retired  atomic.Bool                                            // another gateway has taken over
	alone    struct{ ejections, expiries, unwritten atomic.Uint64 } // what the journal is told, and could not be
}

func newProxy(boot string, j *journal, l *slog.Logger) *proxy {
	p := &proxy{
		registry: newRegistry(), journal: j, patient: func(write func()) { write() }, seed: seedOf(boot), stall: stallMost,
		mirrors: newMirroring(), log: l, quiet: slog.NewLogLogger(l.Handler(), slog.LevelDebug),
	}
	p.buffers.pool.New = func() any { return new([32 << 10]byte) }
	p.table.Store(newTable(&Snapshot{}, nil, p.registry))
	return p
}

// pin returns the table in force and keeps install from returning until unpin.
// The caller must not block between the two.
func (p *proxy) pin() *table {
	for {
		t := p.table.Load()
		t.choosing.Add(1)
		if p.table.Load() == t {
			return t
		}
		t.choosing.Add(-1)
	}
}

func (t *table) unpin() { t.choosing.Add(-1) }

// install puts t in force. When it returns, every request that chose its instance
// by an earlier table is counted in that instance's requests in flight: the drain
// barrier. The caller makes sure that it is not called twice at once.
func (p *proxy) install(t *table) {
	old := p.table.Swap(t)
	for old.choosing.Load() != 0 {
		runtime.Gosched()
	}
	p.registry.sweep(t)
	p.registry.wake()
}

// ServeHTTP serves one request of a client.
func (p *proxy) ServeHTTP(client http.ResponseWriter, r *http.Request) {
	p.active.Add(1)
	defer p.active.Add(-1)
	w := newPaced(client, p.stall)
	defer w.end()
	p.requests.Add(1)
	if p.stopping.Load() && r.Header.Get("Upgrade") == "" {
		w.Header().Set("Connection", "close")
	}
	x := p.admit(r)
	if x == nil {
		p.refused.Add(1)
		if p.lost.Load() {
			w.Header().Set("Retry-After", "1")
			writeProblem(w, http.StatusServiceUnavailable, "its routes could not be read; it waits for its control plane")
			return
		}
		writeProblem(w, http.StatusNotFound, "no route for this host and path")
		return
	}
	defer x.end()
	x.serve(w, r)
}

// admit finds the request's route, assigns its unit, counts it and chooses an
// instance, all by one table. It returns nil when there is no route.
func (p *proxy) admit(r *http.Request) *exchange {
	t := p.pin()
	defer t.unpin()
	route := t.match(r.Host, r.URL.Path)
	if route == nil {
		return nil
	}
	now := time.Now()
	x := &exchange{Ticket: Ticket{proxy: p, site: route.site}, timeout: route.timeout, unitHeader: route.unitHeader}
	x.session = ownSession(route.assignment)
	unit, fresh := unitOf(route.assignment, r)
	if fresh && bySession(route.assignment) {
		x.cookie = sessionCookie(route.assignment, unit)
	}
	x.enter(route, unit, fresh, now)
	x.mirror = p.mirror(x, route, r, now)
	return x
}

// unreachable notes a failed dial. An ejection is in the journal before it takes
// effect, or the journal cannot be written.
func (p *proxy) unreachable(site fairlead.Site, b *backend, i *instance, now time.Time) {
	d := b.unreachable(i, now)
	if d == 0 {
		return
	}
	p.note(Event{Time: now, Kind: eventEjected, Site: site, Text: i.id + " for " + d.String() + " after failed connections"})
	i.eject(now.Add(d))
}

// note puts events in the log, the metrics and the journal, in which they are when it
// returns, unless it cannot be written, or not for a while: see patient.
func (p *proxy) note(events ...Event) {
	for _, e := range events {
		level := slog.LevelWarn
		switch e.Kind {
		case eventEjected:
			p.alone.ejections.Add(1)
		case eventLeaseExpired:
			p.alone.expiries.Add(1)
		case eventStarted, eventRestored:
			level = slog.LevelInfo
		}
		p.log.Log(context.Background(), level, e.Kind, "site", e.Site.String(), "text", e.Text)
	}
	if p.retired.Load() {
		return // the journal is another gateway's
	}
	p.patient(func() {
		if err := p.journal.add(events...); err != nil {
			p.alone.unwritten.Add(uint64(len(events)))
			p.log.Error("the journal cannot be written", "error", err)
		}
	})
}

// draw returns a number that looks random: the next of a sequence that the boot id
// begins (SplitMix64: Steele, Lea, Flood 2014).
func (p *proxy) draw() uint64 {
	z := p.seed + p.draws.Add(1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// nonce returns a number that no other request of this boot has.
func (p *proxy) nonce() uint64 { return p.seed + p.nonces.Add(1) }

// seedOf returns where a boot's draws begin.
func seedOf(boot string) uint64 {
	sum := sha256.Sum256([]byte(boot))
	return binary.BigEndian.Uint64(sum[:])
}

// buffers lends the buffers that bodies are copied with.
type buffers struct{ pool sync.Pool }

// Get returns a buffer.
func (b *buffers) Get() []byte { return b.pool.Get().(*[32 << 10]byte)[:] }

// Put takes it back.
func (b *buffers) Put(buf []byte) { b.pool.Put((*[32 << 10]byte)(buf)) }
