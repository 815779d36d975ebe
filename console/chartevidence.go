package console

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/console/chart"
	"github.com/fairlead/fairlead/internal/figures"
)

// evidence shows how the e-values climb towards their verdicts.
func (c course) evidence() panel {
	p := panel{name: "evidence", about: c, chart: c.whole("Evidence, e-value")}
	harm := series{name: "harm", write: figures.E, value: judged(func(s client.Sample) float64 { return s.Harm })}
	safety := series{name: "safety", write: figures.E, value: judged(func(s client.Sample) float64 { return s.Safety })}
	p.figures = []series{harm, safety}
	p.chart.Height = 190
	p.chart.Y = chart.Axis{Log: true, Low: 0.1, High: c.highest(), Format: writeE}
	p.chart.Lines = append(p.chart.Lines,
		chart.Line{Name: "safety", Style: chart.Safe, Points: safety.points(c.Samples, 1)},
		chart.Line{Name: "harm", Style: chart.Harm, Points: harm.points(c.Samples, 1)})
	p.chart.Levels = c.levels()
	p.chart.Says = c.weighed()
	if c.Needed.Harm > 0 {
		p.note = fmt.Sprintf("Harm at %s takes the release back. Safety at %s, for every signal, earns the step, and begins anew at the next.",
			figures.E(c.Needed.Harm), figures.E(c.Needed.Safety))
	}
	c.alone(&p)
	return p
}

// mostAlone is how many signals have a line of their own: those that have least.
const mostAlone = 3

// alone adds what each signal says alone: figures, and faint lines of the safety of those
// that have least. Its harm is not drawn, since a signal alone needs more than all together.
func (c course) alone(p *panel) {
	var lines []chart.Line
	for _, name := range c.signals() {
		h := series{name: "harm by " + name, write: figures.E, value: ofSignal(name, func(s client.SignalSample) float64 { return s.Harm })}
		s := series{name: "safety of " + name, write: figures.E, value: ofSignal(name, func(s client.SignalSample) float64 { return s.Safety })}
		p.figures = append(p.figures, h, s)
		if points := s.points(some(c.Samples, mostFaint), 1); speaks(points) && len(c.signals()) > 1 {
			lines = append(lines, chart.Line{Style: chart.Safe, Faint: true, Points: points})
		}
	}
	slices.SortStableFunc(lines, func(a, b chart.Line) int { return cmp.Compare(newestValue(a), newestValue(b)) })
	p.chart.Lines = append(lines[:min(len(lines), mostAlone)], p.chart.Lines...)
	switch {
	case len(lines) > mostAlone:
		p.note += fmt.Sprintf(" Faint: the safety of the %d signals that have least.", mostAlone)
	case len(lines) > 0:
		p.note += " Faint: the safety of each signal."
	}
}

func newestValue(l chart.Line) float64 { return l.Points[len(l.Points)-1].Value }

// mostFaint is about how many points a line in the background has.
const mostFaint = 60

// some are so many samples, or a few more: the newest, and others as far apart as can be.
func some(samples []client.Sample, most int) []client.Sample {
	each := (len(samples) + most - 1) / most
	if each <= 1 {
		return samples
	}
	var out []client.Sample
	for i := (len(samples) - 1) % each; i < len(samples); i += each {
		out = append(out, samples[i])
	}
	return out
}

// speaks reports whether there is any evidence: one of nothing is 1 all the time.
func speaks(points []chart.Point) bool {
	return slices.ContainsFunc(points, func(p chart.Point) bool { return p.Value < 0.95 || p.Value > 1.05 })
}

func (c course) levels() []chart.Level {
	var out []chart.Level
	if c.Needed.Harm > 0 {
		out = append(out, chart.Level{Value: c.Needed.Harm, Style: chart.Harm, Label: "harmful at " + figures.E(c.Needed.Harm)})
	}
	if c.Needed.Safety > 0 {
		out = append(out, chart.Level{Value: c.Needed.Safety, Style: chart.Safe, Label: "safe at " + figures.E(c.Needed.Safety) + c.left()})
	}
	return out
}

// highest is the top of the axis of e-values. Evidence may grow beyond all numbers; what
// matters is where it is beside what is needed.
func (c course) highest() float64 {
	needed, most := max(c.Needed.Harm, c.Needed.Safety, 10), 0.0
	for _, s := range c.Samples {
		most = max(most, s.Harm, s.Safety)
	}
	return min(max(1.5*most, 3*needed), 100*needed)
}

// left is when the next verdict is expected, where that is known.
func (c course) left() string {
	if c.LeftSecs == nil || c.Outcome != "" || c.Held != "" {
		return ""
	}
	return ", about " + figures.Left(*c.LeftSecs) + " left"
}

// weighed says what the evidence shows.
func (c course) weighed() string {
	most := 0.0
	for _, s := range c.Samples {
		if c.Needed.Harm > 0 && s.Harm >= c.Needed.Harm {
			return fmt.Sprintf("Harmful: the evidence of harm reached %s of %s after %s.",
				figures.E(s.Harm), figures.E(c.Needed.Harm), figures.Elapsed(s.At.Sub(c.began())))
		}
		most = max(most, s.Harm)
	}
	now := c.newest()
	switch {
	case len(c.Samples) == 0:
		return ""
	case c.Outcome == client.Promoted:
		return fmt.Sprintf("Every step was earned. The evidence of harm never went above %s of %s.", figures.E(most), figures.E(c.Needed.Harm))
	case c.Outcome != "":
		return fmt.Sprintf("At the end: harm %s, safety %s.", eOf(now.Harm, c.Needed.Harm), eOf(now.Safety, c.Needed.Safety))
	}
	return fmt.Sprintf("Harm: %s. Safety of this step: %s%s.", eOf(now.Harm, c.Needed.Harm), eOf(now.Safety, c.Needed.Safety), c.left())
}

// began is the first traffic, or where that is not known when the first sample began.
func (c course) began() time.Time {
	switch {
	case len(c.Samples) == 0:
		return time.Time{}
	case c.FirstTraffic.After(c.Samples[0].From) && c.FirstTraffic.Before(c.Samples[0].At):
		return c.FirstTraffic
	}
	return c.Samples[0].From
}

// signals are the names of the signals that the course has, in order.
func (c course) signals() []string {
	names := map[string]bool{}
	for _, s := range c.Samples {
		for name := range s.Signals {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func ofSignal(name string, of func(client.SignalSample) float64) func(client.Sample) (client.Band, bool) {
	return judged(func(s client.Sample) float64 { return of(s.Signals[name]) })
}

// judged makes the value of an e-value, which is 0 where nothing was judged.
func judged(of func(client.Sample) float64) func(client.Sample) (client.Band, bool) {
	return single(func(s client.Sample) float64 {
		if e := of(s); e != 0 {
			return e
		}
		return math.NaN()
	})
}

// writeE writes an e-value at the end of a line, where room is short.
func writeE(e float64) string {
	if e < 1e6 {
		return figures.E(e)
	}
	return strings.Replace(strconv.FormatFloat(e, 'e', 0, 64), "e+", "e", 1)
}
