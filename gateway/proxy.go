package gateway

import (
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
	log      *slog.Logger
	quiet    *log.Logger // for net/http's own remarks
	buffers  buffers
	requests atomic.Uint64
	refused  atomic.Uint64
	active   atomic.Int64 // requests being served, hijacked ones too
	stopping atomic.Bool
}

func newProxy(j *journal, l *slog.Logger) *proxy {
	p := &proxy{registry: newRegistry(), journal: j, log: l, quiet: slog.NewLogLogger(l.Handler(), slog.LevelDebug)}
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
}

// ServeHTTP serves one request of a client.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.active.Add(1)
	defer p.active.Add(-1)
	p.requests.Add(1)
	if p.stopping.Load() && r.Header.Get("Upgrade") == "" {
		w.Header().Set("Connection", "close")
	}
	x := p.admit(r)
	if x == nil {
		p.refused.Add(1)
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
	x := &exchange{proxy: p, site: route.site, timeout: route.timeout, unitHeader: route.unitHeader, start: now}
	x.session = ownSession(route.assignment)
	unit, fresh := unitOf(route.assignment, r)
	if fresh && bySession(route.assignment) {
		x.cookie = sessionCookie(route.assignment, unit)
	}
	at := x.assign(route, unit, fresh, now)
	if at.counted {
		x.observed = route.book.arrive(now, arrivalOf(route, at, unit))
	}
	x.place(route, now)
	return x
}

// assign decides which release the request belongs to.
func (x *exchange) assign(r *route, unit string, fresh bool, now time.Time) place {
	var at place
	if r.assignment.By == fairlead.ByRun && !fresh {
		at = r.placeRun(unit, now)
	} else {
		at = r.placeUnit(unit)
	}
	x.release = at.release
	return at
}

// arrivalOf returns whose evidence a request is.
func arrivalOf(r *route, at place, unit string) arrival {
	a := arrival{deadline: r.timeout}
	if s := r.split; s != nil {
		a.rollout, a.epoch, a.canary, a.thresholds = s.rollout, s.epoch, at.canary, s.thresholds
		a.unit, a.hasUnit = s.keys.id(unit), true
	}
	return a
}

// unreachable notes a failed dial.
func (p *proxy) unreachable(x *exchange, b *backend, i *instance) {
	now := time.Now()
	if d := b.unreachable(i, now); d > 0 {
		p.note(now, eventEjected, x, i.id+" for "+d.String()+" after failed connections")
	}
}

// reached notes a connection that works.
func (p *proxy) reached(x *exchange, i *instance) {
	if i.reached() {
		p.note(time.Now(), eventRestored, x, i.id+" can be reached again")
	}
}

func (p *proxy) note(now time.Time, kind string, x *exchange, text string) {
	p.log.Info(kind, "site", x.site.String(), "text", text)
	if err := p.journal.add(now, kind, x.site, text); err != nil {
		p.log.Error("the journal cannot be written", "error", err)
	}
}

// buffers lends the buffers that bodies are copied with.
type buffers struct{ pool sync.Pool }

// Get returns a buffer.
func (b *buffers) Get() []byte { return b.pool.Get().(*[32 << 10]byte)[:] }

// Put takes it back.
func (b *buffers) Put(buf []byte) { b.pool.Put((*[32 << 10]byte)(buf)) }
