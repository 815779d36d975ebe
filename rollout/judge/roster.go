package judge

// roster remembers a number for each of its units: a hash table of one word a unit, as
// [memory] is. The zero roster is empty.
type roster struct {
	words []uint64 // the upper 48 bits are of the unit's hash, the others its number; 0 is free
	used  int
}

const (
	numberBits = 16
	numberMost = 1<<numberBits - 1
)

// place returns where a unit's word is, or would be, and what it is without its number.
func (r *roster) place(unit uint64) (i int, key uint64) {
	key = unit * 0x9e3779b97f4a7c15 &^ numberMost // Fibonacci hashing
	last := len(r.words) - 1
	i = int(key>>(64-32)) & last
	for r.words[i] != 0 && r.words[i]&^numberMost != key {
		i = (i + 1) & last
	}
	return i, key
}

// swap gives a unit a number, from 1 to numberMost, and returns the one it had; 0 is none.
func (r *roster) swap(unit uint64, number int) int {
	if memoryLoad*(r.used+1) > 3*len(r.words) {
		r.grow()
	}
	i, key := r.place(unit)
	before := int(r.words[i] & numberMost)
	if before == 0 {
		r.used++
	}
	r.words[i] = key | uint64(number)
	return before
}

func (r *roster) grow() {
	old := r.words
	r.words = make([]uint64, max(16, 2*len(old)))
	last := len(r.words) - 1
	for _, w := range old {
		if w == 0 {
			continue
		}
		i := int(w>>(64-32)) & last
		for r.words[i] != 0 {
			i = (i + 1) & last
		}
		r.words[i] = w
	}
}

// add adds a unit to a roster that is not full, and reports whether it is new.
func (r *roster) add(unit uint64) bool { return r.used < remembered && r.swap(unit, 1) == 0 }
