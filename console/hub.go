package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// lookEvery is the longest between two looks at what a followed page shows; a new ledger
// entry brings the next look at once.
const lookEvery = 500 * time.Millisecond

// aliveEvery is the longest silence of a stream.
const aliveEvery = 5 * time.Second

// hub lets all who follow the same page share one look at it. A watch runs from its
// first follower to its last, in a goroutine that the last one ends and awaits.
type hub struct {
	changed func(ctx context.Context, from uint64) error

	mu      sync.Mutex
	watches map[string]*watch
}

func newHub(changed func(context.Context, uint64) error) *hub {
	return &hub{changed: changed, watches: map[string]*watch{}}
}

// look reads what a page shows.
type look func(ctx context.Context) (frame, error)

// follow streams a page's parts until its request ends or valid says no: all of them
// first, then those that changed. A follower that is slow gets the newest only.
func (h *hub) follow(w http.ResponseWriter, r *http.Request, key string, l look, valid func() bool) {
	watched, leave := h.join(key, l)
	defer leave()
	w.Header().Set("Content-Type", "text/event-stream")
	out := stream{w: w, control: http.NewResponseController(w), sent: map[string]uint64{}}
	alive := time.NewTicker(aliveEvery)
	defer alive.Stop()
	for {
		now, news := watched.newest()
		if !valid() || out.send(now) != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-news:
		case <-alive.C:
			if out.alive() != nil {
				return
			}
		}
	}
}

func (h *hub) join(key string, l look) (*watch, func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.watches[key]
	if w == nil {
		ctx, cancel := context.WithCancel(context.Background())
		w = &watch{cancel: cancel, done: make(chan struct{}), news: make(chan struct{}), parts: map[string]numbered{}}
		h.watches[key] = w
		go func() {
			defer close(w.done)
			w.run(ctx, l)
		}()
	}
	w.followers++
	return w, func() { h.leave(key, w) }
}

func (h *hub) leave(key string, w *watch) {
	h.mu.Lock()
	w.followers--
	last := w.followers == 0
	if last {
		delete(h.watches, key)
	}
	h.mu.Unlock()
	if last {
		w.cancel()
		<-w.done
	}
}

// watch looks at one page for all who follow it.
type watch struct {
	followers int // guarded by the hub
	cancel    context.CancelFunc
	done      chan struct{}

	mu     sync.Mutex
	parts  map[string]numbered
	number uint64
	failed string
	news   chan struct{} // closed when there is something new
}

// numbered is a part as of its newest change.
type numbered struct {
	html   string
	number uint64
}

func (w *watch) run(ctx context.Context, l look) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		w.take(l(ctx))
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (w *watch) take(f frame, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.number
	failed := ""
	if err != nil {
		failed = err.Error()
	}
	if failed != w.failed {
		w.failed = failed
		w.number++
	}
	for id, html := range f {
		if w.parts[id].html != string(html) || w.parts[id].number == 0 {
			w.parts[id] = numbered{string(html), before + 1}
			w.number = before + 1
		}
	}
	if w.number != before {
		close(w.news)
		w.news = make(chan struct{})
	}
}

// newest returns the parts as they are now, and what is closed when they change.
func (w *watch) newest() (map[string]numbered, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := make(map[string]numbered, len(w.parts))
	for id, p := range w.parts {
		now[id] = p
	}
	return now, w.news
}

// stream is one follower's connection.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	sent    map[string]uint64
}

// send writes the parts that the follower does not have as they are now.
func (s *stream) send(now map[string]numbered) error {
	changed := map[string]string{}
	for id, p := range now {
		if s.sent[id] != p.number {
			changed[id] = p.html
			s.sent[id] = p.number
		}
	}
	if len(changed) == 0 {
		return nil
	}
	data, err := json.Marshal(changed)
	if err != nil {
		return fmt.Errorf("encode parts: %w", err)
	}
	return s.event("parts", data)
}

func (s *stream) alive() error { return s.event("alive", []byte("{}")) }

func (s *stream) event(name string, data []byte) error {
	if _, err := fmt.Fprintf(s.w, "event: %s\ndata: %s\n\n", name, data); err != nil {
		return err
	}
	return s.control.Flush()
}
