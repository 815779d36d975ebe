package chart

import (
	"math"
	"sort"
	"unicode/utf8"
)

// Text is 11 pixels high. A browser's fonts differ, so a text is taken to be a little
// wider than it is.
const (
	lineHeight = 13
	perLetter  = 6.5
)

// The frame is as wide as its page has room for. Labels have their places in the
// narrowest; those for which only the wide one has room are shown there alone.
const (
	narrowFrame = 190.0
	wideFrame   = 320.0
)

// narrowEnd is how wide the label of a line may be beside the narrow frame; the value of
// one that is wider stands beside the wide frame alone.
const narrowEnd = 66.0

func textWidth(s string) float64 { return perLetter * float64(utf8.RuneCountInString(s)) }

// ending is the label of a line, beside its newest point.
type ending struct {
	name  string
	value string // newest
	style Style
	thin  bool
	at    float64 // where the line ends, in pixels from the top
	y     float64 // where the label is
}

// spread moves labels apart until none covers another, as little as that takes: what
// would overlap becomes a block around the middle of its places (the pooling of isotonic
// regression). They stay between 0 and height, unless there are too many.
func spread(labels []ending, height float64) {
	sort.SliceStable(labels, func(i, j int) bool { return labels[i].at < labels[j].at })
	type block struct {
		first, n int
		sum      float64 // of where its labels would begin the block
	}
	top := func(b block) float64 {
		return max(0, min(b.sum/float64(b.n), height-float64(b.n-1)*lineHeight))
	}
	var blocks []block
	for i, l := range labels {
		blocks = append(blocks, block{i, 1, l.at})
		for len(blocks) > 1 {
			last, before := blocks[len(blocks)-1], blocks[len(blocks)-2]
			if top(before)+float64(before.n)*lineHeight <= top(last) {
				break
			}
			joined := block{before.first, before.n + last.n, before.sum + last.sum - float64(last.n*before.n)*lineHeight}
			blocks = append(blocks[:len(blocks)-2], joined)
		}
	}
	for _, b := range blocks {
		for i := range b.n {
			labels[b.first+i].y = top(b) + float64(i)*lineHeight
		}
	}
}

// reading is how widely a label can be read.
type reading int

const (
	nowhere reading = iota
	whereWide
	everywhere
)

// anchor says which part of a label is at its place.
type anchor string

const (
	start  anchor = "start"
	middle anchor = "middle"
	end    anchor = "end"
)

// extent returns from where to where a label reaches in a frame of a width.
func extent(at float64, a anchor, label string, frame float64) (from, to float64) {
	w := textWidth(label)
	switch a {
	case start:
		return at * frame, at*frame + w
	case end:
		return at*frame - w, at * frame
	}
	return at*frame - w/2, at*frame + w/2
}

// anchored keeps a label within the frame near its edges.
func anchored(at float64) anchor {
	switch {
	case at < 0.2:
		return start
	case at > 0.8:
		return end
	}
	return middle
}

// readable says for each mark where its label has room beside those of a higher rank;
// of equals the newer one has the right.
func readable(marks []Mark, at func(Mark) float64) []reading {
	order := make([]int, len(marks))
	for i := range order {
		order[i] = len(marks) - 1 - i
	}
	sort.SliceStable(order, func(i, j int) bool { return marks[order[i]].Rank > marks[order[j]].Rank })
	out := make([]reading, len(marks))
	for _, room := range []struct {
		frame float64
		read  reading
	}{{narrowFrame, everywhere}, {wideFrame, whereWide}} {
		var taken [][2]float64
		for _, again := range []bool{true, false} { // what has room in the narrow frame has it in the wide one too
			for _, i := range order {
				place := at(marks[i])
				from, to := extent(place, anchored(place), marks[i].Label, room.frame)
				if marks[i].Label == "" || again != (out[i] != nowhere) || !again && (to > room.frame+20 || from < -20 || overlaps(taken, from-6, to+6)) {
					continue
				}
				taken = append(taken, [2]float64{from, to})
				out[i] = max(out[i], room.read)
			}
		}
	}
	return out
}

func overlaps(taken [][2]float64, from, to float64) bool {
	for _, t := range taken {
		if from < t[1] && to > t[0] {
			return true
		}
	}
	return false
}

// place is where the label of a level stands.
type place struct {
	anchor anchor
	y      float64 // of its base line
}

// freePlace finds room for a level's label: above or below its line, at either end or in
// the middle, where no line and no other label runs through it. Where no place is free of
// faint lines it may cover these; where none is free at all it stands above, at the left.
func freePlace(label string, y, height float64, lines, faint [][]spot, width int, taken []box) (place, box) {
	standing := labelBox(label, start, y, y < lineHeight)
	for _, avoid := range [][][]spot{append(lines[:len(lines):len(lines)], faint...), lines} {
		for _, below := range []bool{false, true} {
			for _, a := range []anchor{start, end, middle} {
				b := labelBox(label, a, y, below)
				if b.top >= -2 && b.bottom <= height && b.free(avoid, width, taken) {
					return place{a, b.bottom - 3}, b
				}
			}
		}
	}
	return place{start, standing.bottom - 3}, standing
}

// box is a rectangle in the narrow frame, in pixels.
type box struct{ left, right, top, bottom float64 }

// places are where the anchors of a level's label are, in parts of the width.
var places = map[anchor]float64{start: 0, middle: 0.5, end: 1}

func labelBox(label string, a anchor, y float64, below bool) box {
	left, right := extent(places[a], a, label, narrowFrame)
	if below {
		return box{left, right, y + 1, y + 1 + lineHeight}
	}
	return box{left, right, y - 1 - lineHeight, y - 1}
}

func (b box) free(lines [][]spot, width int, taken []box) bool {
	for _, t := range taken {
		if b.left < t.right && b.right > t.left && b.top < t.bottom && b.bottom > t.top {
			return false
		}
	}
	wide := narrowFrame / float64(width)
	for _, line := range lines {
		for i := range line {
			p, q := line[max(0, i-1)], line[i]
			if b.crossed(float64(p.x)*wide, float64(p.y)/2, float64(q.x)*wide, float64(q.y)/2) {
				return false
			}
		}
	}
	return true
}

// crossed reports whether a line between two places runs through the box.
func (b box) crossed(x1, y1, x2, y2 float64) bool {
	from, to := max(b.left, x1), min(b.right, x2)
	if from > to {
		return false
	}
	yAt := func(x float64) float64 {
		if x2 == x1 {
			return y1
		}
		return y1 + (y2-y1)*(x-x1)/(x2-x1)
	}
	high, low := min(yAt(from), yAt(to)), max(yAt(from), yAt(to))
	if x2 == x1 {
		high, low = min(y1, y2), max(y1, y2)
	}
	return low >= b.top && high <= b.bottom && !math.IsNaN(high)
}
