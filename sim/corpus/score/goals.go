package score

import (
	"fmt"

	"github.com/fairlead/fairlead/sim/corpus"
)

// Goal is a promised figure beside what was measured.
type Goal struct {
	What     string   `json:"what"`
	Cell     string   `json:"cell,omitempty"`
	Goal     float64  `json:"goal"`     // at most
	Measured *float64 `json:"measured"` // nil is never
	Unit     string   `json:"unit"`
}

// Met reports whether the goal is reached.
func (g Goal) Met() bool { return g.Measured != nil && *g.Measured <= g.Goal }

// goals are the promised medians, each of one cell with a constant rate and without
// sessions, and the promised share of the best-tuned peer's harm.
func (b *Board) goals() []Goal {
	var all []Goal
	delay := func(what, kind string, rate, goal float64) {
		cell := plain(kind, rate)
		if s, known := b.summaries[[2]string{Own, cell}]; known {
			all = append(all, Goal{what, cell, goal, s.Delay.P50, "s"})
		}
	}
	delay("errors 0.5 → 5 %, 100 rps", "errors-5%", 100, 18)
	delay("errors 0.5 → 5 %, 10 rps", "errors-5%", 10, 150)
	delay("wholly broken, 100 rps", "ready-but-broken", 100, 3)
	delay("wholly broken, 10 rps", "ready-but-broken", 10, 6)
	delay("wholly broken, 1 rps", "ready-but-broken", 1, 60)
	delay("all latencies x1.5, 10 rps", "latency-x1.5", 10, 60)
	delay("tail latencies x1.5, 10 rps", "latency-tail", 10, 900)
	delay("one-hour ramp 0.5 → 5 %, 10 rps", "one-hour-ramp", 10, 600)
	promotion := func(rate, goal float64) {
		cell := plain("same-api", rate)
		if s, known := b.summaries[[2]string{Own, cell}]; known {
			all = append(all, Goal{fmt.Sprintf("good release to all traffic, %g rps", rate), cell, goal, s.Promotion.P50, "s"})
		}
	}
	promotion(100, 240)
	promotion(10, 1800)
	own, one := b.find(Own)
	if best, two := b.Best(); one && two {
		ratio := own.Excess / best.Excess
		all = append(all, Goal{"harm, share of the best-tuned peer's (" + best.Rule + ")", "", 1.0 / 3, &ratio, ""})
	}
	return all
}

// AddGoal adds a figure that was measured apart from the cells.
func (b *Board) AddGoal(what string, goal, measured float64, found bool) {
	g := Goal{What: what, Goal: goal}
	if found {
		g.Measured = &measured
	}
	b.Goals = append(b.Goals, g)
}

// plain names the cell of a kind without sessions and with a constant rate.
func plain(kind string, rate float64) string {
	return corpus.CellName(kind, corpus.Traffic{Rate: rate})
}
