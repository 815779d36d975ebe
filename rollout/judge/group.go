package judge

import "github.com/fairlead/fairlead"

// enough is how many canary units at risk of failing close a test block. Ten
// would double the damage of a release that is wholly broken; one would make
// each block's last unit a canary unit too often.
const enough = 3

// most bounds the units of a test block, where the canary has next to no
// traffic. A block of any size is a valid one.
const most = 1 << 15

// seen remembers which signals a unit has hit: bit s stands for signal s. Units
// without a hit are not in it.
type seen map[uint64]uint8

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
	blind  uint8            // signals that are not judged here, a bit each
	arm    map[uint64]uint8 // of each unit
	units  [2][]uint64      // by arm, in order of arrival
	hits   []hit            // not judged yet, in order of arrival
	closed bool             // takes no more units
}

func newGroup(number int, epoch uint32, blind uint8) *group {
	return &group{number: number, epoch: epoch, blind: blind, arm: map[uint64]uint8{}}
}

// add takes the units of an arm. A unit that is in the group already stays in
// the arm in which it came first.
func (g *group) add(arm uint8, units fairlead.Units) {
	for _, u := range units {
		if _, in := g.arm[u]; !in {
			g.arm[u] = arm
			g.units[arm] = append(g.units[arm], u)
		}
	}
}

// addCell takes the units and hits of a complete cell.
func (g *group) addCell(c *cell) {
	for arm, units := range c.units {
		g.add(uint8(arm), units)
	}
	for _, h := range c.hits {
		if g.has(h.unit) {
			g.hits = append(g.hits, h)
		}
	}
}

// has reports whether the unit is in the group.
func (g *group) has(unit uint64) bool {
	_, in := g.arm[unit]
	return in
}

// full reports whether the group has enough canary units that did not fail
// before, or as many units as it may hold.
func (g *group) full(before seen) bool {
	if len(g.arm) >= most {
		return true
	}
	at := 0
	for _, u := range g.units[canary] {
		if before[u]&(1<<fairlead.Failures) == 0 {
			if at++; at >= enough {
				return true
			}
		}
	}
	return false
}

// tables returns the table of each signal: the units at risk now, which are those
// that have not hit the signal before, and among them those whose first hit is
// among the group's hits. It adds these hits to before.
func (g *group) tables(before seen) tables {
	var t tables
	for arm := range g.units {
		for _, u := range g.units[arm] {
			mask := before[u] | g.blind
			for s := range t {
				if mask>>s&1 == 0 {
					t[s].n[arm]++
				}
			}
		}
	}
	for _, h := range g.hits {
		mask := before[h.unit]
		if (mask|g.blind)>>h.signal&1 == 0 {
			before[h.unit] = mask | 1<<h.signal
			t[h.signal].y[g.arm[h.unit]]++
		}
	}
	return t
}
