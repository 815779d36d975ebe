package chart

import (
	"math"
	"strconv"
	"unicode/utf8"
)

// drawing is a chart on its way to text. The frame is width units wide, which the page
// stretches, and its places are in percent.
type drawing struct {
	c       Chart
	s       scale
	width   int
	out     []byte
	endings []ending
	paths   [][]spot // of the lines in the foreground
	faint   [][]spot // of those in the background
	beyond  bool     // something is above the top
}

func (c Chart) draw(width int) *drawing {
	d := &drawing{c: c, s: c.scale(), width: width, out: make([]byte, 0, 6<<10)}
	if c.blank() {
		d.stretched(func() { d.frame(nil) })
		d.add(`<text class="none" x="50%" y="`).whole(c.height() / 2).add(`">`).text(c.Empty).add("</text>")
		return d
	}
	ticks := d.s.ticks(c.Y.Unit)
	read := readable(c.Marks, func(m Mark) float64 { return c.at(m.At) })
	d.stretched(func() {
		d.frame(ticks)
		d.silent(read)
		for i, l := range c.Lines {
			d.line(i, l)
		}
	})
	d.valueTicks(ticks)
	d.timeTicks()
	d.marks(read)
	d.levels()
	d.crossings()
	d.ends()
	return d
}

// stretched draws what follows the frame's width.
func (d *drawing) stretched(inner func()) {
	d.add(`<svg width="100%" height="`).whole(d.c.height()).add(`" viewBox="0 0 `).whole(d.width).add(" ").whole(d.s.height).
		add(`" preserveAspectRatio="none" overflow="visible">`)
	inner()
	d.add("</svg>")
}

// frame draws the base line, and a thin line for each tick.
func (d *drawing) frame(ticks []tick) {
	d.add(`<path class="grid" d="`)
	for _, t := range ticks {
		if y, _ := d.s.y(t.value); y < d.s.height {
			d.add("M0 ").whole(y | 1).add("h").whole(d.width)
		}
	}
	d.add(`"/><path class="base" d="M0 `).whole(d.s.height | 1).add("h").whole(d.width).add(`"/>`)
}

// valueTicks labels the y axis.
func (d *drawing) valueTicks(ticks []tick) {
	d.add(`<g class="yticks">`)
	for _, t := range ticks {
		y, _ := d.s.y(t.value)
		d.add(`<text x="-7" y="`).half(y + 7).add(`">`).text(t.label).add("</text>")
	}
	d.add("</g>")
}

// timeTicks labels the x axis. Where that is narrow every other label goes.
func (d *drawing) timeTicks() {
	ticks := d.c.timeTicks()
	d.add(`<g class="xticks">`)
	for i, t := range ticks {
		d.add("<text")
		if i%2 == 1 && len(ticks) > 4 {
			d.add(` class="wide"`)
		}
		d.add(` x="`).percent(t.value).add(`" y="`).whole(d.c.height() + 16).add(`">`).text(t.label).add("</text>")
	}
	d.add("</g>")
}

func (d *drawing) line(i int, l Line) {
	parts := d.c.stretches(l, d.s, d.width)
	if len(parts) == 0 {
		return
	}
	d.add(`<g class="`).text(string(l.Style)).add(map[bool]string{true: " faint"}[l.Faint]).add(map[bool]string{true: " thin"}[l.Thin]).add(`">`)
	if l.Band {
		d.add(`<path class="band" d="`)
		for _, p := range parts {
			d.out = appendBand(d.out, p, d.width)
		}
		d.add(`"/>`)
	}
	d.add(`<path class="`).add(map[bool]string{true: "dots", false: "line"}[l.Shape == Dots]).add(`" d="`)
	for _, p := range parts {
		d.shape(l, p)
	}
	d.add(`"/></g>`)
	if l.Name != "" {
		d.endings = append(d.endings, d.ending(l, parts[len(parts)-1]))
	}
}

func (d *drawing) shape(l Line, p stretch) {
	switch l.Shape {
	case Steps:
		d.out = appendSteps(d.out, p.line)
	case Dots:
		d.out = appendDots(d.out, p.line)
	default:
		p.line = lean(p.line, offLine)
		d.out = appendLine(d.out, p.line)
	}
	if l.Faint {
		d.faint = append(d.faint, p.line)
		return
	}
	d.paths = append(d.paths, p.line)
	d.beyond = d.beyond || p.beyond
}

// ending labels a line with its newest value, which has an arrow where it is beyond
// the top.
func (d *drawing) ending(l Line, last stretch) ending {
	value := l.newest()
	text := d.c.Y.write(value)
	if value > d.s.high {
		text = "↑\u00a0" + text
	}
	return ending{name: l.Name, value: text, style: l.Style, thin: l.Thin, at: float64(last.line[len(last.line)-1].y) / 2}
}

// newest returns the last value that is one.
func (l Line) newest() float64 {
	for i := len(l.Points) - 1; i >= 0; i-- {
		if v := l.Points[i].Value; v == v {
			return v
		}
	}
	return 0
}

func (a Axis) write(v float64) string {
	if a.Format != nil {
		return a.Format(v)
	}
	return withUnit(number(v), a.Unit)
}

// ends writes the labels of the lines at the right of the frame.
func (d *drawing) ends() {
	spread(d.endings, float64(d.c.height()))
	d.add(`<svg x="100%" overflow="visible" class="ends">`)
	for _, e := range d.endings {
		d.add(`<g class="`).text(string(e.style)).add(map[bool]string{true: " thin"}[e.thin]).add(`"><path class="lead" d="M1 `).
			float(e.at).add("L7 ").float(e.y).add(`"/><text x="9" y="`).float(e.y + 4).add(`">`).text(e.name)
		if textWidth(e.name+" "+e.value) > narrowEnd {
			d.add(`<tspan class="wide"> `).text(e.value).add("</tspan>")
		} else {
			d.add(" ").text(e.value)
		}
		d.add("</text></g>")
	}
	d.add("</svg>")
}

