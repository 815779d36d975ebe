// Package steadyclock tells the time of records and decisions: a clock that never
// jumps while a process runs, whatever is done to the machine's, and never goes
// back from one process to the next.
//
// A clock is anchored once, at the machine's clock or at the newest time that was
// ever recorded, whichever is later, and goes on from there with the time that
// really passes. A machine's clock that was wrong when the anchor was set stays
// wrong here until the next start, and one that was ahead until it is reached;
// durations are right in any case. [Clock.Off] says by how much the two differ.
package steadyclock

import "time"

// Clock is such a clock. It never changes after New, so it is safe for concurrent
// use.
type Clock struct {
	wall    func() time.Time
	elapsed func() time.Duration
	anchor  time.Time
	began   time.Duration // what elapsed said at anchor
}

// New returns a clock that begins at wall or at newest, whichever is later, and
// goes on as elapsed does. elapsed tells the time since any fixed moment, must
// never go back, and like wall must be safe for concurrent use.
func New(wall func() time.Time, elapsed func() time.Duration, newest time.Time) *Clock {
	c := &Clock{wall: wall, elapsed: elapsed, began: elapsed(), anchor: wall().UTC().Round(0)}
	if newest = newest.UTC().Round(0); newest.After(c.anchor) {
		c.anchor = newest
	}
	return c
}

// System returns a clock over the machine's, which goes on while it sleeps.
func System(newest time.Time) *Clock { return New(time.Now, machineElapsed(), newest) }

// Now returns the time, in UTC and without a monotonic reading: it is the same
// after it was written and read again.
func (c *Clock) Now() time.Time { return c.anchor.Add(c.elapsed() - c.began) }

// Off returns how far the machine's clock is ahead of this one; it is negative
// where the machine's is behind.
func (c *Clock) Off() time.Duration { return c.wall().Round(0).Sub(c.Now()) }
