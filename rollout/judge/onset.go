package judge

import (
	"math"
	"math/bits"

	"github.com/fairlead/fairlead"
)

// onsetPeriod is the time between two onsets, in seconds of the blocks.
const onsetPeriod = 300

// restartsIndex is the place of restarts behind the signals of requests.
const restartsIndex = int(fairlead.Signals)

// onset is the evidence of harm from one moment on, as if the rollout had begun
// then: only test blocks opened since count, and a unit counts when it hits a
// signal for the first time since.
type onset struct {
	mass  float64 // share of the evidence
	group int     // number of the first test block that counts
	cell  int     // likewise of cells, for latency
	ends  int     // it is given up when this onset begins
	hit   seen

	failures, restarts *harm
	slow               [fairlead.Signals - fairlead.SlowP50]*bets
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
	rest      [restartsIndex + 1]float64
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
	n := &onset{mass: mass, group: group, cell: cell, hit: seen{}}
	for s := range n.slow {
		n.slow[s] = newBets(o.tolerance)
	}
	n.failures, n.restarts = newHarm(o.tolerance), newHarm(o.tolerance)
	return n
}

// begin adds an onset that counts test blocks from number group on and cells
// from number cell on.
func (o *onsets) begin(group, cell int) {
	o.begun++
	kept := o.alive[:1]
	for _, n := range o.alive[1:] {
		if n.ends > o.begun {
			kept = append(kept, n)
			continue
		}
		for s := range o.rest {
			o.rest[s] += n.mass * capped(n.log(s))
		}
	}
	n := o.at(onsetMass(o.begun), group, cell)
	n.ends = o.begun + 2<<bits.TrailingZeros(uint(o.begun))
	for s := range o.rest {
		o.rest[s] -= n.mass
	}
	o.alive = append(kept, n)
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
	var start tables
	for i, n := range o.alive {
		if g.number >= n.group {
			t := g.tables(n.hit)
			n.failures.table(t[fairlead.Failures])
			if i == 0 {
				start = t
			}
		}
	}
	return start
}

// latency takes a block of complete cells, and returns likewise.
func (o *onsets) latency(g *group) tables {
	var start tables
	for i, n := range o.alive {
		if g.number >= n.cell {
			t := g.tables(n.hit)
			for s := range n.slow {
				n.slow[s].table(t[int(fairlead.SlowP50)+s])
			}
			if i == 0 {
				start = t
			}
		}
	}
	return start
}

// counts takes restarts.
func (o *onsets) counts(events [2]int, share float64) {
	for _, n := range o.alive {
		n.restarts.counts(events, share)
	}
}

// log returns the log of a signal's e-value.
func (o *onsets) log(s int) float64 {
	sum := math.Log(max(o.rest[s], 1e-300))
	for _, n := range o.alive {
		sum = logAddExp(sum, math.Log(n.mass)+n.log(s))
	}
	return sum
}

// hits returns which units have hit which signals in this rollout.
func (o *onsets) hits() seen { return o.alive[0].hit }
