package judge

const (
	progressPoints = 30      // blocks over which growth is measured
	progressLeast  = 5000    // ms of blocks before anything is said of growth
	progressMost   = 86400.0 // seconds; more than a day is "unknown"
)

// progress remembers how the evidence of harm grew with the blocks' own time, to say
// how long it may take. It decides nothing.
type progress struct{ points []point }

// point is the evidence after a block.
type point struct {
	at   int64   // Unix milliseconds
	harm float64 // log e-value
}

func (p *progress) add(at point) {
	if len(p.points) > 0 && at.at <= p.points[len(p.points)-1].at {
		return // clocks that go back say nothing of growth
	}
	p.points = append(p.points, at)
	p.points = p.points[max(0, len(p.points)-progressPoints):]
}

// left returns the seconds until the evidence reaches needed (a log e-value) if
// it goes on as over the last blocks; nil when it does not grow or little is known.
func (p *progress) left(needed float64) *float64 {
	if len(p.points) == 0 {
		return nil
	}
	first, last := p.points[0], p.points[len(p.points)-1]
	took := last.at - first.at
	growth := last.harm - first.harm
	if took < progressLeast || growth <= 0 {
		return nil
	}
	seconds := max(0, needed-last.harm) / growth * float64(took) / 1000
	if seconds > progressMost {
		return nil
	}
	return &seconds
}
