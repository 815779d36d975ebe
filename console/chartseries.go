package console

import (
	"math"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/console/chart"
)

// series is one figure of a course over time: a line of a chart, a column of its table,
// and the columns of its download.
type series struct {
	name   string // of the column, such as "new p99"
	unit   string // of what value returns, such as "ms"
	value  func(client.Sample) (client.Band, bool)
	banded bool                 // it has a band
	write  func(float64) string // a value with its unit
}

// single makes the value of a series without a band.
func single(of func(client.Sample) float64) func(client.Sample) (client.Band, bool) {
	return func(s client.Sample) (client.Band, bool) {
		v := of(s)
		return client.Band{Estimate: v, Low: v, High: v}, !math.IsNaN(v)
	}
}

// banded makes the value of a series with a band that a sample may lack.
func banded(of func(client.Sample) *client.Band, times float64) func(client.Sample) (client.Band, bool) {
	return func(s client.Sample) (client.Band, bool) {
		b := of(s)
		if b == nil || math.IsNaN(b.Estimate) {
			return client.Band{}, false
		}
		return client.Band{Estimate: times * b.Estimate, Low: times * b.Low, High: times * b.High}, true
	}
}

// points are the series' values over a course, each divided by per.
func (f series) points(samples []client.Sample, per float64) []chart.Point {
	out := make([]chart.Point, 0, len(samples))
	for _, s := range samples {
		b, ok := f.value(s)
		if !ok {
			out = append(out, chart.Gap(s.At))
			continue
		}
		out = append(out, chart.Point{At: s.At, Value: b.Estimate / per, Low: b.Low / per, High: b.High / per})
	}
	return out
}

// text is the value of a sample with its band: "4.8 % (3.9 % to 5.9 %)".
func (f series) text(s client.Sample) string {
	b, ok := f.value(s)
	switch {
	case !ok:
		return "no value"
	}
	return f.said(b)
}

// said is a value in words, with its band.
func (f series) said(b client.Band) string {
	if !f.banded {
		return f.write(b.Estimate)
	}
	return f.write(b.Estimate) + " (" + f.span(b) + ")"
}

// span is a band in words, with the unit once where both ends have the same.
func (f series) span(b client.Band) string {
	low, high := f.write(b.Low), f.write(b.High)
	if i := strings.LastIndexByte(low, ' '); i > 0 && strings.HasSuffix(high, low[i:]) {
		low = low[:i]
	}
	return low + " to " + high
}

// cell is text for a table.
func (f series) cell(s client.Sample) string {
	if _, ok := f.value(s); !ok {
		return "-"
	}
	return f.text(s)
}

// header returns the names of the series' columns in a download, with the unit.
func (f series) header() []string {
	unit := ""
	if f.unit != "" {
		unit = " (" + f.unit + ")"
	}
	if !f.banded {
		return []string{f.name + unit}
	}
	return []string{f.name + unit, f.name + " low" + unit, f.name + " high" + unit}
}

// fields are the values of a sample in a download; those that it lacks are empty.
func (f series) fields(s client.Sample) []string {
	b, ok := f.value(s)
	switch {
	case !ok && f.banded:
		return []string{"", "", ""}
	case !ok:
		return []string{""}
	case !f.banded:
		return []string{exact(b.Estimate)}
	}
	return []string{exact(b.Estimate), exact(b.Low), exact(b.High)}
}

// exact writes a value with all digits that mean something.
func exact(v float64) string { return strconv.FormatFloat(v, 'g', 10, 64) }
