package chart

import (
	"math"
	"strconv"
)

// spot is a place in the frame: x in units of its width, y in half pixels from the top.
type spot struct{ x, y int }

// stretch is a part of a line without gaps, with the edges of its band.
type stretch struct {
	line, low, high []spot
	beyond          bool // a value is above the top
}

// stretches places a line's points in a frame of a width. All share three arrays.
func (c Chart) stretches(l Line, s scale, width int) []stretch {
	var out []stretch
	var all, low, high []spot
	all = make([]spot, 0, len(l.Points))
	if l.Band {
		low, high = make([]spot, 0, len(l.Points)), make([]spot, 0, len(l.Points))
	}
	open := false
	for _, p := range l.Points {
		if math.IsNaN(p.Value) || p.At.Before(c.From) || p.At.After(c.To) {
			open = false
			continue
		}
		if !open {
			out, open = append(out, stretch{line: all[len(all):], low: low[len(low):], high: high[len(high):]}), true
		}
		now := &out[len(out)-1]
		x := int(math.Round(c.at(p.At) * float64(width)))
		y, beyond := s.y(p.Value)
		now.beyond = now.beyond || beyond
		all = append(all, spot{x, y})
		now.line = now.line[:len(now.line)+1]
		if l.Band {
			low, high = append(low, spot{x, s.edge(p.Low, y)}), append(high, spot{x, s.edge(p.High, y)})
			now.low, now.high = now.low[:len(now.low)+1], now.high[:len(now.high)+1]
		}
	}
	return out
}

// edge is the height of a band's edge, which is the value's where there is none.
func (s scale) edge(v float64, y int) int {
	if math.IsNaN(v) {
		return y
	}
	at, _ := s.y(v)
	return at
}

// How far a line or the edge of a band, which is pale, may pass from its spots, in half
// pixels.
const (
	offLine = 1
	offEdge = 2
)

// lean leaves out the spots that are not seen: the line through the others passes within
// so many half pixels above or below them (Douglas and Peucker, 1973, with the vertical
// distance).
func lean(spots []spot, off int) []spot {
	if len(spots) < 3 {
		return spots
	}
	keep := make([]bool, len(spots))
	keep[0], keep[len(spots)-1] = true, true
	ranges := [][2]int{{0, len(spots) - 1}}
	for len(ranges) > 0 {
		r := ranges[len(ranges)-1]
		ranges = ranges[:len(ranges)-1]
		if far := farthest(spots, r[0], r[1], off); far > 0 {
			keep[far] = true
			ranges = append(ranges, [2]int{r[0], far}, [2]int{far, r[1]})
		}
	}
	out := make([]spot, 0, len(spots))
	for i, p := range spots {
		if keep[i] {
			out = append(out, p)
		}
	}
	return out
}

// farthest returns which spot between two is farthest from the line through them, or 0
// where all are within so many half pixels.
func farthest(spots []spot, from, to, within int) int {
	a, b := spots[from], spots[to]
	far, most := 0, within
	run := max(1, b.x-a.x)
	for i := from + 1; i < to; i++ {
		p := spots[i]
		off := (p.y-a.y)*run - (p.x-a.x)*(b.y-a.y)
		if off < 0 {
			off = -off
		}
		if off > most*run {
			far, most = i, (off+run-1)/run
		}
	}
	return far
}

// appendLine writes a line through spots; one spot alone is a dot.
func appendLine(d []byte, spots []spot) []byte {
	d = appendMove(d, spots[0])
	if len(spots) == 1 {
		return append(d, "h0"...)
	}
	d = append(d, 'l')
	return appendTo(d, spots[0], spots[1:])
}

// appendTo writes the ways from spot to spot.
func appendTo(d []byte, from spot, spots []spot) []byte {
	for _, p := range spots {
		d = appendPair(d, p.x-from.x, p.y-from.y)
		from = p
	}
	return d
}

// appendPair writes two numbers, after a blank where one is needed.
func appendPair(d []byte, x, y int) []byte {
	if last := d[len(d)-1]; x >= 0 && last >= '0' && last <= '9' {
		d = append(d, ' ')
	}
	d = strconv.AppendInt(d, int64(x), 10)
	if y >= 0 {
		d = append(d, ' ')
	}
	return strconv.AppendInt(d, int64(y), 10)
}

func appendMove(d []byte, p spot) []byte { return appendPair(append(d, 'M'), p.x, p.y) }

// appendSteps writes values that hold until the next one.
func appendSteps(d []byte, spots []spot) []byte {
	d = appendMove(d, spots[0])
	from := spots[0]
	for i, p := range spots[1:] {
		if p.y == from.y && i < len(spots)-2 {
			continue
		}
		d = strconv.AppendInt(append(d, 'h'), int64(p.x-from.x), 10)
		if p.y != from.y {
			d = strconv.AppendInt(append(d, 'v'), int64(p.y-from.y), 10)
		}
		from = p
	}
	if len(spots) == 1 {
		d = append(d, "h0"...)
	}
	return d
}

// appendDots writes dots, which a round cap makes of lines without a length.
func appendDots(d []byte, spots []spot) []byte {
	for _, p := range spots {
		d = append(appendMove(d, p), "h0"...)
	}
	return d
}

// appendBand writes the area between two edges. That of one spot alone is narrow.
func appendBand(d []byte, s stretch, width int) []byte {
	high, low := lean(s.high, offEdge), lean(s.low, offEdge)
	if len(s.line) == 1 {
		left, right := max(0, s.line[0].x-4), min(width, s.line[0].x+4)
		high, low = []spot{{left, high[0].y}, {right, high[0].y}}, []spot{{left, low[0].y}, {right, low[0].y}}
	}
	back := make([]spot, 0, len(low))
	for i := len(low) - 1; i >= 0; i-- {
		back = append(back, low[i])
	}
	d = append(appendMove(d, high[0]), 'l')
	d = appendTo(d, high[0], high[1:])
	return append(appendTo(d, high[len(high)-1], back), 'z')
}
