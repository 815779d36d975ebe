package console

import (
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/api/client"
)

// The bounds of what a page shows of texts that changed, so that a page stays small. A
// file beyond them has a page of its own.
const (
	inlineBytes = 18 << 10 // of all diffs on the page of a release
	entryBytes  = 20 << 10 // of all that is listed beside diffs
	fileBytes   = 700      // that a file takes beside its diff
	valueBytes  = 400      // that a value takes beside its texts
	aloneBytes  = 48 << 10 // of a diff on a page of its own
	openLines   = 60       // of a diff that is open when the page is loaded
	rowBytes    = 48       // that a line takes beside its text
)

// comparison is a difference as a page shows it.
type comparison struct {
	client.Difference
	Newest int  // number of the app's newest release
	Chosen bool // the reader chose From
	Listed bool // the parts are shown
	Path   string
	Parts  []partView // those that changed
	Same   []string   // names of those that did not
}

// partView is a part that changed.
type partView struct {
	client.PartChange
	Title string
	Total int // changes
	Files []fileView
}

// fileView is a file that changed, with its text's diff line by line.
type fileView struct {
	client.FileChange
	Rows           []diffRow
	Added, Removed int
	Open           bool
	Alone          string // path of the page that shows the diff, where this one does not
	Cut            int    // lines that are left out
	Text           string // path of the page that shows the file itself
}

// partTitle is what a page calls a part.
func partTitle(part string) string {
	switch part {
	case "artifact":
		return "Files of the artifact"
	case "config":
		return "Configuration"
	case "policy":
		return "Policy of the environments"
	}
	return strings.ToUpper(part[:1]) + part[1:]
}

// compared makes a difference ready to be shown at a path. Of one file alone, where only
// is its part and path, more is shown.
func compared(d client.Difference, path, only string) comparison {
	c := comparison{Difference: d, Path: path, Listed: true}
	room, entries := inlineBytes, entryBytes
	if only != "" {
		room = aloneBytes
	}
	for _, p := range shownFirst(d.Parts) {
		view := partView{PartChange: p, Title: partTitle(p.Part), Total: len(p.Files) + len(p.Values) + p.More}
		for _, f := range p.Files {
			key := p.Part + "/" + f.Path
			if only == key || only == "" && spend(&entries, fileBytes+len(f.Path)) {
				view.Files = append(view.Files, showFile(f, c.fileLinks(key, f), &room))
			}
		}
		view.Values = slices.DeleteFunc(slices.Clone(p.Values), func(v client.ValueChange) bool {
			return !spend(&entries, valueBytes+len(v.Name)+len(v.Before)+len(v.After))
		})
		if only == "" {
			view.More = view.Total - len(view.Files) - len(view.Values)
		}
		switch {
		case p.Change == client.Same:
			c.Same = append(c.Same, strings.ToLower(view.Title[:1])+view.Title[1:])
		case only == "" || len(view.Files) > 0:
			c.Parts = append(c.Parts, view)
		}
	}
	return c
}

// spend takes bytes off a budget, and reports whether it had them.
func spend(budget *int, bytes int) bool {
	*budget -= bytes
	return *budget >= 0
}

// shownFirst puts the parts that people read before those of many files.
func shownFirst(parts []client.PartChange) []client.PartChange {
	last := func(p client.PartChange) int { return slices.Index([]string{"", "model", "artifact"}, p.Part) }
	sorted := slices.Clone(parts)
	slices.SortStableFunc(sorted, func(a, b client.PartChange) int { return last(a) - last(b) })
	return sorted
}

// fileLinks returns the pages of a file's diff and of the file.
func (c comparison) fileLinks(key string, f client.FileChange) [2]string {
	alone := c.Path + "?" + url.Values{"from": {fmt.Sprint(c.From)}, "file": {key}}.Encode()
	if f.Change == client.Removed {
		return [2]string{alone, ""}
	}
	return [2]string{alone, filePath(c.App, c.To, f.Path)}
}

func showFile(f client.FileChange, links [2]string, room *int) fileView {
	view := fileView{FileChange: f, Cut: f.Cut, Text: links[1]}
	rows := diffRows(f.Diff)
	for _, row := range rows {
		switch row.Kind {
		case rowAdded:
			view.Added++
		case rowRemoved:
			view.Removed++
		}
	}
	used := 0
	for i, row := range rows {
		if used += rowBytes + row.size(); used > *room {
			view.Cut += len(rows) - i
			rows = rows[:i]
			break
		}
	}
	if len(rows) < 4 && view.Cut > 0 { // too little to be worth reading
		view.Alone, view.Cut, rows = links[0], 0, nil
	}
	view.Rows, view.Open = rows, len(rows) > 0 && len(rows) <= openLines
	*room -= min(used, *room)
	return view
}

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
