package console

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/console/chart"
	"github.com/fairlead/fairlead/internal/figures"
)

// writePercent writes a value that is in percent.
func writePercent(v float64) string { return figures.Percent(v / 100) }

// writeRate writes requests a second for a place that says so.
func writeRate(v float64) string { return strings.ReplaceAll(figures.Rate(v, "", ""), " ", "") }

// failures shows which share of its units each release has failed.
func (c course) failures() panel {
	p := panel{name: "failures", about: c, chart: c.plain("Failures, % of units")}
	old := series{name: "old", unit: "% of units", banded: true, write: writePercent,
		value: banded(func(s client.Sample) *client.Band { return s.Stable.Failures }, 100)}
	new := series{name: "new", unit: "% of units", banded: true, write: writePercent,
		value: banded(func(s client.Sample) *client.Band { return s.Canary.Failures }, 100)}
	p.figures = []series{new, old,
		{name: "new, of requests", unit: "% of the sample's requests", write: writePercent, value: failedNow(func(s client.Sample) client.ArmSample { return s.Canary })},
		{name: "old, of requests", unit: "% of the sample's requests", write: writePercent, value: failedNow(func(s client.Sample) client.ArmSample { return s.Stable })}}
	p.chart.Y = chart.Axis{Unit: "%", Least: 1, Most: 100, Format: writePercent}
	p.chart.Lines = []chart.Line{
		{Style: chart.Old, Shape: chart.Dots, Faint: true, Points: p.figures[3].points(coarse(c.Samples, mostDots), 1)},
		{Style: chart.New, Shape: chart.Dots, Faint: true, Points: p.figures[2].points(coarse(c.Samples, mostDots), 1)},
		{Name: "old", Style: chart.Old, Band: true, Points: old.points(some(c.Samples, mostBanded), 1)},
		{Name: "new", Style: chart.New, Band: true, Points: new.points(some(c.Samples, mostBanded), 1)},
	}
	if p.chart.Says = c.both(new, old); p.chart.Says == "" && c.Canary.Requests == 0 {
		p.chart.Says = p.chart.Empty + "."
	}
	p.note = "Lines: share of the units so far. Dots: share of the requests at each moment. " + c.bands()
	return p
}

// both says the newest value of each release with its band: "NEW fails for 4.8 % of its
// units (3.9 to 5.9 %), OLD for 0.5 % (0.3 to 0.8 %)."
func (c course) both(new, old series) string {
	verb := " fails for "
	if c.Outcome != "" {
		verb = " failed for "
	}
	var says []string
	if b, ok := c.newestOf(new); ok {
		says = append(says, c.newName()+verb+new.write(b.Estimate)+" of its units ("+new.span(b)+")")
		verb = " for "
	}
	if b, ok := c.newestOf(old); ok && c.From != 0 {
		says = append(says, c.oldName()+verb+old.said(b))
	}
	return sentence(strings.Join(says, ", "))
}

// sentence ends a text that is one.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	return text + "."
}

// newestOf returns the newest value that there is.
func (c course) newestOf(f series) (client.Band, bool) {
	for i := len(c.Samples) - 1; i >= 0; i-- {
		if b, ok := f.value(c.Samples[i]); ok {
			return b, true
		}
	}
	return client.Band{}, false
}

func failedNow(of func(client.Sample) client.ArmSample) func(client.Sample) (client.Band, bool) {
	return single(func(s client.Sample) float64 {
		arm := of(s)
		if arm.Requests == 0 {
			return math.NaN()
		}
		return 100 * float64(arm.Failed) / float64(arm.Requests)
	})
}

// Where counts are drawn, neighbouring samples are joined: more dots would be a cloud,
// and a line of more points a fur.
const (
	mostDots   = 32
	mostPoints = 80
)

// mostBanded is about how many points a line with a band has. What it shows is of all so
// far, and changes little from one sample to the next.
const mostBanded = 100

// coarse joins neighbouring samples of the same weight until few enough are left. What it
// returns holds their times, weights and counts alone.
func coarse(samples []client.Sample, most int) []client.Sample {
	each := (len(samples) + most - 1) / most
	if each <= 1 {
		return samples
	}
	var out []client.Sample
	joined := 0
	for _, s := range samples {
		if last := len(out) - 1; last >= 0 && joined < each && out[last].Weight == s.Weight {
			out[last].At = s.At
			out[last].Stable = sum(out[last].Stable, s.Stable)
			out[last].Canary = sum(out[last].Canary, s.Canary)
			joined++
			continue
		}
		out = append(out, client.Sample{From: s.From, At: s.At, Weight: s.Weight, Stable: sum(s.Stable, client.ArmSample{}), Canary: sum(s.Canary, client.ArmSample{})})
		joined = 1
	}
	return out
}

