package console

import (
	"fmt"
	"html/template"
	"strings"
)

// The kinds of rows of a diff.
const (
	rowHunk    = "hunk"
	rowSame    = "same"
	rowAdded   = "added"
	rowRemoved = "removed"
	rowNote    = "note"
)

// diffRow is a line of a unified diff. Mid is what differs from the line that it took
// the place of, or that took its; all of a line is in Before, Mid and After.
type diffRow struct {
	Kind               string
	Old, New           int // line numbers from 1; 0 where there is none
	Before, Mid, After string
}

func (r diffRow) size() int {
	return len(template.HTMLEscapeString(r.Before)) + len(template.HTMLEscapeString(r.Mid)) + len(template.HTMLEscapeString(r.After))
}

// diffRows reads the hunks of a unified diff. What it cannot read it shows as it is.
func diffRows(diff string) []diffRow {
	var rows []diffRow
	before, after := 0, 0
	for line := range strings.Lines(diff) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			continue
		}
		text := visible(line[1:])
		switch line[0] {
		case '@':
			before, after = hunkStart(line)
			rows = append(rows, diffRow{Kind: rowHunk, Before: hunkWords(before, after)})
		case '-':
			rows = append(rows, diffRow{Kind: rowRemoved, Old: before, Before: text})
			before++
		case '+':
			rows = append(rows, diffRow{Kind: rowAdded, New: after, Before: text})
			after++
		case ' ':
			rows = append(rows, diffRow{Kind: rowSame, Old: before, New: after, Before: text})
			before, after = before+1, after+1
		default:
			rows = append(rows, diffRow{Kind: rowNote, Before: "no newline at the end"})
		}
	}
	markPairs(rows)
	return rows
}

// hunkStart reads the line numbers of "@@ -3,7 +3,8 @@".
func hunkStart(header string) (before, after int) {
	fields := strings.Fields(header)
	if len(fields) < 3 {
		return 1, 1
	}
	start := func(span string) int {
		var n, count int
		if got, _ := fmt.Sscanf(span[1:], "%d,%d", &n, &count); got == 2 && count == 0 {
			n++
		}
		return n
	}
	return start(fields[1]), start(fields[2])
}

func hunkWords(before, after int) string {
	if before == after {
		return fmt.Sprintf("from line %d", after)
	}
	return fmt.Sprintf("from line %d, before %d", after, before)
}

// markPairs finds what differs within lines that were replaced one for one.
func markPairs(rows []diffRow) {
	for i := 0; i < len(rows); {
		removed := i
		for i < len(rows) && (rows[i].Kind == rowRemoved || rows[i].Kind == rowNote) {
			i++
		}
		added := i
		for i < len(rows) && rows[i].Kind == rowAdded {
			i++
		}
		if added-removed == i-added {
			for n := range added - removed {
				markPair(&rows[removed+n], &rows[added+n])
			}
		}
		if i == removed {
			i++
		}
	}
}

// markPair marks what two lines have not in common at their beginnings and ends, if they
// have enough in common for that to help.
func markPair(a, b *diffRow) {
	if a.Kind != rowRemoved || b.Kind != rowAdded {
		return
	}
	x, y := []rune(a.Before), []rune(b.Before)
	head := 0
	for head < len(x) && head < len(y) && x[head] == y[head] {
		head++
	}
	tail := 0
	for tail < len(x)-head && tail < len(y)-head && x[len(x)-1-tail] == y[len(y)-1-tail] {
		tail++
	}
	if 3*(head+tail) < max(len(x), len(y)) {
		return
	}
	a.Before, a.Mid, a.After = string(x[:head]), string(x[head:len(x)-tail]), string(x[len(x)-tail:])
	b.Before, b.Mid, b.After = string(y[:head]), string(y[head:len(y)-tail]), string(y[len(y)-tail:])
}
