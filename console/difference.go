package console

import (
	"fmt"
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
