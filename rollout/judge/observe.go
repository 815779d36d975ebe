package judge

import (
	"slices"

	"github.com/fairlead/fairlead"
)

// streams follows the block numbers of gateways.
type streams struct {
	next map[string]uint64 // by boot: the number to come
	open []string          // boots without a final block, oldest first

	heard map[string]int64 // of these: the time of the newest boot's clock, in milliseconds, when they last had a block
}

// openMost is how many gateways are followed side by side: one takes over from
// another, which may not have ended when a third one comes.
const openMost = 3

// silentMost is how long a gateway that another one took over from may say nothing, in
// milliseconds, before it is taken for dead: longer than requests are waited for. Until
// then its open requests may still end, and hold up what waits in order of arrival.
const silentMost = 15 * 60_000

// silent notes a block, and returns the boots that said nothing for too long.
func (s *streams) silent(b *fairlead.Block) []string {
	if s.heard == nil {
		s.heard = map[string]int64{}
	}
	newest := len(s.open) - 1
	switch _, known := s.heard[b.Gateway]; {
	case newest < 0:
		return nil
	case b.Gateway != s.open[newest]:
		s.heard[b.Gateway] = s.heard[s.open[newest]]
		return nil
	case !known: // a clock of its own
		for _, boot := range s.open {
			s.heard[boot] = b.At
		}
	}
	s.heard[b.Gateway] = b.At
	var silent []string
	for _, boot := range s.open[:newest] {
		if b.At-s.heard[boot] > silentMost {
			silent = append(silent, boot)
		}
	}
	return silent
}

// cellKey names a cell: gateways see the same second apart from each other.
type cellKey struct {
	boot   string
	second int64
	epoch  uint32
}

// cell is a cell that has begun.
type cell struct {
	key      cellKey
	number   int // counts the cells of a rollout
	blind    uint8
	groups   []*group // those that took its units, for evidence of harm by failures
	safety   bool     // it counts, or counted, for safety
	latency  bool     // it counts for harm by latency
	complete bool
	queued   bool              // it waits for its turn to count for safety
	lost     bool              // outcomes of it are missing
	units    [2]fairlead.Units // all of them; kept for safety and latency only
	hits     []hit             // likewise
}

// Observe takes a block. The caller gives each block once, those of one gateway
// in order; a block whose number was seen is ignored. A missing number, and a
// gateway that ended without a final block, start evidence of safety afresh.
// Cells of epochs before the first step are ignored. Observe keeps nothing of b.
func (j *Judge) Observe(b fairlead.Block) {
	if !j.begun || !j.follow(b) {
		return
	}
	if j.onset == 0 || j.newest < j.onset {
		j.onset = j.newest
	} else if j.newest-j.onset >= onsetPeriod {
		j.beginOnset()
	}
	j.traffic.add(b, j.first)
	j.harm.tick(b.At / 1000)
	var counts requests
	for i := range b.Cells {
		if c := &b.Cells[i]; c.Epoch >= j.first {
			j.reportsOf(c, j.arrive(b.Gateway, c))
			j.totals.addCell(c)
			counts.add(requestsOf(c), 1)
		}
	}
	var touched []*group // with outcomes, in their order
	for i := range b.Cells {
		if c := &b.Cells[i]; c.Epoch >= j.first {
			touched = j.outcomes(b.Gateway, c, touched)
		}
	}
	if j.open != nil && j.open.full(&j.harm.hits) {
		j.close()
	}
	for _, g := range touched {
		if g.closed && len(g.hits) > 0 {
			j.judgeHarm(g)
		}
	}
	j.judgeLatency()
	j.judgeSafety()
	j.reports.judge(j.newest)
	if b.Final {
		j.end(b.Gateway)
	}
	j.assignment.test()
	j.incident.add(counts)
	j.trend.add(point{b.At, j.budget.harm()})
	j.conclude()
}

// follow checks the block's number and reports whether the block is new.
func (j *Judge) follow(b fairlead.Block) bool {
	s := &j.streams
	next, known := s.next[b.Gateway]
	if known && b.Seq < next {
		return false
	}
	if !known {
		j.newest = 0 // another boot may have a clock that is behind
		j.reports.reboot()
	}
	for _, c := range b.Cells {
		j.newest = max(j.newest, c.Second)
	}
	switch first := len(s.next) == 0; {
	case known && b.Seq > next:
		j.lose(func(boot string) bool { return boot == b.Gateway }, false)
		j.gap("blocks %d to %d of gateway %s are missing", next, b.Seq-1, b.Gateway)
	case known || first: // whatever went before the rollout does not matter
	case len(s.open) > 0:
		j.gap("gateway %s ended without a final block", s.open[len(s.open)-1])
	case b.Seq != 1:
		j.gap("blocks 1 to %d of gateway %s are missing", b.Seq-1, b.Gateway)
	}
	if !known {
		s.open = append(s.open, b.Gateway)
	}
	if len(s.open) > openMost {
		j.end(s.open[0])
	}
	s.next[b.Gateway] = b.Seq + 1
	for _, boot := range s.silent(&b) {
		j.end(boot)
	}
	return true
}

// lose notes that cells of gateways lost outcomes, and drops them if no more of
// them can come. It reports whether there were any.
func (j *Judge) lose(of func(boot string) bool, drop bool) bool {
	any := false
	for key, c := range j.cells { // the order does not matter
		if of(key.boot) && !c.complete {
			c.lost, any = true, true
			if drop {
				delete(j.cells, key)
			}
		}
	}
	return any
}