// sum adds counts.
func sum(a, b client.ArmSample) client.ArmSample {
	return client.ArmSample{Requests: a.Requests + b.Requests, Failed: a.Failed + b.Failed}
}

// quantiles are those of a time of an arm, and where they stand in a sample.
var quantiles = []struct {
	name string
	at   int
}{{"p50", 0}, {"p90", 1}, {"p99", 2}}

// latency shows how long whole answers took.
func (c course) latency() panel {
	p := c.times("latency", "Latency", func(a client.ArmSample) *[3]client.Band { return a.Latency })
	if !c.streams() && c.newest().Stable.First != nil {
		p.note += " The first byte comes with the rest: the time to it is no different."
	}
	return p
}

// first shows how long the first byte took.
func (c course) first() panel {
	return c.times("first", "Time to first byte", func(a client.ArmSample) *[3]client.Band { return a.First })
}

func (c course) times(name, title string, of func(client.ArmSample) *[3]client.Band) panel {
	p := panel{name: name, about: c}
	arms := []struct {
		name  string
		style chart.Style
		of    func(client.Sample) client.ArmSample
	}{
		{"old", chart.Old, func(s client.Sample) client.ArmSample { return s.Stable }},
		{"new", chart.New, func(s client.Sample) client.ArmSample { return s.Canary }},
	}
	var lines []chart.Line
	for _, arm := range arms {
		for _, q := range quantiles {
			f := series{name: arm.name + " " + q.name, unit: "ms", banded: true, write: figures.Millis, value: banded(func(s client.Sample) *client.Band {
				if all := of(arm.of(s)); all != nil {
					return &all[q.at]
				}
				return nil
			}, 1)}
			p.figures = append(p.figures, f)
			if q.name != "p90" {
				lines = append(lines, chart.Line{Name: q.name + " " + arm.name, Style: arm.style, Thin: q.name == "p50", Band: true,
					Points: f.points(some(c.Samples, mostBanded), 1)})
			}
		}
	}
	unit, per := unitOf(lines)
	p.chart = c.plain(title + ", " + unit)
	p.chart.Y = chart.Axis{Unit: unit, Log: wide(lines), Format: func(v float64) string { return figures.Millis(v * per) }}
	p.chart.Lines = scaled(lines, per)
	p.chart.Says = c.pair("p99", p.figures[5], p.figures[2], c.pair("p50", p.figures[3], p.figures[0], ""))
	p.note = "Of the requests so far: half took less than p50, 99 of 100 less than p99. " + c.bands()
	return p
}

// pair says the newest value of both releases, and what else is to be said after it:
// "p99 480 ms on NEW, 310 ms on OLD."
func (c course) pair(quantile string, new, old series, more string) string {
	text, before := "", quantile+" "
	if b, ok := c.newestOf(new); ok {
		text, before = before+new.write(b.Estimate)+" on "+c.newName(), ", "
	}
	if b, ok := c.newestOf(old); ok && c.From != 0 {
		text += before + old.write(b.Estimate) + " on " + c.oldName()
	}
	return strings.TrimSpace(sentence(text) + " " + more)
}

// unitOf returns the unit in which times are read most easily, and its milliseconds.
func unitOf(lines []chart.Line) (string, float64) {
	for _, l := range lines {
		for _, p := range l.Points {
			if p.Value >= 2000 {
				return "s", 1000
			}
		}
	}
	return "ms", 1
}

// wide reports whether the values are so far apart that a linear axis hides the small.
func wide(lines []chart.Line) bool {
	least, most := math.Inf(1), 0.0
	for _, l := range lines {
		for _, p := range l.Points {
			if p.Value > 0 {
				least, most = min(least, p.Value), max(most, p.Value)
			}
		}
	}
	return most > 8*least
}

func scaled(lines []chart.Line, per float64) []chart.Line {
	for _, l := range lines {
		for i := range l.Points {
			p := &l.Points[i]
			p.Value, p.Low, p.High = p.Value/per, p.Low/per, p.High/per
		}
	}
	return lines
}

// streams reports whether first bytes come noticeably before the rest.
func (c course) streams() bool {
	for i := len(c.Samples) - 1; i >= 0; i-- {
		for _, arm := range []client.ArmSample{c.Samples[i].Stable, c.Samples[i].Canary} {
			if arm.First != nil && arm.Latency != nil {
				return arm.First[0].Estimate < 0.8*arm.Latency[0].Estimate
			}
		}
	}
	return false
}

