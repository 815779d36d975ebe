package console

import (
	"fmt"
	"strings"
)

// visible returns foreign text with signs in the place of what could not be seen, or
// would make a line look like another: control characters, a carriage return at the
// end, and what turns the direction of writing.
func visible(text string) string {
	hidden := func(r rune) bool {
		switch {
		case r == '\t':
			return false
		case r < 0x20, r >= 0x7f && r < 0xa0, r == 0xad, r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f, r == 0xfeff:
			return true
		}
		return r >= 0xe0000 && r <= 0xe0fff
	}
	if !strings.ContainsFunc(text, hidden) {
		return text
	}
	var out strings.Builder
	for _, r := range text {
		switch {
		case !hidden(r):
			out.WriteRune(r)
		case r < 0x20:
			out.WriteRune(0x2400 + r)
		default:
			fmt.Fprintf(&out, "⟨U+%04X⟩", r)
		}
	}
	return out.String()
}
