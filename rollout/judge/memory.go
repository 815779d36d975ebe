package judge

import "github.com/fairlead/fairlead"

// Of a word of a memory, each signal has rankBits; the rest is of the unit's hash.
const (
	rankBits   = 4
	ranksBits  = rankBits * uint(fairlead.Signals)
	ranksMask  = 1<<ranksBits - 1
	unitBits   = 64 - ranksBits // 36: of 100,000 units a new one is taken for another with a chance of 1 in 700,000
	rankMost   = 1<<rankBits - 1
	memoryLoad = 4 // a table grows when three of so many words are used
)

// ranks says since when a unit has hit each signal: a rank of rankBits for each.
type ranks uint64

// of returns the rank of a signal: how many of a rollout's alive onsets, from the
// oldest on, the unit has hit the signal since. 0 is never.
func (r ranks) of(s fairlead.Signal) int { return int(r>>(rankBits*uint(s))) & rankMost }

// memory remembers which units have hit which signals. It is a hash table of one
// word a unit, since a judge holds thousands of units and a machine thousands of
// judges. Units are kept by a part of their hash: that one is taken for another
// does not depend on its release. Units without a hit are not in it. The zero
// memory is empty.
type memory struct {
	words []uint64 // 0 is free; a power of two of them
	used  int
}

// keyOf returns a unit's part of a word, never 0.
func keyOf(unit uint64) uint64 {
	key := unit * 0x9e3779b97f4a7c15 &^ ranksMask // Fibonacci hashing
	if key == 0 {
		return 1 << ranksBits
	}
	return key
}

// find returns where a unit is, or would be.
func (m *memory) find(key uint64) int {
	last := len(m.words) - 1
	i := int(key>>(64-32)) & last
	for m.words[i] != 0 && m.words[i]&^ranksMask != key {
		i = (i + 1) & last
	}
	return i
}

// ranks returns what is known of a unit.
func (m *memory) ranks(unit uint64) ranks {
	if m.used == 0 {
		return 0
	}
	return ranks(m.words[m.find(keyOf(unit))] & ranksMask)
}

// hit reports whether a unit has ever hit a signal.
func (m *memory) hit(unit uint64, s fairlead.Signal) bool { return m.ranks(unit).of(s) > 0 }

// set gives a unit a rank for a signal.
func (m *memory) set(unit uint64, s fairlead.Signal, rank int) {
	if memoryLoad*(m.used+1) > 3*len(m.words) {
		m.grow()
	}
	key := keyOf(unit)
	i := m.find(key)
	if m.words[i] == 0 {
		m.words[i] = key
		m.used++
	}
	shift := rankBits * uint(s)
	m.words[i] = m.words[i]&^(rankMost<<shift) | uint64(rank)<<shift
}

func (m *memory) grow() { m.rebuild(max(16, 2*len(m.words)), 0) }

// thin forgets the units whose keys have any of some bits.
func (m *memory) thin(bits uint64) { m.rebuild(len(m.words), bits) }

func (m *memory) rebuild(size int, without uint64) {
	old := m.words
	m.words, m.used = make([]uint64, size), 0
	for _, w := range old {
		if w != 0 && w&without == 0 {
			m.words[m.find(w&^ranksMask)] = w
			m.used++
		}
	}
}

// renumber gives each rank its place in to, when onsets are given up.
func (m *memory) renumber(to *[rankMost + 1]uint8) {
	for i, w := range m.words {
		if w == 0 {
			continue
		}
		next := w &^ ranksMask
		for s := range fairlead.Signals {
			next |= uint64(to[ranks(w).of(s)]) << (rankBits * uint(s))
		}
		m.words[i] = next
	}
}
