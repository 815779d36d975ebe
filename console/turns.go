package console

import (
	"context"
	"sync"
)

// How much of one session is worked on at once: pages that are asked for, and looks at
// pages that are followed. What comes beyond waits for its turn, so that nobody keeps
// the control plane busy for all others by opening many pages.
const (
	pagesAtOnce = 4
	looksAtOnce = 2
)

// turns lets each session have so many turns at once. The zero value cannot be used. It
// is safe for concurrent use.
type turns struct {
	most int

	mu   sync.Mutex
	held map[string]*queue // by session
}

// queue is one session's: a value for each turn that is taken.
type queue struct {
	taken chan struct{}
	users int // that have a turn or wait for one; guarded by turns
}

func newTurns(most int) *turns { return &turns{most: most, held: map[string]*queue{}} }

// take waits for a turn of who, and returns how to give it back. The error is ctx's.
func (t *turns) take(ctx context.Context, who string) (done func(), err error) {
	q := t.join(who)
	select {
	case q.taken <- struct{}{}:
		return func() { <-q.taken; t.leave(who, q) }, nil
	case <-ctx.Done():
		t.leave(who, q)
		return nil, ctx.Err()
	}
}

func (t *turns) join(who string) *queue {
	t.mu.Lock()
	defer t.mu.Unlock()
	q := t.held[who]
	if q == nil {
		q = &queue{taken: make(chan struct{}, t.most)}
		t.held[who] = q
	}
	q.users++
	return q
}

func (t *turns) leave(who string, q *queue) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if q.users--; q.users == 0 {
		delete(t.held, who)
	}
}
