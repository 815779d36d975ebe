package console

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// How many pages may be followed at once, and by how many browsers.
const (
	maxWatches   = 256
	maxFollowers = 512
)

// aliveEvery is the longest silence of a stream.
const aliveEvery = 5 * time.Second

// hub lets all who follow the same page share one look at it. A watch runs from its
// first follower to its last, in a goroutine that the last one ends and awaits; so does
// the listener to the ledger, which wakes all watches. It is safe for concurrent use.
type hub struct {
	changed  func(ctx context.Context, from uint64) (uint64, error) // as Config.Changed
	log      *slog.Logger
	patience time.Duration // for a follower to take an event
	looks    *turns

	mu        sync.Mutex
	watches   map[string]*watch
	followers int
	holds     map[string]holding // by follower
	listener  task               // runs while there are watches
	entries   uint64
}

// holding is what one follower, a session, has of the hub.
type holding struct {
	streams int
	watches int // that it began
}

func newHub(changed func(context.Context, uint64) (uint64, error), log *slog.Logger) *hub {
	return &hub{changed: changed, log: log, patience: sendTimeout, looks: newTurns(looksAtOnce), watches: map[string]*watch{}, holds: map[string]holding{}}
}

// follow streams a page's parts until its request ends or valid says no: all of them
// first, then those that changed. A follower that is slow gets the newest only. Who
// follows is named by who.
func (h *hub) follow(w http.ResponseWriter, r *http.Request, who, key string, l look, first greeting, valid func() bool) {
	out := newStream(w)
	out.patience = h.patience
	watched, leave := h.join(who, key, l)
	if watched == nil {
		out.end(endFull)
		return
	}
	defer leave()
	if out.greet(first) != nil {
		return
	}
	alive := time.NewTicker(aliveEvery)
	defer alive.Stop()
	for {
		now, news := watched.newest()
		if !valid() {
			out.end(endSession)
			return
		}
		if out.send(now) != nil {
			return
		}
		select {
		case <-r.Context().Done():
			if valid() {
				out.end(endServer)
			} else {
				out.end(endSession)
			}
			return
		case <-news:
		case <-alive.C:
			if out.alive(first.clock()) != nil {
				return
			}
		}
	}
}

// join returns the watch of key and how to leave it, or nil when there are too many.
func (h *hub) join(who, key string, l look) (*watch, func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.watches[key]
	if !h.room(who, w == nil) {
		return nil, nil
	}
	if len(h.watches) == 0 {
		h.listener = begin(h.listen)
	}
	if w == nil {
		w = newWatch(who, h.looks, l, h.log)
		h.watches[key] = w
		h.hold(who, 0, 1)
	}
	w.followers++
	h.hold(who, 1, 0)
	return w, func() { h.leave(who, key, w) }
}

// room reports whether who may open one more stream, and begin a watch for it. Each may
// hold as many as are left: however many pages one opens, there is room for another.
func (h *hub) room(who string, begins bool) bool {
	mine := h.holds[who]
	return mine.streams < maxFollowers-h.followers && (!begins || mine.watches < maxWatches-len(h.watches))
}

// hold adds to what who holds, and forgets who holds nothing.
func (h *hub) hold(who string, streams, watches int) {
	mine := h.holds[who]
	mine.streams += streams
	mine.watches += watches
	h.followers += streams
	h.holds[who] = mine
	if mine == (holding{}) {
		delete(h.holds, who)
	}
}

func (h *hub) leave(who, key string, w *watch) {
	h.mu.Lock()
	w.followers--
	h.hold(who, -1, 0)
	var over []task
	if w.followers == 0 {
		delete(h.watches, key)
		h.hold(w.began, 0, -1)
		over = append(over, w.task)
	}
	if len(h.watches) == 0 && w.followers == 0 {
		over = append(over, h.listener)
	}
	h.mu.Unlock()
	for _, t := range over {
		t.end()
	}
}

// listen wakes all watches at each new entry of the ledger. When the ledger cannot be
// waited for, watches look by their own clock alone.
func (h *hub) listen(ctx context.Context) {
	h.mu.Lock()
	from := h.entries
	h.mu.Unlock()
	for {
		size, err := h.changed(ctx, from)
		if err != nil {
			return
		}
		from = size
		h.mu.Lock()
		h.entries = size
		for _, w := range h.watches {
			w.lookSoon()
		}
		h.mu.Unlock()
	}
}

// task is a goroutine with an owner.
type task struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func begin(run func(ctx context.Context)) task {
	ctx, cancel := context.WithCancel(context.Background())
	t := task{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(t.done)
		run(ctx)
	}()
	return t
}

// end ends the goroutine and awaits it.
func (t task) end() {
	t.cancel()
	<-t.done
}