// marks draws a line for each moment whose label has room, with the label above the frame.
func (d *drawing) marks(read []reading) {
	for i, m := range d.c.Marks {
		if read[i] == nowhere {
			continue
		}
		x := d.c.at(m.At)
		d.add(`<g class="mark `).text(string(m.Style)).add(map[bool]string{true: " minor"}[m.Minor]).add(`"><line x1="`).percent(x).add(`" x2="`).percent(x).add(`" y1="-3" y2="`).
			whole(d.c.height()).add(`">`)
		if m.Text != "" {
			d.add("<title>").text(m.Text).add("</title>")
		}
		d.add(`</line><text x="`).percent(x).add(`" y="-7" text-anchor="`).add(string(anchored(x)))
		d.add(map[bool]string{true: `" class="wide`}[read[i] == whereWide]).add(`">`).text(m.Label).add("</text></g>")
	}
}

// silent draws the marks whose label has no room: all of a look, of which there may be
// many, as one path.
func (d *drawing) silent(read []reading) {
	var looks []string
	paths := map[string][]byte{}
	for i, m := range d.c.Marks {
		if read[i] != nowhere {
			continue
		}
		look := string(m.Style) + map[bool]string{true: " minor"}[m.Minor]
		if paths[look] == nil {
			looks = append(looks, look)
		}
		x := int(math.Round(d.c.at(m.At) * float64(d.width)))
		paths[look] = append(appendMove(paths[look], spot{x, 0}), "v"+strconv.Itoa(d.s.height)...)
	}
	for _, look := range looks {
		d.add(`<path class="mark `).text(look).add(`" d="`).add(string(paths[look])).add(`"/>`)
	}
}

// levels draws a line for each value to reach, with its label where there is room.
func (d *drawing) levels() {
	var taken []box
	for _, l := range d.c.Levels {
		at, beyond := d.s.y(l.Value)
		if beyond || math.IsNaN(l.Value) {
			continue
		}
		y := float64(at) / 2
		where, b := freePlace(l.Label, y, float64(d.c.height()), d.paths, d.faint, d.width, taken)
		taken = append(taken, b)
		x := map[anchor]string{start: "2", middle: "50%", end: "100%"}[where.anchor]
		d.add(`<g class="level `).text(string(l.Style)).add(`"><line x2="100%" y1="`).half(at | 1).add(`" y2="`).half(at | 1).
			add(`"/><text x="`).add(x).add(`" y="`).float(where.y).add(`" text-anchor="`).add(string(where.anchor)).
			add(`">`).text(l.Label).add("</text></g>")
	}
}

// crossings draws a dot wherever a line reaches the level of its own style.
func (d *drawing) crossings() {
	for _, level := range d.c.Levels {
		at, beyond := d.s.y(level.Value)
		if beyond {
			continue
		}
		for _, l := range d.c.Lines {
			if l.Faint || l.Style != level.Style {
				continue
			}
			for _, x := range d.reaches(l, level.Value, at) {
				d.add(`<circle class="reached `).text(string(l.Style)).add(`" r="4" cx="`).percent(x).add(`" cy="`).half(at).add(`"/>`)
			}
		}
	}
}

// reaches returns where a line comes up to a value, whose height is y.
func (d *drawing) reaches(l Line, value float64, y int) []float64 {
	var out []float64
	below := true
	for i, p := range l.Points {
		reached := p.Value >= value
		if reached && below && !p.At.Before(d.c.From) && !p.At.After(d.c.To) {
			x := d.c.at(p.At)
			if i > 0 && l.Points[i-1].Value < value {
				before, _ := d.s.y(l.Points[i-1].Value)
				now, _ := d.s.y(p.Value)
				x -= (x - d.c.at(l.Points[i-1].At)) * float64(y-now) / float64(max(1, before-now))
			}
			out = append(out, x)
		}
		below = !reached
	}
	return out
}

func (d *drawing) add(s string) *drawing { d.out = append(d.out, s...); return d }

func (d *drawing) whole(n int) *drawing { d.out = strconv.AppendInt(d.out, int64(n), 10); return d }

func (d *drawing) half(n int) *drawing { return d.float(float64(n) / 2) }

func (d *drawing) float(v float64) *drawing {
	d.out = strconv.AppendFloat(d.out, v, 'f', 1, 64)
	if n := len(d.out); d.out[n-1] == '0' {
		d.out = d.out[:n-2]
	}
	return d
}

func (d *drawing) percent(part float64) *drawing { return d.float(100 * part).add("%") }

// text writes text as XML has it: escaped, and without what XML cannot hold.
func (d *drawing) text(s string) *drawing { d.out = appendText(d.out, s); return d }

func appendText(out []byte, s string) []byte {
	for i, r := range s {
		switch {
		case r == '<':
			out = append(out, "&lt;"...)
		case r == '>':
			out = append(out, "&gt;"...)
		case r == '&':
			out = append(out, "&amp;"...)
		case r == '"':
			out = append(out, "&#34;"...)
		case r == '\'':
			out = append(out, "&#39;"...)
		case r == utf8.RuneError, r < ' ' && r != '\t' && r != '\n', r == 0xFFFE, r == 0xFFFF, r == 0x7F:
			out = append(out, "\uFFFD"...)
		default:
			out = append(out, s[i:i+utf8.RuneLen(r)]...)
		}
	}
	return out
}
