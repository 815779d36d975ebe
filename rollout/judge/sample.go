package judge

// record is a unit's report as evidence: how bad it was.
type record struct {
	unit  uint64
	value float64 // as it was reported
	span  span    // onsets for which it counts
	arm   uint8
}

// sample is a test block of reports as one test sees it: the records that count for
// one onset, read as how bad they are.
type sample struct {
	records []record
	onset   int
	bad     func(value float64) float64 // 0 good to 1 bad
}

// table counts the units that reported, and those whose report was bad.
func (s sample) table() table {
	var t table
	for i := range s.records {
		if r := &s.records[i]; r.span.holds(s.onset) {
			t.n[r.arm]++
			if s.bad(r.value) > 0.5 {
				t.y[r.arm]++
			}
		}
	}
	return t
}

// means is how bad each arm's reports were on average, with their numbers.
type means struct {
	n   [2]int
	bad [2]float64
}

// informs reports whether there are both arms.
func (m means) informs() bool { return m.n[stable] > 0 && m.n[canary] > 0 }

// parts divides the records into small blocks and calls f with the means of each
// that has both arms. Which part a unit is in follows from its hash alone, so that
// neither values nor arms choose it. A bet on means gains at most its stake from a
// block, so that many reports that came at once would otherwise count as few.
func (s sample) parts(f func(means)) {
	parts := make([]means, max(1, len(s.records)/enoughReports))
	for i := range s.records {
		if r := &s.records[i]; r.span.holds(s.onset) {
			p := &parts[(r.unit*0x9e3779b97f4a7c15>>32)%uint64(len(parts))]
			p.n[r.arm]++
			p.bad[r.arm] += s.bad(r.value)
		}
	}
	for _, p := range parts {
		if p.informs() {
			for arm := range p.bad {
				p.bad[arm] /= float64(p.n[arm])
			}
			f(p)
		}
	}
}

const (
	enoughReports = 16  // of both arms together close a test block
	windowSeconds = 300 // of arrival: what a test block of reports spans at most
	patience      = 600 // seconds after which a test block with fewer reports is judged at the latest
)

// window is when requests arrived: reports are compared within it.
type window struct {
	epoch uint32
	slot  int64 // second of arrival / windowSeconds
}

// reportBlock is a test block that takes reports of a window in the order in which
// they come. It closes between two calls of the judge by the number of reports in
// both arms together, or by time. Neither the values nor the arms have a part in
// that, so that given what was reported in a block and when, identical releases'
// units are as likely in one arm as the assignment and the graders' choice made them,
// whatever delay has to do with value. A block that closed with its third canary
// report, say, would always end with one, and where late reports are worse that
// would speak against the canary.
type reportBlock struct {
	window  window
	opened  int64 // newest second of cells then
	records []record
}

// over reports whether the block closes: usual is how long reports take.
func (b *reportBlock) over(now, usual int64) bool {
	end := (b.window.slot + 1) * windowSeconds
	return len(b.records) >= enoughReports || now-b.opened >= patience || now < b.opened ||
		now-end >= usual && now-b.opened >= usual
}

// reportBlocks are the open test blocks of a signal, in the order of their opening.
type reportBlocks struct {
	open  []*reportBlock
	ended []*reportBlock // those that close returned last
}

func (b *reportBlocks) add(w window, now int64, r record) {
	for i := len(b.open) - 1; i >= 0; i-- {
		if b.open[i].window == w {
			b.open[i].records = append(b.open[i].records, r)
			return
		}
	}
	block := &reportBlock{}
	if n := len(b.ended); n > 0 { // its memory serves again
		block, b.ended = b.ended[n-1], b.ended[:n-1]
	}
	*block = reportBlock{window: w, opened: now, records: append(block.records[:0], r)}
	b.open = append(b.open, block)
}

// close removes the blocks that are over and returns them; they are valid until the
// next add.
func (b *reportBlocks) close(now, usual int64) []*reportBlock {
	over := b.ended[:0]
	open := b.open[:0]
	for _, block := range b.open {
		if block.over(now, usual) {
			over = append(over, block)
		} else {
			open = append(open, block)
		}
	}
	clear(b.open[len(open):])
	b.open, b.ended = open, over
	return over
}
