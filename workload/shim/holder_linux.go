package shim

import "sync"

// holder holds a shim's status and keeps state.json in step. One goroutine
// changes it; any may read.
type holder[S any] struct {
	home home
	me   identity
	log  *logWriter

	mu     sync.Mutex
	status S
}

func (h *holder[S]) snapshot() S {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.status
}

// record makes the status as it is durable.
func (h *holder[S]) record() error { return h.write(h.snapshot()) }

func (h *holder[S]) write(status S) error {
	return WriteNote(h.home.record(), record[S]{protocol, h.me, status})
}

// change makes a transition: durable first, then visible. When it cannot be made
// durable the log says so, and it holds all the same.
func (h *holder[S]) change(f func(*S)) {
	next := h.snapshot()
	f(&next)
	if err := h.write(next); err != nil {
		h.log.say("could not record the state: %v", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status = next
}
