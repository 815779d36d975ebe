package judge

import (
	"math"
	"math/bits"

	"github.com/fairlead/fairlead"
)

// onsetPeriod is the time between two onsets, in seconds of the blocks.
const onsetPeriod = 300

// lifetimeMost bounds the age of onsets, in periods, so that no more than rankMost
// are ever alive: a week.
const lifetimeMost = 1 << 11

// restartsIndex is the place of restarts behind the signals of requests.
const restartsIndex = int(fairlead.Signals)

// onset is the evidence of harm from one moment on, as if the rollout had begun
// then: only test blocks opened since count, and a unit counts when it hits a
// signal for the first time since.
type onset struct {
	mass    float64 // share of the evidence
	logMass float64
	group   int // number of the first test block that counts
	cell    int // likewise of cells, for latency
	ends    int // it is given up when this onset begins

	failures *secondsHarm
	restarts *harm
	slow     [fairlead.Signals - fairlead.SlowP50]*bets
}

// log returns the log of a signal's e-value since the onset.
func (n *onset) log(s int) float64 {
	switch {
	case s == restartsIndex:
		return n.restarts.log()
	case s == int(fairlead.Failures):
		return n.failures.log()
	}
	return n.slow[s-int(fairlead.SlowP50)].log()
}

// onsets is the evidence of harm of a rollout, by signal: the mixture
//
//	M = sum over onsets of mass x E since the onset  +  the mass not placed yet
//
// which is an e-process because each E is one and the masses sum to at most 1.
// A process from the start alone is slow to see a fault that begins late, since
// each quiet hour has spoken for the canary. Half of the mass stands on the
// start, so that a fault from the first request is delayed by a factor of 2 in E
// only. The j-th later onset, at each step and each five minutes of a step, has
// a part of the rest that falls as 1/((j+1) log^2(j+1)): nearly the slowest
// decay with a finite sum, so that it costs log j and little more.
//
// Onsets are given up so that few are alive, at ages that double: the j-th lives
// for as many periods as the greatest power of two that divides j, times two.
// What an onset has earned by then is kept as it is (an e-process may be
// stopped).
//
// Each onset forgets which units failed before it. If it did not, an improvement
// could be called harm: sessions that are bound to fail do so sooner on the old
// release, are then no longer at risk, and for a while only the canary has any
// left. A process that starts in that while sees the canary failing alone; in
// our simulations half or more of such improvements were rolled back. In a
// process that starts with all units at risk, the canary has failed less so far
// at every moment.
type onsets struct {
	tolerance float64
	alive     []*onset // the first is the start's and lives for ever
	begun     int      // later ones so far
	hits      memory   // since which of the alive ones a unit has hit a signal
	rest      [restartsIndex + 1]float64
	logs      [restartsIndex + 1]float64 // what log returns, where it is fresh
	fresh     [restartsIndex + 1]bool
	second    int64 // in which outcomes come now
}

func newOnsets(tolerance float64) *onsets {
	o := &onsets{tolerance: tolerance}
	o.alive = []*onset{o.at(0.5, 0, 0)}
	for s := range o.rest {
		o.rest[s] = 0.5
	}
	return o
}

func (o *onsets) at(mass float64, group, cell int) *onset {
	n := &onset{mass: mass, logMass: math.Log(mass), group: group, cell: cell}
	for s := range n.slow {
		n.slow[s] = newBets(o.tolerance)
	}
	n.failures, n.restarts = newSecondsHarm(o.tolerance), newHarm(o.tolerance)
	return n
}

// begin adds an onset that counts test blocks from number group on and cells
// from number cell on.
func (o *onsets) begin(group, cell int) {
	o.begun++
	var ranks [rankMost + 1]uint8 // of the alive ones, by their rank so far
	kept := o.alive[:1]
	ranks[1] = 1
	for i, n := range o.alive[1:] {
		if n.ends > o.begun {
			kept = append(kept, n)
		} else {
			for s := range o.rest {
				o.rest[s] += n.mass * capped(n.log(s))
			}
		}
		ranks[i+2] = uint8(len(kept))
	}
	if len(kept) < len(o.alive) {
		o.hits.renumber(&ranks)
	}
	n := o.at(onsetMass(o.begun), group, cell)
	n.ends = o.begun + min(2<<bits.TrailingZeros(uint(o.begun)), lifetimeMost)
	for s := range o.rest {
		o.rest[s] -= n.mass
	}
	o.alive = append(kept, n)
	o.fresh = [restartsIndex + 1]bool{}
}

// onsetMass returns the mass of the j-th later onset, from 1. The sum over all j
// of 1/((j+1) log^2(j+1)) is 2.1097..., so that the masses sum to less than 1/2.
func onsetMass(j int) float64 {
	log := math.Log(float64(j + 1))
	return 0.5 / (2.11 * float64(j+1) * log * log)
}

// group takes the new outcomes of a test block, and returns the tables of the
// process from the start.
func (o *onsets) group(g *group) tables {
	rank := o.rank(func(n *onset) bool { return g.number >= n.group })
	t := g.tally(&o.hits, rank)
	for i, n := range o.alive[:rank] {
		n.failures.table(t.table(fairlead.Failures, i), g.came)
	}
	o.fresh[fairlead.Failures] = false
	return t.tables(0)
}

// latency takes a block of complete cells, and returns likewise.
func (o *onsets) latency(g *group) tables {
	rank := o.rank(func(n *onset) bool { return g.number >= n.cell })
	t := g.tally(&o.hits, rank)
	for s := fairlead.SlowP50; s < fairlead.Signals; s++ {
		for i, n := range o.alive[:rank] {
			n.slow[s-fairlead.SlowP50].table(t.table(s, i))
		}
		o.fresh[s] = false
	}
	return t.tables(0)
}

// tick begins the second in which the next outcomes come, if it is another one.
func (o *onsets) tick(second int64) {
	if second == o.second {
		return
	}
	o.second = second
	for _, n := range o.alive {
		n.failures.next()
	}
}

// rank returns how many onsets count something: the oldest ones.
func (o *onsets) rank(counts func(*onset) bool) int {
	rank := 1
	for rank < len(o.alive) && counts(o.alive[rank]) {
		rank++
	}
	return rank
}

// counts takes restarts.
func (o *onsets) counts(events [2]int, share float64) {
	for _, n := range o.alive {
		n.restarts.counts(events, share)
	}
	o.fresh[restartsIndex] = false
}

// log returns the log of a signal's e-value.
func (o *onsets) log(s int) float64 {
	if o.fresh[s] {
		return o.logs[s]
	}
	sum := math.Log(max(o.rest[s], 1e-300))
	for _, n := range o.alive {
		sum = logAddExp(sum, n.logMass+n.log(s))
	}
	o.logs[s], o.fresh[s] = sum, true
	return sum
}
