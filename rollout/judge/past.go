package judge

import (
	"fmt"
	"slices"

	"github.com/fairlead/fairlead"
)

const (
	pastSeconds = 600     // that test blocks are remembered
	pastUnits   = 1 << 15 // that are remembered at most: of more, a part of the test blocks is
)

// past remembers closed test blocks for evidence of harm by failures that come after
// their cells were complete: a stream that breaks, or a trailer that says that the
// answer was an error. It holds the units that were at risk, without which such a
// failure would say nothing. Where there are too many it keeps every second test block,
// then every fourth, and so on, by their numbers: neither arms nor outcomes have a part
// in that. The zero past is empty.
type past struct {
	groups []pastGroup // oldest first
	units  []uint64    // of them, one after the other
	every  int         // one of 1<<every is kept
}

// pastGroup is a test block: stable's units are followed by the canary's.
type pastGroup struct {
	number     int
	epoch      uint32
	from, to   int64 // seconds of its cells
	at         int   // where its units begin
	sizeStable int
	sizeCanary int
}

// add remembers a test block that is closed; now is the newest second.
func (p *past) add(g *group, now int64) {
	if len(p.groups) > 0 && p.groups[0].to < now-pastSeconds-pastSeconds/10 { // a tenth, so that it is seldom done
		p.keep(func(o pastGroup) bool { return o.to >= now-pastSeconds })
		if p.every > 0 && len(p.units) < pastUnits/4 {
			p.every--
		}
	}
	if !p.kept(g.number) {
		return
	}
	p.groups = append(p.groups, pastGroup{g.number, g.epoch, g.from, g.to, len(p.units), len(g.units[stable]), len(g.units[canary])})
	p.units = append(append(p.units, g.units[stable]...), g.units[canary]...)
	for len(p.units) > pastUnits && len(p.groups) > 1 {
		p.every++
		p.keep(func(o pastGroup) bool { return p.kept(o.number) })
	}
}

func (p *past) kept(number int) bool { return number&(1<<p.every-1) == 0 }

// keep drops the others.
func (p *past) keep(kept func(pastGroup) bool) {
	groups, units := p.groups[:0], p.units[:0]
	for _, g := range p.groups {
		if kept(g) {
			own := p.units[g.at : g.at+g.sizeStable+g.sizeCanary]
			g.at = len(units)
			groups, units = append(groups, g), append(units, own...)
		}
	}
	p.groups, p.units = groups, units
}

// find returns a copy of the test block that took a unit of a cell, or nil.
func (p *past) find(b *fairlead.Cell, unit uint64, now int64) *group {
	for i := len(p.groups) - 1; i >= 0; i-- {
		o := &p.groups[i]
		if o.epoch != b.Epoch || b.Second < o.from || b.Second > o.to || o.to < now-pastSeconds {
			continue
		}
		units := p.units[o.at : o.at+o.sizeStable+o.sizeCanary]
		g := newGroup(o.number, o.epoch, timings)
		g.units = [2][]uint64{units[:o.sizeStable], units[o.sizeStable:]}
		if g.has(unit) {
			g.closed, g.from, g.to = true, o.from, o.to
			g.units = [2][]uint64{slices.Clone(g.units[stable]), slices.Clone(g.units[canary])}
			return g
		}
	}
	return nil
}

// afterwards takes the failures of a cell that was complete and has counted: the unit's
// test block takes them as it takes all failures, when they come. One of the canary of a
// second that was evidence of safety says that it counted too early.
func (j *Judge) afterwards(b *fairlead.Cell, touched []*group) []*group {
	for _, arm := range [2]*fairlead.Arm{&b.Stable, &b.Canary} {
		for _, u := range arm.Hits[fairlead.Failures] {
			touched = j.fail(hit{u, fairlead.Failures}, j.groupOf(b, u, touched), touched)
		}
	}
	if len(b.Canary.Hits[fairlead.Failures]) > 0 && b.Epoch == j.epoch && b.Second >= j.from {
		j.waitLonger(j.newest - b.Second)
	}
	return touched
}

// groupOf returns the test block that took a unit of a complete cell, or nil.
func (j *Judge) groupOf(b *fairlead.Cell, unit uint64, touched []*group) *group {
	for _, g := range touched {
		if g.covers(b) && g.has(unit) {
			return g
		}
	}
	if j.open != nil && j.open.covers(b) && j.open.has(unit) {
		return j.open
	}
	return j.past.find(b, unit, j.newest)
}

// waitLonger starts evidence of safety afresh and lets seconds count for it from now on
// only when they are twice as old as a failure was that came too late: so failures like
// it come in time, and a rollout starts afresh for them a few times at most. What speaks
// against safety so far is kept, so that starting afresh is no new chance.
func (j *Judge) waitLonger(age int64) {
	if age < 0 || j.patience >= pastSeconds {
		return
	}
	j.patience = min(max(leastPatience, 2*age), pastSeconds)
	var owed [fairlead.Signals]float64
	for s := range owed {
		owed[s] = min(0, j.safe[s].log())
	}
	j.Interrupt(fmt.Sprintf("a request of the canary failed %d s after it came: seconds now count when they are %d s old", age, j.patience))
	for s := range owed {
		j.safe[s].owe(owed[s])
	}
}

// waited reports whether a complete cell is old enough to count for safety. Of another
// gateway, whose clock was ahead, nothing is waited for.
func (j *Judge) waited(c *cell) bool {
	age := j.newest - c.key.second
	return age < 0 || age >= j.patience
}