// requests shows how many requests each release takes.
func (c course) requests() panel {
	p := panel{name: "requests", about: c, chart: c.plain("Requests, per second")}
	p.chart.Empty = "No traffic yet"
	p.chart.Y = chart.Axis{Unit: "/s", Least: 1, Format: writeRate}
	new := series{name: "new", unit: "requests/s", write: writeRate, value: perSecond(func(s client.Sample) client.ArmSample { return s.Canary })}
	old := series{name: "old", unit: "requests/s", write: writeRate, value: perSecond(func(s client.Sample) client.ArmSample { return s.Stable })}
	joined := coarse(c.complete(), mostPoints)
	p.figures = []series{new}
	if c.From != 0 {
		p.figures = []series{new, old}
		p.chart.Lines = []chart.Line{{Name: "old", Style: chart.Old, Points: old.points(joined, 1)}}
	}
	p.chart.Lines = append(p.chart.Lines, chart.Line{Name: "new", Style: chart.New, Points: new.points(joined, 1)})
	p.chart.Says = c.takes(joined, new, old)
	return p
}

// complete are the samples of which all is known. Of the newest one requests still come,
// and a decision may have cut it short.
func (c course) complete() []client.Sample {
	if n := len(c.Samples); n > 2 {
		return c.Samples[:n-1]
	}
	return c.Samples
}

// perSecond makes the rate of an arm's requests; a sample that has just begun has none.
func perSecond(of func(client.Sample) client.ArmSample) func(client.Sample) (client.Band, bool) {
	return single(func(s client.Sample) float64 {
		if took := s.At.Sub(s.From); took >= 100*time.Millisecond {
			return float64(of(s).Requests) / took.Seconds()
		}
		return math.NaN()
	})
}

// takes says how many requests the releases took newest.
func (c course) takes(joined []client.Sample, new, old series) string {
	for i := len(joined) - 1; i >= 0; i-- {
		s := joined[i]
		now, ok := new.value(s)
		if !ok {
			continue
		}
		text := fmt.Sprintf("%s on %s", rate(now.Estimate), c.newName())
		if before, ok := old.value(s); ok && c.From != 0 {
			text += fmt.Sprintf(", %s on %s", rate(before.Estimate), c.oldName())
		}
		return text + ", over the newest " + figures.Elapsed(s.At.Sub(s.From)) + "."
	}
	return ""
}

// split shows the share that was ordered, and the one that was measured.
func (c course) split() panel {
	p := panel{name: "split", about: c, chart: c.whole("Traffic on the new release, % of units")}
	ordered := series{name: "ordered", unit: "% of units", write: writePercent,
		value: single(func(s client.Sample) float64 { return 100 * float64(s.Weight) / float64(fairlead.Whole) })}
	measured := series{name: "measured", unit: "% of units", banded: true, write: writePercent,
		value: banded(func(s client.Sample) *client.Band { return s.Share }, 100)}
	p.figures = []series{ordered, measured}
	for i := range p.chart.Marks {
		p.chart.Marks[i].Text = "" // the label says the share
	}
	p.chart.Y = chart.Axis{Unit: "%", Least: 1, Most: 100, Format: writePercent}
	p.chart.Lines = []chart.Line{
		{Name: "measured", Style: chart.New, Band: true, Points: c.epochs(measured)},
		{Name: "ordered", Style: chart.Plain, Shape: chart.Steps, Points: ordered.points(c.Samples, 1)},
	}
	p.chart.Says = c.splitSays(ordered, measured)
	p.note = "Measured: share of the units so far at this weight. " + c.bands()
	return p
}

// splitSays compares the newest share that was measured with what was ordered then.
func (c course) splitSays(ordered, measured series) string {
	now := c.newest()
	text := fmt.Sprintf("%s is ordered on %s", ordered.text(now), c.newName())
	for i := len(c.Samples) - 1; i >= 0; i-- {
		s := c.Samples[i]
		b, ok := measured.value(s)
		switch {
		case ok && s.Weight == now.Weight:
			return text + "; " + measured.said(b) + " is measured."
		case ok:
			return text + fmt.Sprintf(". Before, %s was measured where %s was ordered.", measured.said(b), ordered.text(s))
		}
	}
	if len(c.Samples) == 0 {
		return ""
	}
	return text + "."
}

// epochs are the points of a figure that begins anew with each weight.
func (c course) epochs(f series) []chart.Point {
	points := f.points(c.Samples, 1)
	var out []chart.Point
	for i, p := range points {
		if i > 0 && c.Samples[i].Weight != c.Samples[i-1].Weight {
			out = append(out, chart.Gap(p.At))
		}
		out = append(out, p)
	}
	return out
}
