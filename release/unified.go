package release

import (
	"fmt"
	"strings"
)

// around is how many equal lines a unified diff shows before and after what changed.
const around = 3

// noNewline stands in a unified diff after a last line that has no newline.
const noNewline = "\\ No newline at end of file\n"

// unified returns the hunks of the unified diff of two texts, without the lines that
// name the files. A diff of more than limit bytes ends at the end of a line before
// that, and cut says how many lines are left out. One that would show a line of more
// than maxLine bytes is "" with long. It takes at most *work steps, less a few passes
// over both texts, and takes them off.
func unified(before, after string, limit int, work *int) (diff string, cut int, long bool) {
	a, b := lines(before), lines(after)
	c := newComparison(a, b, work)
	var out limited
	out.limit = limit
	for _, h := range c.hunks() {
		out.line(h.header())
		i, j := h.a0, h.b0
		for i < h.a1 || j < h.b1 {
			switch {
			case i < h.a1 && !c.keepA[i]:
				out.text('-', a[i])
				i++
			case j < h.b1 && !c.keepB[j]:
				out.text('+', b[j])
				j++
			default:
				out.text(' ', a[i])
				i, j = i+1, j+1
			}
		}
	}
	if out.long {
		return "", 0, true
	}
	return out.String(), out.cut, false
}

// lines splits a text after each newline.
func lines(text string) []string {
	split := strings.SplitAfter(text, "\n")
	if split[len(split)-1] == "" {
		split = split[:len(split)-1]
	}
	return split
}

// hunk is a stretch of both texts that is shown.
type hunk struct{ a0, a1, b0, b1 int }

func (h hunk) header() string {
	return fmt.Sprintf("@@ -%s +%s @@\n", span(h.a0, h.a1), span(h.b0, h.b1))
}

// span is a stretch of lines in the form of POSIX diff -u: an empty one is named by the
// line before it.
func span(from, to int) string {
	if to == from {
		return fmt.Sprintf("%d,0", from)
	}
	if to == from+1 {
		return fmt.Sprint(to)
	}
	return fmt.Sprintf("%d,%d", from+1, to-from)
}

// hunks returns what to show, in order: what changed with the lines around it.
func (c *comparison) hunks() []hunk {
	var all []hunk
	i, j := 0, 0
	for i < len(c.a) || j < len(c.b) {
		if i < len(c.a) && c.keepA[i] && j < len(c.b) && c.keepB[j] {
			i, j = i+1, j+1
			continue
		}
		a0, b0 := i, j
		for i < len(c.a) && !c.keepA[i] {
			i++
		}
		for j < len(c.b) && !c.keepB[j] {
			j++
		}
		before, after := min(around, a0, b0), min(around, len(c.a)-i, len(c.b)-j)
		next := hunk{a0 - before, i + after, b0 - before, j + after}
		if n := len(all); n > 0 && all[n-1].a1 >= next.a0 {
			all[n-1].a1, all[n-1].b1 = next.a1, next.b1
		} else {
			all = append(all, next)
		}
	}
	return all
}

// limited is a text that takes whole lines up to a limit.
type limited struct {
	strings.Builder
	limit, cut int
	long       bool // a line before the cut is too long to be shown
}

func (l *limited) text(mark byte, line string) {
	if !strings.HasSuffix(line, "\n") {
		line += "\n" + noNewline
	}
	l.line(string(mark) + line)
}

func (l *limited) line(text string) {
	if l.cut == 0 && len(text) > maxLine {
		l.long = true
	}
	if l.cut > 0 || l.Len()+len(text) > l.limit {
		l.cut++
		return
	}
	l.WriteString(text)
}
