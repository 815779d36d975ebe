package chart

import "strings"

// Sizes of a picture, in pixels: the frame and what is around it.
const (
	fileWidth  = 760
	fileFrame  = 560
	fileLeft   = 72
	fileTop    = 84
	fileBottom = 34
)

// File returns the drawing as a picture of its own, with the styles that it needs. Its
// notes are lines below it.
func (c Chart) File(style string, notes ...string) []byte {
	if c.Height == 0 {
		c.Height = 220
	}
	d := c.draw(fileFrame)
	says := wrapped(d.says(), fileWidth-2*24)
	var below []string
	for _, note := range notes {
		below = append(below, wrapped(note, fileWidth-2*24)...)
	}
	whole := fileTop + len(says)*16 + c.height() + fileBottom + len(below)*15
	p := &drawing{out: make([]byte, 0, len(d.out)+len(style)+1024)}
	p.add(`<svg xmlns="http://www.w3.org/2000/svg" class="picture" role="img" aria-labelledby="title desc" viewBox="0 0 `).
		whole(fileWidth).add(" ").whole(whole).add(`" width="`).whole(fileWidth).add(`" height="`).whole(whole).add(`"><title id="title">`).
		text(c.Title).add(`</title><desc id="desc">`).text(d.says()).add("</desc><style>").text(style).add(`</style>`).
		add(`<rect class="paper" width="100%" height="100%"/><text class="name" x="24" y="34">`).text(c.Title).add("</text>")
	y := 56
	for _, line := range says {
		p.add(`<text class="says" x="24" y="`).whole(y).add(`">`).text(line).add("</text>")
		y += 16
	}
	y += fileTop - 56
	p.add(`<svg class="drawing" x="`).whole(fileLeft).add(`" y="`).whole(y).add(`" width="`).whole(fileFrame).add(`" height="`).
		whole(c.height()).add(`" overflow="visible">`)
	p.out = append(p.out, d.out...)
	p.add("</svg>")
	for i, note := range below {
		p.add(`<text class="note" x="24" y="`).whole(y + c.height() + fileBottom + 4 + 15*i).add(`">`).text(note).add("</text>")
	}
	return p.add("</svg>\n").out
}

// wrapped breaks text into lines of a width in pixels.
func wrapped(text string, width float64) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && textWidth(line+" "+word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}
