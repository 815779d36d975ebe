package judge

import "github.com/fairlead/fairlead"

// latencies are the signals of latency, a bit each.
const latencies = 1<<fairlead.SlowP50 | 1<<fairlead.SlowP90 | 1<<fairlead.SlowP99

// latency is the way of cells to evidence of harm by latency. Cells count in the
// order of their arrival, each when it is complete, as for safety: a block must
// hold all outcomes of its second, since those of one stall that come in two
// blocks would be two observations.
type latency struct {
	queue  []*cell // in order of arrival, not judged yet
	block  *group  // takes complete cells
	second int64   // newest of the blocks so far
}

// add takes a cell that begins, unless it is in the warm-up.
func (l *latency) add(c *cell) {
	if c.blind&latencies != latencies {
		c.latency = true
		l.queue = append(l.queue, c)
	}
}

// next returns a block whose outcomes are all known, or nil. It ends at the
// first second with which units of both arms are at risk; before says which hit
// signals earlier. Only the arrivals decide that, so that a block's end favours
// no arm. A cell of a second that was judged (two gateways saw it) is left out:
// the same stall could be in it. A cell that lost outcomes is left out too.
func (l *latency) next(before seen) *group {
	for len(l.queue) > 0 && (l.queue[0].complete || l.queue[0].lost) {
		c := l.queue[0]
		l.queue = l.queue[1:]
		if c.lost || c.key.second <= l.second {
			continue
		}
		if l.block == nil || l.block.epoch != c.key.epoch {
			l.block = newGroup(c.number, c.key.epoch, ^uint8(latencies))
		}
		l.block.addCell(c)
		if l.block.compares(before) {
			g := l.block
			l.block, l.second = nil, c.key.second
			return g
		}
	}
	return nil
}

// compares reports whether both arms have a unit that was never slower than the
// old release's 99th percentile, or the group is full.
func (g *group) compares(before seen) bool {
	if len(g.arm) >= most {
		return true
	}
	for _, units := range g.units {
		if !anyAtRisk(units, before) {
			return false
		}
	}
	return true
}

func anyAtRisk(units []uint64, before seen) bool {
	for _, u := range units {
		if before[u]&(1<<fairlead.SlowP99) == 0 {
			return true
		}
	}
	return false
}

// judgeLatency takes complete cells as evidence of harm by latency.
func (j *Judge) judgeLatency() {
	for {
		g := j.latency.next(j.harm.hits())
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
