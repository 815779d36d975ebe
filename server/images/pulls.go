package images

import (
	"context"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload/container"
)

// lingering is how long a pull goes on that nobody waits for any more: whoever
// deploys again finds it further.
const lingering = 10 * time.Minute

// pulls are those under way. Two that want the same one share it. It is safe for
// concurrent use, and must not be copied.
type pulls struct {
	ctx       context.Context // of all
	end       context.CancelFunc
	lingering time.Duration // set before the first
	under     sync.WaitGroup
	mu        sync.Mutex
	running   map[pullKey]*pulling
}

// pullKey is what two must want that share a pull: who may not see an image must not
// get it by way of another, and who has nothing to fall back on does not take the end of
// one that is tried only once.
type pullKey struct {
	name        string
	credentials container.Credentials
	attempts    int
}

// pulling is a pull under way.
type pulling struct {
	done   chan struct{} // closed when digest and err are there
	digest fairlead.Digest
	err    error

	end     context.CancelFunc
	mu      sync.Mutex
	waiting int
	linger  *time.Timer // while nobody waits
	over    bool        // nobody came back in time: it is being ended
	last    fairlead.Progress
	changed chan struct{} // closed and replaced when last is
}

func newPulls() *pulls {
	p := &pulls{lingering: lingering, running: map[pullKey]*pulling{}}
	p.ctx, p.end = context.WithCancel(context.Background())
	return p
}

// close ends every pull and waits for it.
func (p *pulls) close() {
	p.end()
	p.under.Wait()
}

// pull fetches an image or joins who does, and waits for it until ctx ends.
func (p *pulls) pull(ctx context.Context, engine *container.Engine, order container.Pull) (fairlead.Digest, error) {
	at := p.join(engine, order)
	defer func() { at.leave(p.lingering) }()
	for {
		last, changed := at.seen()
		if order.Tell != nil && last.Doing != "" {
			order.Tell(last)
		}
		select {
		case <-at.done:
			return at.digest, at.err
		case <-ctx.Done():
			return "", ctx.Err()
		case <-changed:
		}
	}
}

// join returns the pull of an image, which it starts where none is under way.
func (p *pulls) join(engine *container.Engine, order container.Pull) *pulling {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := pullKey{order.Name, order.Credentials, order.Attempts}
	if at := p.running[key]; at != nil && at.enter() {
		return at
	}
	ctx, end := context.WithCancel(p.ctx)
	at := &pulling{done: make(chan struct{}), end: end, waiting: 1, changed: make(chan struct{})}
	p.running[key] = at
	order.Tell = at.note
	p.under.Go(func() {
		defer end()
		at.digest, at.err = engine.Pull(ctx, order)
		p.mu.Lock()
		if p.running[key] == at { // one that is ended has a successor, it may be
			delete(p.running, key)
		}
		p.mu.Unlock()
		close(at.done)
	})
	return at
}

// enter has one more wait for the pull, unless it is being ended.
func (p *pulling) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return false
	}
	p.waiting++
	if p.linger != nil {
		p.linger.Stop()
		p.linger = nil
	}
	return true
}

func (p *pulling) leave(lingering time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting--; p.waiting == 0 {
		p.linger = time.AfterFunc(lingering, p.abandon)
	}
}

// abandon ends a pull that nobody came back for.
func (p *pulling) abandon() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting == 0 {
		p.over = true
		p.end()
	}
}

func (p *pulling) note(progress fairlead.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = progress
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *pulling) seen() (fairlead.Progress, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last, p.changed
}
