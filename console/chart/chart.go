// Package chart draws charts over time as SVG: lines with bands, steps, dots, levels to
// reach and marks of what was decided.
//
// The same drawing has two forms. Inline is for a page: its width is that of its place
// and its text keeps its size, since only the lines are stretched; the page's styles
// colour it. File is a picture that needs nothing else. Both are functions of the Chart
// alone, escape all text, and stay inside their frame whatever the numbers are: what is
// not a number is a gap, and what is beyond an axis is drawn at its edge and told.
//
// A Chart is a value; drawing it changes nothing and may happen concurrently.
package chart

import (
	"math"
	"time"
)

// Chart is what is drawn.
type Chart struct {
	Title    string    // with the unit
	Says     string    // what it shows now, in a sentence with its numbers
	Empty    string    // stands in the frame where no line has a point
	From, To time.Time // range of the x axis, which counts from From
	Height   int       // of the frame in pixels; 0 for 150
	Y        Axis
	Lines    []Line
	Levels   []Level
	Marks    []Mark
}

// Axis is how values become heights. A linear one begins at 0, below which nothing is
// drawn.
type Axis struct {
	Unit   string                 // behind the numbers of the ticks, such as "%"
	Log    bool                   // logarithmic, from Low
	Low    float64                // of a logarithmic axis; 0 for as the values need
	High   float64                // the top; 0 for as the values need
	Least  float64                // the top is at least here
	Most   float64                // and at most here; 0 for no limit
	Format func(v float64) string // writes a value with its unit; nil for as ticks are
}

// Style is what a line or a mark stands for. It is a class in the drawing; each has a
// colour and a dash of its own.
type Style string

// The styles.
const (
	Plain Style = "plain"
	Old   Style = "old" // the release before
	New   Style = "new" // the one that is judged
	Harm  Style = "harm"
	Safe  Style = "safe"
)

// Shape is how a line's points are joined.
type Shape int

// The shapes.
const (
	Straight Shape = iota
	Steps          // each value holds from its point to the next one
	Dots           // not joined
)

// Line is a series of points.
type Line struct {
	Name   string // stands at its end with the newest value; "" for no label
	Style  Style
	Shape  Shape
	Faint  bool // it is in the background, and no axis grows for it
	Band   bool // Low and High of the points are drawn
	Thin   bool // it is the second of its style, such as the median beside a tail
	Points []Point
}

// Point is a value at a time, oldest first in a line. One that is NaN is a gap.
type Point struct {
	At               time.Time
	Value, Low, High float64
}

// Level is a value that lines may reach.
type Level struct {
	Value float64
	Label string
	Style Style
}

// Mark is a moment. Labels that would run into each other are left out, those of a lower
// rank first; the line stays.
type Mark struct {
	At    time.Time
	Label string
	Text  string // what happened, in a sentence
	Style Style
	Rank  int
	Minor bool // its line is pale
}

// Gap returns a point without a value.
func Gap(at time.Time) Point {
	return Point{At: at, Value: math.NaN(), Low: math.NaN(), High: math.NaN()}
}

const usualHeight = 150

func (c Chart) height() int {
	if c.Height > 0 {
		return c.Height
	}
	return usualHeight
}

// blank reports whether there is no point to draw.
func (c Chart) blank() bool {
	for _, l := range c.Lines {
		for _, p := range l.Points {
			if !math.IsNaN(p.Value) {
				return false
			}
		}
	}
	return true
}

// at returns where a time is, from 0 at the left edge to 1 at the right one.
func (c Chart) at(t time.Time) float64 {
	whole := c.To.Sub(c.From)
	if whole <= 0 {
		return 1
	}
	return min(1, max(0, float64(t.Sub(c.From))/float64(whole)))
}
