package rollout

import (
	"maps"
	"time"
)

// samplesMost bounds the samples of a course.
const samplesMost = 240

// grid divides the time of a course into cells of equal length, one sample each. When
// there are too many, each two neighbours become one. The newest cell is open; the
// newest decision in it divides it in two, so that what the decision saw stays to be
// seen and the newest sample is exactly as of the newest input.
type grid struct {
	origin time.Time // of the first cell
	each   time.Duration
	cells  []Sample // all cells before the open one, oldest first
	early  *Sample  // of the open cell, what came up to the newest decision; nil for none
	open   Sample   // of the open cell, what came after it
	needed CourseNeeded
}

func (g *grid) begun() bool { return g.each > 0 }

// begin opens the first cell.
func (g *grid) begin(now time.Time) {
	g.origin, g.each = now.UTC().Truncate(time.Second), time.Second
	g.open = Sample{From: g.origin, At: now}
}

func (g *grid) number(at time.Time) int { return int(at.Sub(g.origin) / g.each) }

func (g *grid) start(number int) time.Time { return g.origin.Add(time.Duration(number) * g.each) }

// ends reports whether the open cell is over at a moment.
func (g *grid) ends(now time.Time) bool { return g.number(now) > len(g.cells) }

// divide ends the open part at a decision.
func (g *grid) divide(next Sample) {
	g.early = g.joined(g.early, g.open)
	next.From, next.At = g.early.At, g.early.At
	g.open = next
}

// reach ends the open cell and begins the one that a moment belongs to. Like the cells
// between, it shows next, in which nothing came.
func (g *grid) reach(now time.Time, next Sample) {
	g.append(*g.joined(g.early, g.open))
	g.early = nil
	for g.number(now) > samplesMost-2 {
		g.double()
	}
	for len(g.cells) < g.number(now) {
		g.append(*g.joined(g.early, next))
		g.early = nil
	}
	g.open = next
	g.open.From, g.open.At = g.start(len(g.cells)), now
	if g.early != nil {
		g.open.From = g.early.At
	}
}

func (g *grid) append(s Sample) {
	n := len(g.cells)
	s.From, s.At = g.start(n), g.start(n+1)
	g.cells = append(g.cells, s)
}

// double makes one of each two neighbouring cells. One that has none belongs to the
// open cell then.
func (g *grid) double() {
	whole := len(g.cells) / 2
	for i := range whole {
		g.cells[i] = *g.joined(&g.cells[2*i], g.cells[2*i+1])
	}
	if len(g.cells)%2 == 1 {
		last := g.cells[len(g.cells)-1]
		if g.early != nil {
			last = *g.joined(&last, *g.early)
		}
		g.early = &last
	}
	clear(g.cells[whole:])
	g.cells = g.cells[:whole]
	g.each *= 2
}

// sample returns the sample in which a request arrived.
func (g *grid) sample(at time.Time) *Sample {
	if n := max(0, g.number(at)); n < len(g.cells) {
		return &g.cells[n]
	}
	return &g.open
}

// samples returns all of them, with the newest one as it shows itself.
func (g *grid) samples(newest Sample) []Sample {
	all := make([]Sample, 0, len(g.cells)+2)
	all = append(all, g.cells...)
	if g.early != nil {
		all = append(all, *g.early)
	}
	return append(all, newest)
}

// idle returns a sample after s in which nothing came.
func (s Sample) idle() Sample {
	s.Stable.Requests, s.Stable.Failed, s.Canary.Requests, s.Canary.Failed = 0, 0, 0, 0
	return s
}

// joined returns two neighbouring samples as one: before may be nil. An e-value that
// reached what is needed is not lost by what came after it.
func (g *grid) joined(before *Sample, after Sample) *Sample {
	if before == nil {
		return &after
	}
	after.From = before.From
	after.Stable.Requests += before.Stable.Requests
	after.Stable.Failed += before.Stable.Failed
	after.Canary.Requests += before.Canary.Requests
	after.Canary.Failed += before.Canary.Failed
	after.Harm = peak(before.Harm, after.Harm, g.needed.Harm)
	after.Safety = peak(before.Safety, after.Safety, g.needed.Safety)
	after.Signals = maps.Clone(after.Signals)
	for name, was := range before.Signals {
		is := after.Signals[name]
		after.Signals[name] = SignalSample{peak(was.Harm, is.Harm, g.needed.Harm), peak(was.Safety, is.Safety, g.needed.Safety)}
	}
	return &after
}

// peak returns the newer e-value, or an older one that is higher and reached what is
// needed.
func peak(before, after, needed float64) float64 {
	if before >= needed {
		return max(before, after)
	}
	return after
}
