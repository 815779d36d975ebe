package console

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// fileText is a text as a page shows it, line by line.
type fileText struct {
	App    string
	Number int
	File   client.ReleaseFile // the zero file for the log of a build
	Lines  []string
	Cut    int // lines that are left out
	Empty  bool
}

// filePage shows one file of a release. What it holds is foreign: it is shown as text.
func filePage(ctx context.Context, v visit) (view, error) {
	app, number, err := v.release()
	if err != nil {
		return view{}, err
	}
	f, err := v.api.ReleaseFile(ctx, app, number, v.query("path"))
	if err != nil {
		return view{}, err
	}
	t := textOf(f.Text)
	t.App, t.Number, t.File, t.Empty = app, number, f, f.Text == "" && f.NoText == ""
	return stillPage(visible(f.Path), app, number, part{ID: "file", Template: "release-file", Data: t}), nil
}

// logPage shows what the build of a release said.
func logPage(ctx context.Context, v visit) (view, error) {
	app, number, err := v.release()
	if err != nil {
		return view{}, err
	}
	r, err := v.api.Release(ctx, app, number)
	if err != nil {
		return view{}, err
	}
	digest := r.BuildLog()
	if digest == "" {
		return view{}, fairlead.Errorf(fairlead.NotFound, "read the log of the build", "%s was not built by Fairlead", releaseName(app, number)).
			WithHint("a release from a directory has no build; one from Git or a Dockerfile has")
	}
	log, err := v.api.Blob(ctx, digest)
	if err != nil {
		return view{}, err
	}
	defer log.Close()
	data, err := io.ReadAll(io.LimitReader(log, 4<<20))
	if err != nil {
		return view{}, fmt.Errorf("read the log of the build: %w", err)
	}
	t := textOf(strings.ToValidUTF8(string(data), "\uFFFD"))
	t.App, t.Number, t.Empty = app, number, len(data) == 0
	return stillPage("Log of the build", app, number, part{ID: "file", Template: "build-log", Data: t}), nil
}

func stillPage(title, app string, number int, p part) view {
	crumbs := append(appCrumbs(app), crumb{releaseName(app, number), releasePath(app, number)})
	return view{Title: title, Crumbs: crumbs, Parts: []part{p}, Still: true, Styles: []string{"release.css"}}
}

// textOf takes as many lines as a page has room for.
func textOf(text string) fileText {
	var t fileText
	room := aloneBytes
	for line := range strings.Lines(text) {
		line = visible(strings.TrimSuffix(line, "\n"))
		room -= rowBytes + len(template.HTMLEscapeString(line))
		if room < 0 {
			t.Cut++
			continue
		}
		t.Lines = append(t.Lines, line)
	}
	return t
}

// Rows numbers the lines, from 1.
func (t fileText) Rows() []diffRow {
	rows := make([]diffRow, len(t.Lines))
	for i, line := range t.Lines {
		rows[i] = diffRow{New: i + 1, Before: line}
	}
	return rows
}

// differenceFile answers with the difference as a file that patch and other tools read.
func (s *console) differenceFile(w http.ResponseWriter, r *http.Request, session Session) {
	v := s.visit(r, session)
	app, number, err := v.release()
	if err != nil {
		s.fail(w, r, err)
		return
	}
	c, err := v.compared(r.Context(), client.Release{App: app, Number: number})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	var out bytes.Buffer
	client.WriteUnified(&out, c.Difference) // a buffer takes all
	name := fmt.Sprintf("%s-%d-from-%d.diff", app, number, c.From)
	download(w, name, "text/plain; charset=utf-8", out.Bytes())
}
