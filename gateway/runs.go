package gateway

import (
	"crypto/sha256"
	"maps"
	"sync"
	"time"
)

const (
	runIdle = 10 * time.Minute // a run without a request for this time, or its RunLimit if longer, has ended
	runMost = 100_000          // runs that a site remembers; the ones beyond are assigned by hash alone
)

// runs remembers where a site's runs were born, so that they stay there. It is
// safe for concurrent use, and is lost with the process: a run that goes on after
// a restart is born again, by the same hash.
type runs struct {
	mu     sync.Mutex
	known  map[[16]byte]*run
	counts map[int]int // of known, by release
}

type run struct {
	release int
	rollout string // in which it was born; "" when nothing was rolling out
	epoch   uint32
	canary  bool
	seen    time.Time
	left    time.Time // when its release was first seen to have left the route
}

func newRuns() *runs { return &runs{known: map[[16]byte]*run{}, counts: map[int]int{}} }

// keep remembers a run, in place of an earlier one of its key. It needs the lock.
func (s *runs) keep(key [16]byte, n *run) {
	s.forget(key)
	s.known[key] = n
	s.counts[n.release]++
}

// inherit remembers a run of the gateway before.
func (s *runs) inherit(key [16]byte, n *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(key, n)
}

// forget forgets a run, if it is known. It needs the lock.
func (s *runs) forget(key [16]byte) {
	n := s.known[key]
	if n == nil {
		return
	}
	delete(s.known, key)
	if s.counts[n.release]--; s.counts[n.release] == 0 {
		delete(s.counts, n.release)
	}
}

// place is where a request of a unit belongs.
type place struct {
	release int
	canary  bool
	counted bool // whether it is evidence: false for runs born before this epoch
}

// placeUnit assigns a unit by its hash.
func (r *route) placeUnit(unit string) place {
	if r.split != nil && r.split.keys.onCanary(unit, r.split.weight) {
		return place{release: r.split.canary.release, canary: true, counted: true}
	}
	return place{release: r.stable.release, counted: true}
}

// placeRun assigns a run at its birth and keeps it there while its release is in
// the route, but at most the run limit after the release stopped taking new units.
func (r *route) placeRun(unit string, now time.Time) place {
	key := runKey(unit)
	r.runs.mu.Lock()
	defer r.runs.mu.Unlock()
	known := r.runs.known[key]
	if known == nil || !known.stays(r, now) {
		return r.bear(key, unit, now)
	}
	known.seen = now
	counted := known.release == r.stable.release
	if r.split != nil {
		counted = known.rollout == r.split.rollout && known.epoch == r.split.epoch
	}
	return place{release: known.release, canary: r.split != nil && known.canary, counted: counted}
}

// goesOnAt returns the backend at which a run that has begun goes on, or nil.
func (r *route) goesOnAt(unit string, now time.Time) *backend {
	r.runs.mu.Lock()
	defer r.runs.mu.Unlock()
	known := r.runs.known[runKey(unit)]
	if known == nil || !known.stays(r, now) {
		return nil
	}
	return r.of(known.release)
}

// runKey names a run without keeping what a client calls it.
func runKey(unit string) [16]byte {
	sum := sha256.Sum256([]byte(unit))
	return [16]byte(sum[:16])
}

func (r *route) bear(key [16]byte, unit string, now time.Time) place {
	at := r.placeUnit(unit)
	born := &run{release: at.release, canary: at.canary, seen: now}
	if r.split != nil {
		born.rollout, born.epoch = r.split.rollout, r.split.epoch
	}
	if _, known := r.runs.known[key]; known || len(r.runs.known) < runMost {
		r.runs.keep(key, born)
	}
	return at
}

// stays reports whether the run goes on where it is.
func (n *run) stays(r *route, now time.Time) bool {
	if now.Sub(n.seen) > max(runIdle, r.runLimit) || r.of(n.release) == nil {
		return false
	}
	if r.takesNew(n.release) {
		n.left = time.Time{}
		return true
	}
	if n.left.IsZero() {
		n.left = now
	}
	return now.Sub(n.left) <= r.runLimit
}

// sweep forgets runs that have been idle for longer than limit.
func (s *runs) sweep(now time.Time, limit time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, n := range s.known {
		if now.Sub(n.seen) > limit {
			s.forget(key)
		}
	}
}

// byRelease counts the runs that have not ended.
func (s *runs) byRelease() map[int]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.counts)
}