// end closes the cells of a gateway that stopped. Outcomes it did not wait for are
// lost.
func (j *Judge) end(boot string) {
	j.streams.open = slices.DeleteFunc(j.streams.open, func(b string) bool { return b == boot })
	delete(j.streams.heard, boot)
	if j.lose(func(b string) bool { return b == boot }, true) {
		j.gap("gateway %s stopped before all of its requests had ended", boot)
	}
}

// arrive takes the units of a cell of a block: into the open test block, and to
// the cell for safety. It reports whether the cell was complete before.
func (j *Judge) arrive(boot string, b *fairlead.Cell) (late bool) {
	key := cellKey{boot, b.Second, b.Epoch}
	c, units := j.cells[key], len(b.Stable.Units)+len(b.Canary.Units)
	if c == nil {
		if units == 0 && b.Stable.Requests+b.Canary.Requests == 0 {
			return true
		}
		c = j.beginCell(key)
	}
	if units == 0 {
		return c.complete
	}
	if j.open != nil && j.open.epoch != b.Epoch {
		j.close()
	}
	if j.open == nil {
		j.open = newGroup(j.groups, b.Epoch, timings)
		j.groups++
	}
	j.open.reach(b.Second)
	if n := len(c.groups); n == 0 || c.groups[n-1] != j.open {
		c.groups = append(c.groups, j.open)
	}
	for arm, units := range [2]fairlead.Units{b.Stable.Units, b.Canary.Units} {
		j.open.add(uint8(arm), units)
		if c.safety || c.latency {
			c.units[arm] = append(c.units[arm], units...)
		}
		if b.Epoch == j.epoch {
			j.assignment.add(arm, units)
		}
	}
	return c.complete
}

// beginCell takes a cell that begins.
func (j *Judge) beginCell(key cellKey) *cell {
	c := &cell{key: key, number: j.begunCells, blind: j.blind(key.epoch, key.second)}
	j.begunCells++
	j.latency.add(c)
	c.safety = key.epoch == j.epoch && key.second >= j.from
	j.cells[key] = c
	if c.safety {
		c.queued = true
		j.queue = append(j.queue, c)
	}
	return c
}

// outcomes takes the hits of a cell of a block and returns touched with the
// groups that they belong to. A hit of a unit that its cell does not know came
// after a gap and is left out: its risk set is unknown. Of a cell that was complete
// and has counted, only failures still come.
func (j *Judge) outcomes(boot string, b *fairlead.Cell, touched []*group) []*group {
	c := j.cells[cellKey{boot, b.Second, b.Epoch}]
	if c == nil {
		return j.afterwards(b, touched)
	}
	for _, arm := range [2]*fairlead.Arm{&b.Stable, &b.Canary} {
		for s, units := range arm.Hits {
			if c.blind>>s&1 == 1 {
				continue
			}
			for _, u := range units {
				h := hit{u, fairlead.Signal(s)}
				if c.safety || c.latency {
					c.hits = append(c.hits, h)
				}
				if h.signal == fairlead.Failures {
					touched = j.fail(h, inAny(c.groups, u), touched)
				}
			}
		}
	}
	if b.Complete {
		c.complete = true
		if !c.queued {
			delete(j.cells, c.key)
		}
	}
	return touched
}

// fail gives a failure to its group, if there is one.
func (j *Judge) fail(h hit, g *group, touched []*group) []*group {
	if g == nil {
		return touched
	}
	if len(g.hits) == 0 {
		touched = append(touched, g)
	}
	g.fail(h, j.harm.second)
	return touched
}

// close ends the open test block and judges the outcomes that came so far.
func (j *Judge) close() {
	g := j.open
	j.open = nil
	g.closed = true
	j.past.add(g, j.newest)
	j.totals.addExposure(j.judgeHarm(g))
}

// judgeHarm takes a group's new outcomes as evidence of harm. Each time new
// outcomes of a group come, they and the units of the group still at risk are
// one factor: given how many hit the signal now, the canary's part among them is
// Fisher's hypergeometric with the odds ratio of the two arms' hazards, whatever
// came before, because that is in the risk set. So the product over a group's
// factors is a supermartingale under "at each delay after its arrival a canary
// unit's odds are at most the tolerance times a stable unit's", and no factor
// waits for requests that have not ended. The units of a group are settled
// before its first factor: those that came after it had less time to fail, and
// would not be exchangeable with the others.
func (j *Judge) judgeHarm(g *group) tables {
	t := j.harm.group(g)
	g.hits, g.came = g.hits[:0], 0
	for s := range t {
		j.estimates[s].table(t[s])
	}
	j.totals.addHits(t)
	return t
}

// judgeSafety takes cells as evidence of safety in the order in which they
// arrived, each when all its outcomes are known and those of all before it:
// cells that end early are those without timeouts, so that taking them first
// would choose the good ones.
func (j *Judge) judgeSafety() {
	for len(j.queue) > 0 && j.queue[0].complete && j.waited(j.queue[0]) {
		c := j.queue[0]
		j.queue = j.queue[1:]
		c.queued = false
		delete(j.cells, c.key)
		j.reports.ended = c.key.second
		if j.merged != nil && j.merged.blind != c.blind {
			j.closeMerged()
		}
		if j.merged == nil {
			j.merged = newGroup(0, c.key.epoch, c.blind)
		}
		j.merged.addCell(c)
		if j.merged.full(&j.hit) {
			j.closeMerged()
		}
	}
}

func (j *Judge) closeMerged() {
	t := j.merged.tables(&j.hit)
	j.merged = nil
	if j.reach != nil {
		j.reach.tables(t)
	}
	for s := range t {
		j.safe[s].table(t[s])
	}
}
