package judge

import (
	"slices"

	"github.com/fairlead/fairlead"
)

// The signals of time, a bit each: of the whole answer, and of its first byte.
const (
	latencies  = 1<<fairlead.SlowP50 | 1<<fairlead.SlowP90 | 1<<fairlead.SlowP99
	firstBytes = 1<<fairlead.FirstP50 | 1<<fairlead.FirstP90 | 1<<fairlead.FirstP99
	timings    = latencies | firstBytes
)

// latency is the way of cells to evidence of harm by latency. Cells count in the
// order of their arrival, each when it is complete, as for safety: a block must
// hold all outcomes of its second, since those of one stall that come in two
// blocks would be two observations.
type latency struct {
	queue   []*cell // in order of arrival, not judged yet
	block   *group  // takes complete cells
	seconds []int64 // of the block
	judged  judgedSeconds
}

// secondsKept is how many judged seconds are known: gateways that take over from each
// other see the same ones for a short while.
const secondsKept = 256

// judgedSeconds are the newest seconds of blocks that were judged. Which is the latest
// one would not do: the clock of another gateway may be far behind.
type judgedSeconds struct {
	ring [secondsKept]int64
	n    int // ever judged
}

func (s *judgedSeconds) add(second int64) {
	s.ring[s.n%secondsKept] = second
	s.n++
}

func (s *judgedSeconds) has(second int64) bool {
	return slices.Contains(s.ring[:min(s.n, secondsKept)], second)
}

// add takes a cell that begins, unless it is in the warm-up.
func (l *latency) add(c *cell) {
	if c.blind&timings != timings {
		c.latency = true
		l.queue = append(l.queue, c)
	}
}

// next returns a block whose outcomes are all known, or nil. It ends at the
// first second with which units of both arms are at risk; before says which hit
// signals earlier. Only the arrivals decide that, so that a block's end favours
// no arm. A cell of a second that was judged (two gateways saw it) is left out:
// the same stall could be in it. A cell that lost outcomes is left out too.
func (l *latency) next(before *memory) *group {
	for len(l.queue) > 0 && (l.queue[0].complete || l.queue[0].lost) {
		c := l.queue[0]
		l.queue = l.queue[1:]
		if c.lost || l.judged.has(c.key.second) {
			continue
		}
		if l.block == nil || l.block.epoch != c.key.epoch {
			l.block, l.seconds = newGroup(c.number, c.key.epoch, c.blind|^uint8(timings)), l.seconds[:0]
		}
		l.block.addCell(c)
		l.seconds = append(l.seconds, c.key.second)
		if l.block.compares(before) {
			g := l.block
			l.block = nil
			for _, second := range l.seconds {
				l.judged.add(second)
			}
			return g
		}
	}
	return nil
}

// compares reports whether both arms have a unit that was never slower than the
// old release's 99th percentile (where only first bytes are judged, that of these), or
// the group is full.
func (g *group) compares(before *memory) bool {
	if g.size() >= most {
		return true
	}
	slowest := fairlead.SlowP99
	if g.blind>>slowest&1 == 1 {
		slowest = fairlead.FirstP99
	}
	for _, units := range g.units {
		if !anyAtRisk(units, before, slowest) {
			return false
		}
	}
	return true
}

func anyAtRisk(units []uint64, before *memory, s fairlead.Signal) bool {
	for _, u := range units {
		if !before.hit(u, s) {
			return true
		}
	}
	return false
}

// judgeLatency takes complete cells as evidence of harm by latency.
func (j *Judge) judgeLatency() {
	for {
		g := j.latency.next(&j.harm.hits)
		if g == nil {
			return
		}
		t := j.harm.latency(g)
		for s := range t {
			j.estimates[s].table(t[s])
		}
		j.totals.addExposure(t)
		j.totals.addHits(t)
	}
}
