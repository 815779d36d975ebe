package chart

import "strings"

// inlineWidth is the width of the frame in a page, in units that the page stretches.
const inlineWidth = 960

// Inline returns the drawing for a page: an svg element as wide as its place and as high
// as the chart. What stands beside the frame is outside of the element: its place leaves
// room above, below, at the left and at the right. It is named by the page's elements
// id-head and id-says, which hold Title and Says, and by its own id-more where there is
// more to say. The id is made of letters, digits and dashes.
func (c Chart) Inline(id string) []byte {
	d := c.draw(inlineWidth)
	head := &drawing{out: make([]byte, 0, len(d.out)+512)}
	more := d.more()
	head.add(`<svg class="drawing" role="img" width="100%" height="`).whole(c.height()).add(`" overflow="visible" aria-labelledby="`).
		text(id + "-head " + id + "-says")
	if more == "" {
		head.add(`">`)
	} else {
		head.add(" ").text(id + "-more").add(`"><desc id="`).text(id + "-more").add(`">`).text(more).add("</desc>")
	}
	return append(append(head.out, d.out...), "</svg>"...)
}

// says is the chart's sentence, with what the drawing leaves out.
func (d *drawing) says() string {
	if d.c.blank() {
		return d.c.Empty
	}
	return strings.TrimSpace(d.c.Says + " " + d.more())
}

// more says what Says does not tell: that there is nothing to draw, or what is left out.
func (d *drawing) more() string {
	switch {
	case d.c.blank():
		return d.c.Empty
	case !d.beyond:
		return ""
	}
	return "What is above " + withUnit(number(d.s.high), d.c.Y.Unit) + " is drawn at the top edge."
}
