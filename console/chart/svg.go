package chart

import "strconv"

// inlineWidth is the width of the frame in a page, in units that the page stretches.
const inlineWidth = 960

// Inline returns the drawing for a page: an svg element as wide as its place and as high
// as InlineHeight says. What stands beside the frame is outside of the element: its
// place leaves room above, below, at the left and at the right. The id is the beginning
// of its elements' ids, and made of letters, digits and dashes.
func (c Chart) Inline(id string) []byte {
	d := c.draw(inlineWidth)
	head := make([]byte, 0, len(d.out)+512)
	head = append(head, `<svg class="drawing" role="img" width="100%" height="`...)
	head = strconv.AppendInt(head, int64(c.height()), 10)
	head = append(head, `" overflow="visible" aria-labelledby="`...)
	head = appendText(head, id+"-title "+id+"-desc")
	head = append(head, `"><title id="`...)
	head = appendText(head, id+"-title")
	head = append(head, `">`...)
	head = appendText(head, c.Title)
	head = append(head, `</title><desc id="`...)
	head = appendText(head, id+"-desc")
	head = append(head, `">`...)
	head = appendText(head, d.says())
	head = append(head, "</desc>"...)
	head = append(head, d.out...)
	return append(head, "</svg>"...)
}

// says is the chart's sentence, with what the drawing leaves out.
func (d *drawing) says() string {
	if d.c.blank() {
		return d.c.Empty
	}
	if !d.beyond {
		return d.c.Says
	}
	return d.c.Says + " What is above " + withUnit(number(d.s.high), d.c.Y.Unit) + " is drawn at the top edge."
}
