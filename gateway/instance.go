package gateway

import (
	"context"
	"fmt"
	"iter"
	"math/bits"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/dialpass"
)

const (
	dialTime   = 2 * time.Second         // longest that one connection may take
	idleTime   = 1500 * time.Millisecond // below the keep-alive time of common servers, so that they rarely close a connection as it is used
	ejectAfter = 3                       // consecutive dials that fail
	ejectFirst = time.Second             // how long the first ejection lasts; each next one twice as long
	ejectMost  = 30 * time.Second
)

// instance is where requests go. It lives as long as a snapshot lists it or a
// request is in flight there, and is safe for concurrent use.
type instance struct {
	id, address string
	transport   *http.Transport
	inFlight    atomic.Int64
	heldUntil   atomic.Int64 // Unix nanoseconds until which an ejection lasts
	failing     atomic.Bool  // fails or ejections are not zero

	mu        sync.Mutex
	fails     int  // consecutive dials that failed
	ejections int  // since the last success
	ejecting  bool // decided, and on its way to the journal
	restoring bool // the same
}

func newInstance(c Instance) *instance {
	return &instance{id: c.ID, address: c.Address, transport: &http.Transport{
		DialContext:           dialer(c.Address),
		DisableCompression:    true,
		MaxIdleConnsPerHost:   1024,
		IdleConnTimeout:       idleTime,
		ExpectContinueTimeout: time.Second,
	}}
}

// dialError says that no connection could be had, so that no byte was sent.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// dialer returns the way to connect to a valid address.
func dialer(address string) func(ctx context.Context, network, addr string) (net.Conn, error) {
	scheme, rest, _ := strings.Cut(address, ":")
	return func(ctx context.Context, _, _ string) (conn net.Conn, err error) {
		ctx, cancel := context.WithTimeout(ctx, dialTime)
		defer cancel()
		switch scheme {
		case "pass":
			conn, err = dialpass.Dial(ctx, rest)
		case "tcp":
			var d net.Dialer
			conn, err = d.DialContext(ctx, "tcp", rest)
		default:
			err = fmt.Errorf("address %q has an unknown scheme", address)
		}
		if err != nil {
			return nil, &dialError{err}
		}
		return &kept{Conn: conn}, nil
	}
}

// pick returns the less loaded of two instances that are not tried yet and that
// draw chooses, leaving out ejected ones unless all are; nil when there is none.
// (Power of two choices: Mitzenmacher 2001.)
func (b *backend) pick(tried []*instance, now time.Time, draw uint64) *instance {
	if one := b.pickFrom(tried, now.UnixNano(), draw); one != nil {
		return one
	}
	return b.pickFrom(tried, 1<<63-1, draw)
}

func (b *backend) pickFrom(tried []*instance, now int64, draw uint64) *instance {
	count := 0
	for range b.eligible(tried, now) {
		count++
	}
	if count == 0 {
		return nil
	}
	first, rest := below(count, draw)
	second := first
	if count > 1 {
		step, _ := below(count-1, rest)
		second = (first + 1 + step) % count
	}
	var one, two *instance
	n := 0
	for i := range b.eligible(tried, now) {
		if n == first {
			one = i
		}
		if n == second {
			two = i
		}
		n++
	}
	if one == nil || two != nil && two.inFlight.Load() < one.inFlight.Load() {
		return two // one is nil when an ejection came between the passes
	}
	return one
}

// below takes a number below n from draw, and returns what of draw is left.
func below(n int, draw uint64) (number int, rest uint64) {
	high, low := bits.Mul64(draw, uint64(n))
	return int(high), low
}

// eligible yields the instances that are not tried nor ejected at now.
func (b *backend) eligible(tried []*instance, now int64) iter.Seq[*instance] {
	return func(yield func(*instance) bool) {
		for _, i := range b.instances {
			if i.heldUntil.Load() <= now && !slices.Contains(tried, i) && !yield(i) {
				return
			}
		}
	}
}

// unreachable notes a failed dial of i. It returns how long i is to be ejected for
// when this is the dial that decides it, else 0: then the caller calls eject. The
// last instance that is not ejected stays.
func (b *backend) unreachable(i *instance, now time.Time) time.Duration {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.failing.Store(true)
	i.fails++
	// After an ejection one failed dial is enough for the next.
	if i.ejecting || i.fails < ejectAfter && i.ejections == 0 || i.heldUntil.Load() > now.UnixNano() {
		return 0
	}
	if !slices.ContainsFunc(b.instances, func(o *instance) bool { return o != i && o.heldUntil.Load() <= now.UnixNano() }) {
		return 0
	}
	lasts := min(ejectFirst<<min(i.ejections, 10), ejectMost)
	i.ejections++
	i.ejecting = true
	return lasts
}

// eject takes i out of balance until a time, unless it was reached since that was
// decided.
func (i *instance) eject(until time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ejecting {
		i.ejecting = false
		i.heldUntil.Store(until.UnixNano())
	}
}

// reached notes a connection that works. It reports whether that ends an ejection:
// then the caller calls restore.
func (i *instance) reached() bool {
	if !i.failing.Load() {
		return false
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ejections > 0 && !i.restoring {
		i.restoring = true
		return true
	}
	if i.ejections == 0 {
		i.fails = 0
		i.failing.Store(false)
	}
	return false
}

// restore ends an ejection.
func (i *instance) restore() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.fails, i.ejections, i.ejecting, i.restoring = 0, 0, false, false
	i.heldUntil.Store(0)
	i.failing.Store(false)
}

// ejected reports whether i is out of balance, or about to be tried again.
func (i *instance) ejected() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.ejections > 0
}
