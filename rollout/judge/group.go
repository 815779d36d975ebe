package judge

import (
	"slices"

	"github.com/fairlead/fairlead"
)

// enough is how many canary units at risk of failing close a test block. Ten
// would double the damage of a release that is wholly broken; one would make
// each block's last unit a canary unit too often.
const enough = 3

// most bounds the units of a test block, where the canary has next to no
// traffic. A block of any size is a valid one.
const most = 1 << 15

// hit is an outcome of a unit.
type hit struct {
	unit   uint64
	signal fairlead.Signal
}

// group is a test block: units whose requests arrived close together, in one
// epoch, and their outcomes. Within a group units are exchangeable if the
// releases are alike; nothing is compared across groups.
type group struct {
	number int // counts the test blocks of a rollout
	epoch  uint32
	blind  uint8       // signals that are not judged here, a bit each
	units  [2][]uint64 // by arm, ascending
	hits   []hit       // not judged yet, in order of arrival
	came   int         // seconds in which these came
	newest int64       // the last of them
	closed bool        // takes no more units
	from   int64       // oldest second of its cells
	to     int64       // newest
}

func newGroup(number int, epoch uint32, blind uint8) *group {
	return &group{number: number, epoch: epoch, blind: blind}
}

// reach notes that a cell of a second has units in the group.
func (g *group) reach(second int64) {
	if g.size() == 0 {
		g.from, g.to = second, second
	}
	g.from, g.to = min(g.from, second), max(g.to, second)
}

// covers reports whether the group may have units of a cell.
func (g *group) covers(b *fairlead.Cell) bool {
	return g.epoch == b.Epoch && g.from <= b.Second && b.Second <= g.to
}

// inAny returns the first group that has a unit, or nil.
func inAny(groups []*group, unit uint64) *group {
	for _, g := range groups {
		if g.has(unit) {
			return g
		}
	}
	return nil
}

// size returns how many units the group has.
func (g *group) size() int { return len(g.units[stable]) + len(g.units[canary]) }

// add takes the units of an arm. A unit that is in the group already stays in
// the arm in which it came first.
func (g *group) add(arm uint8, units fairlead.Units) {
	other := g.units[1-arm]
	have := slices.Grow(g.units[arm], len(units))
	for _, u := range units {
		if _, in := slices.BinarySearch(other, u); !in {
			have = append(have, u)
		}
	}
	slices.Sort(have)
	g.units[arm] = slices.Compact(have)
}

// addCell takes the units and hits of a complete cell.
func (g *group) addCell(c *cell) {
	for arm, units := range c.units {
		g.add(uint8(arm), units)
	}
	for _, h := range c.hits {
		if g.blind>>h.signal&1 == 0 && g.has(h.unit) {
			g.hits = append(g.hits, h)
		}
	}
}

// armOf returns the arm of a unit, and whether it is in the group.
func (g *group) armOf(unit uint64) (arm int, in bool) {
	for arm, units := range g.units {
		if _, in := slices.BinarySearch(units, unit); in {
			return arm, true
		}
	}
	return 0, false
}

// has reports whether the unit is in the group.
func (g *group) has(unit uint64) bool {
	_, in := g.armOf(unit)
	return in
}

// fail takes an outcome that comes in a second.
func (g *group) fail(h hit, second int64) {
	if g.came == 0 || second != g.newest {
		g.came, g.newest = g.came+1, second
	}
	g.hits = append(g.hits, h)
}

// full reports whether the group has enough canary units that did not fail
// before, or as many units as it may hold.
func (g *group) full(before *memory) bool {
	if g.size() >= most {
		return true
	}
	at := 0
	for _, u := range g.units[canary] {
		if !before.hit(u, fairlead.Failures) {
			if at++; at >= enough {
				return true
			}
		}
	}
	return false
}

// tally counts a group's units, and those with a new hit, by signal, arm and the
// rank that the unit had before: what a unit's rank is decides for which onsets it
// is at risk.
type tally [fairlead.Signals]struct{ n, y [2][rankMost + 1]int32 }

// tally counts the group and takes its hits into before, at a rank.
func (g *group) tally(before *memory, rank int) *tally {
	var t tally
	for arm, units := range g.units {
		for _, u := range units {
			known := before.ranks(u)
			for s := range t {
				if g.blind>>s&1 == 0 {
					t[s].n[arm][known.of(fairlead.Signal(s))]++
				}
			}
		}
	}
	for _, h := range g.hits {
		known := before.ranks(h.unit).of(h.signal)
		if arm, in := g.armOf(h.unit); in && known < rank && g.blind>>h.signal&1 == 0 {
			before.set(h.unit, h.signal, rank)
			t[h.signal].y[arm][known]++
		}
	}
	return &t
}

// table returns a signal's table for the i-th alive onset: the units at risk,
// which are those that have not hit the signal since, and among them those with a
// new hit.
func (t *tally) table(s fairlead.Signal, i int) table {
	var to table
	for arm := range to.n {
		for rank := range i + 1 {
			to.n[arm] += int(t[s].n[arm][rank])
			to.y[arm] += int(t[s].y[arm][rank])
		}
	}
	return to
}

// tables returns all of them.
func (t *tally) tables(i int) tables {
	var to tables
	for s := range to {
		to[s] = t.table(fairlead.Signal(s), i)
	}
	return to
}

// tables returns the tables of a process that has one onset only.
func (g *group) tables(before *memory) tables { return g.tally(before, 1).tables(0) }
