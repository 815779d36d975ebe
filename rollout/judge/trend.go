package judge

const (
	trendPoints = 30      // blocks over which growth is measured
	trendLeast  = 5000    // ms of blocks before anything is said of growth
	trendMost   = 86400.0 // seconds; more than a day is "unknown"
)

// trend remembers how the evidence of harm grew with the blocks' own time, to say
// how long it may take. It decides nothing.
type trend struct{ points []point }

// point is the evidence after a block.
type point struct {
	at   int64   // Unix milliseconds
	harm float64 // log e-value
}

func (t *trend) add(at point) {
	if len(t.points) > 0 && at.at <= t.points[len(t.points)-1].at {
		return // clocks that go back say nothing of growth
	}
	t.points = append(t.points, at)
	t.points = t.points[max(0, len(t.points)-trendPoints):]
}

// left returns the seconds until the evidence reaches needed (a log e-value) if
// it goes on as over the last blocks; nil when it does not grow or little is known.
func (t *trend) left(needed float64) *float64 {
	if len(t.points) == 0 {
		return nil
	}
	first, last := t.points[0], t.points[len(t.points)-1]
	took := last.at - first.at
	growth := last.harm - first.harm
	if took < trendLeast || growth <= 0 {
		return nil
	}
	seconds := max(0, needed-last.harm) / growth * float64(took) / 1000
	if seconds > trendMost {
		return nil
	}
	return &seconds
}
