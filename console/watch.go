package console

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
)

// lookEvery is the longest between two looks at what a followed page shows, and lookGap
// the shortest; a new ledger entry brings the next look as soon as that has passed.
const (
	lookEvery = 500 * time.Millisecond
	lookGap   = 50 * time.Millisecond
)

// lookTimeout is the longest that one look may take.
const lookTimeout = 10 * time.Second

// look reads what a page shows.
type look func(ctx context.Context) (frame, error)

// watch looks at one page for all who follow it.
type watch struct {
	task
	log       *slog.Logger
	followers int    // guarded by the hub
	began     string // who followed it first
	turns     *turns // of all looks
	wake      chan struct{}

	mu   sync.Mutex
	shot *shot
	news chan struct{} // closed when there is another shot
}

// shot is what a look found. It does not change, and all followers share it: a follower
// holds no copy of what it sends.
type shot struct {
	pieces  []piece // by id
	problem string  // why the newest look found nothing; pieces are of the one before
}

// piece is a part as of its newest change.
type piece struct {
	id     string
	html   string
	field  []byte // id and html as a field of a JSON object
	number uint64 // that grows with each change
}

func newWatch(who string, looks *turns, l look, log *slog.Logger) *watch {
	w := &watch{log: log, began: who, turns: looks, wake: make(chan struct{}, 1), shot: &shot{}, news: make(chan struct{})}
	w.task = begin(func(ctx context.Context) { w.run(ctx, l) })
	return w
}

// lookSoon asks for a look before the next one is due.
func (w *watch) lookSoon() {
	select {
	case w.wake <- struct{}{}:
	default: // it was asked for already
	}
}

func (w *watch) run(ctx context.Context, l look) {
	for w.lookInTurn(ctx, l) {
		gap, due := time.NewTimer(lookGap), time.NewTimer(lookEvery)
		select {
		case <-ctx.Done():
		case <-gap.C:
		}
		select {
		case <-ctx.Done():
		case <-w.wake:
		case <-due.C:
		}
		gap.Stop()
		due.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// lookInTurn looks once, when it is its session's turn, and reports whether to go on. It
// gives the turn back after a rest as long as the look took: looks of one session, however
// costly, leave the processors to others half of the time.
func (w *watch) lookInTurn(ctx context.Context, l look) bool {
	done, err := w.turns.take(ctx, w.began)
	if err != nil {
		return false
	}
	defer done()
	began := time.Now()
	f, err := w.look(ctx, l)
	if ctx.Err() != nil {
		return false
	}
	w.take(f, err)
	rest := time.NewTimer(time.Since(began))
	defer rest.Stop()
	select {
	case <-ctx.Done():
	case <-rest.C:
	}
	return ctx.Err() == nil
}

// look looks once. A look that panics is one that failed: the server goes on.
func (w *watch) look(ctx context.Context, l look) (f frame, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	defer func() {
		if fault := recover(); fault != nil {
			w.log.Error("a page's look panicked", "fault", fault, "stack", string(debug.Stack()))
			f, err = nil, fairlead.Errorf(fairlead.Internal, "", "a fault of Fairlead's own, which its log names")
		}
	}()
	return l(ctx)
}

// take makes what a look found the newest shot, if it differs.
func (w *watch) take(f frame, err error) {
	before := w.shot // only this goroutine replaces it
	next := &shot{pieces: before.pieces}
	if err != nil {
		next.problem = err.Error()
	} else {
		next.pieces = before.with(f)
	}
	if next.problem == before.problem && slices.EqualFunc(next.pieces, before.pieces, samePiece) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shot = next
	close(w.news)
	w.news = make(chan struct{})
}

func samePiece(a, b piece) bool { return a.id == b.id && a.number == b.number }

// with returns the pieces of a frame, those that did not change as they were.
func (s *shot) with(f frame) []piece {
	known := make(map[string]piece, len(s.pieces))
	newest := uint64(0)
	for _, p := range s.pieces {
		known[p.id] = p
		newest = max(newest, p.number)
	}
	pieces := make([]piece, 0, len(f))
	for _, id := range slices.Sorted(maps.Keys(f)) {
		p, ok := known[id]
		if html := string(f[id]); !ok || p.html != html {
			p = piece{id: id, html: html, field: field(id, html), number: newest + 1}
		}
		pieces = append(pieces, p)
	}
	return pieces
}

// field writes a name and a text as a field of a JSON object, on one line.
func field(name, text string) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // it is read as JSON, and never as HTML
	_ = enc.Encode(name)     // text into memory: neither can fail
	out.Truncate(out.Len() - 1)
	out.WriteByte(':')
	_ = enc.Encode(text)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// newest returns what was found last, and what is closed when there is something newer.
func (w *watch) newest() (*shot, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.shot, w.news
}
