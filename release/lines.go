package release

import "slices"

// maxEdits is the most edits that a stretch of lines without a unique line of both
// texts is searched for; one with more counts as replaced.
const maxEdits = 400

// comparison finds the lines that two texts have in common, in order. It first holds on
// to lines that are unique in both (Bram Cohen's patience diff) and searches what is
// between them by the greedy algorithm of Eugene Myers, "An O(ND) Difference Algorithm
// and Its Variations" (1986). It is exact for small differences, and stops looking, so
// that more counts as replaced, when its work is used up.
type comparison struct {
	a, b         []int // the texts' lines, equal lines as equal numbers
	keepA, keepB []bool
	work         *int // steps that may still be taken; shared by the texts of a difference

	countA, countB, atB []int // scratch, by line's number
}

// newComparison compares a and b, the lines of two texts. It takes at most *work steps,
// less a pass over both texts, and takes them off.
func newComparison(a, b []string, work *int) *comparison {
	numbers := map[string]int{}
	number := func(lines []string) []int {
		out := make([]int, len(lines))
		for i, line := range lines {
			n, known := numbers[line]
			if !known {
				n = len(numbers)
				numbers[line] = n
			}
			out[i] = n
		}
		return out
	}
	c := &comparison{a: number(a), b: number(b), keepA: make([]bool, len(a)), keepB: make([]bool, len(b)), work: work}
	c.countA, c.countB, c.atB = make([]int, len(numbers)), make([]int, len(numbers)), make([]int, len(numbers))
	c.between(0, len(a), 0, len(b))
	return c
}

func (c *comparison) keep(i, j int) { c.keepA[i], c.keepB[j] = true, true }

// spend takes steps off the work, and reports whether there were any.
func (c *comparison) spend(steps int) bool {
	*c.work -= steps
	return *c.work > 0
}

// between compares a[a0:a1] with b[b0:b1].
func (c *comparison) between(a0, a1, b0, b1 int) {
	for a0 < a1 && b0 < b1 && c.a[a0] == c.b[b0] {
		c.keep(a0, b0)
		a0, b0 = a0+1, b0+1
	}
	for a0 < a1 && b0 < b1 && c.a[a1-1] == c.b[b1-1] {
		a1, b1 = a1-1, b1-1
		c.keep(a1, b1)
	}
	if a0 == a1 || b0 == b1 || !c.spend(a1-a0+b1-b0) {
		return
	}
	anchors := c.anchors(a0, a1, b0, b1)
	if len(anchors) == 0 {
		c.greedy(a0, a1, b0, b1)
		return
	}
	for _, at := range anchors {
		c.between(a0, at[0], b0, at[1])
		c.keep(at[0], at[1])
		a0, b0 = at[0]+1, at[1]+1
	}
	c.between(a0, a1, b0, b1)
}

// anchors returns the positions of lines that are unique in both stretches: the longest
// sequence of them that is in order in both.
func (c *comparison) anchors(a0, a1, b0, b1 int) [][2]int {
	for _, line := range c.a[a0:a1] {
		c.countA[line]++
	}
	for j, line := range c.b[b0:b1] {
		c.countB[line]++
		c.atB[line] = b0 + j
	}
	var both [][2]int
	for i, line := range c.a[a0:a1] {
		if c.countA[line] == 1 && c.countB[line] == 1 {
			both = append(both, [2]int{a0 + i, c.atB[line]})
		}
	}
	for _, line := range c.a[a0:a1] {
		c.countA[line] = 0
	}
	for _, line := range c.b[b0:b1] {
		c.countB[line] = 0
	}
	return rising(both)
}

// rising returns a longest subsequence whose second numbers rise, by patience sorting.
func rising(pairs [][2]int) [][2]int {
	var tops []int // index of the top of each pile
	before := make([]int, len(pairs))
	for i, p := range pairs {
		pile, _ := slices.BinarySearchFunc(tops, p[1], func(top, at int) int { return pairs[top][1] - at })
		before[i] = -1
		if pile > 0 {
			before[i] = tops[pile-1]
		}
		if pile == len(tops) {
			tops = append(tops, i)
		} else {
			tops[pile] = i
		}
	}
	out := make([][2]int, len(tops))
	if len(tops) == 0 {
		return out
	}
	for n, i := len(tops)-1, tops[len(tops)-1]; i >= 0; n, i = n-1, before[i] {
		out[n] = pairs[i]
	}
	return out
}

// greedy keeps the common lines of a shortest script of at most maxEdits edits, if the
// work suffices.
func (c *comparison) greedy(a0, a1, b0, b1 int) {
	a, b := c.a[a0:a1], c.b[b0:b1]
	most := min(maxEdits, len(a)+len(b))
	furthest := make([]int, 2*most+3) // x reached on diagonal k, at k+most+1
	var trace [][]int
	for d := 0; d <= most; d++ {
		trace = append(trace, slices.Clone(furthest[most+1-d:most+2+d]))
		for k := -d; k <= d; k += 2 {
			at := most + 1 + k
			x := furthest[at-1] + 1
			if k == -d || k != d && furthest[at-1] < furthest[at+1] {
				x = furthest[at+1]
			}
			from := x
			for x < len(a) && x-k < len(b) && a[x] == b[x-k] {
				x++
			}
			furthest[at] = x
			if !c.spend(1 + x - from) {
				return
			}
			if x >= len(a) && x-k >= len(b) {
				c.walk(trace, a0, b0, len(a), len(b))
				return
			}
		}
	}
}

// walk goes a found script from its end to its beginning and keeps its common lines.
// trace[d] holds what was reached with d-1 edits, on the diagonals -d to d.
func (c *comparison) walk(trace [][]int, a0, b0, x, y int) {
	for d := len(trace) - 1; d > 0; d-- {
		reached := func(k int) int { return trace[d][k+d] }
		k := x - y
		from := k - 1
		if k == -d || k != d && reached(k-1) < reached(k+1) {
			from = k + 1
		}
		startX := reached(from)
		startY := startX - from
		for x > startX && y > startY {
			x, y = x-1, y-1
			c.keep(a0+x, b0+y)
		}
		x, y = startX, startY
	}
	for x > 0 && y > 0 {
		x, y = x-1, y-1
		c.keep(a0+x, b0+y)
	}
}
