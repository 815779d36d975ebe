package progress

import (
	"strings"
	"unicode"
)

// Style is what the place that is drawn on can show.
type Style struct {
	Width int  // columns, at least 20 are used
	UTF8  bool // may use block characters; otherwise plain ASCII
	Color bool // may use the terminal's colours
}

// Tone is what a piece of text means; a style may give it a colour.
type Tone string

// The tones, as the terminal's select-graphic-rendition codes.
const (
	Plain  Tone = ""
	Strong Tone = "1"
	Quiet  Tone = "2"
	Good   Tone = "32"
	Bad    Tone = "31"
	Care   Tone = "33"
	New    Tone = "36"
)

// Paint returns text in a tone.
func (s Style) Paint(tone Tone, text string) string {
	if !s.Color || tone == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(tone) + "m" + text + "\x1b[0m"
}

// Row is one line that never grows wider than its style. The zero Row is not
// usable; make one with [Style.Row].
type Row struct {
	style Style
	text  strings.Builder
	used  int
}

// Row returns an empty line.
func (s Style) Row() *Row { return &Row{style: s} }

// Add appends text in a tone, cut at the style's width.
func (r *Row) Add(tone Tone, text string) *Row {
	text = cut(Clean(text), max(20, r.style.Width)-r.used)
	r.used += width(text)
	r.text.WriteString(r.style.Paint(tone, text))
	return r
}

// To appends spaces up to a column.
func (r *Row) To(column int) *Row {
	if r.used < column {
		r.Add(Plain, strings.Repeat(" ", column-r.used))
	}
	return r
}

// Right appends text so that it ends at the style's width, if it still fits.
func (r *Row) Right(tone Tone, text string) *Row {
	start := max(20, r.style.Width) - width(text)
	if start <= r.used {
		return r
	}
	return r.To(start).Add(tone, text)
}

// String returns the line.
func (r *Row) String() string { return strings.TrimRight(r.text.String(), " ") }

// Bar draws a share, 0 to 1, over some columns.
func (s Style) Bar(share float64, columns int) string {
	share = min(1, max(0, share))
	if !s.UTF8 {
		full := int(share*float64(columns) + 0.5)
		return strings.Repeat("#", full) + strings.Repeat(".", columns-full)
	}
	eighths := int(share*float64(columns)*8 + 0.5)
	full, part := eighths/8, eighths%8
	bar := strings.Repeat("█", full)
	if part > 0 {
		bar += string([]rune(" ▏▎▍▌▋▊▉")[part])
		full++
	}
	return bar + strings.Repeat("░", columns-full)
}

// SplitBar returns a bar in two parts: what is reached, and the rest.
func (s Style) SplitBar(share float64, columns int) (full, rest string) {
	bar := []rune(s.Bar(share, columns))
	n := 0
	for n < len(bar) && bar[n] != '░' && bar[n] != '.' {
		n++
	}
	return string(bar[:n]), string(bar[n:])
}

// words splits text at its spaces, but not between a number and its unit.
func words(text string) []string {
	var words []string
	for _, word := range strings.Fields(text) {
		last := len(words) - 1
		switch strings.TrimRight(word, ",.;:)") {
		case "%", "s", "min", "h", "days":
			if last >= 0 && strings.ContainsAny(words[last][len(words[last])-1:], "0123456789") {
				words[last] += " " + word
				continue
			}
		}
		words = append(words, word)
	}
	return words
}

// Wrap breaks text into lines of at most columns, at spaces where it can.
func Wrap(text string, columns int) []string {
	var lines []string
	line := ""
	for _, word := range words(Clean(text)) {
		for width(word) > columns {
			head := cut(word, columns)
			if line != "" {
				lines, line = append(lines, line), ""
			}
			lines, word = append(lines, head), word[len(head):]
		}
		switch {
		case line == "":
			line = word
		case width(line)+1+width(word) <= columns:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// cut returns the longest beginning of text that fits in columns.
func cut(text string, columns int) string {
	used := 0
	for i, r := range text {
		used += runeWidth(r)
		if used > columns {
			return text[:i]
		}
	}
	return text
}

func width(text string) int {
	n := 0
	for _, r := range text {
		n += runeWidth(r)
	}
	return n
}

// runeWidth returns the columns of a rune: 0 for combining marks, 2 for the wide
// scripts and pictographs, 1 otherwise.
func runeWidth(r rune) int {
	switch {
	case unicode.Is(unicode.Mn, r), unicode.Is(unicode.Cf, r):
		return 0
	case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf, r >= 0xac00 && r <= 0xd7a3,
		r >= 0xf900 && r <= 0xfaff, r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60,
		r >= 0x1f300 && r <= 0x1faff, r >= 0x20000 && r <= 0x3fffd:
		return 2
	}
	return 1
}
