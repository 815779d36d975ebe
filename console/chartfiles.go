package console

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// chartFile answers with a chart of a rollout as a file: NAME.svg, a picture that needs
// nothing else, or NAME.csv, its numbers.
func (s *console) chartFile(w http.ResponseWriter, r *http.Request, session Session) {
	name, kind, _ := strings.Cut(r.PathValue("file"), ".")
	api, id := s.API(session.Who), r.PathValue("id")
	rollout, err := api.Rollout(r.Context(), id)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	course, err := api.Course(r.Context(), id)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p, ok := panels(rollout, course)[name]
	types := map[string]string{"svg": "image/svg+xml", "csv": "text/csv; charset=utf-8; header=present"}
	if !ok || types[kind] == "" {
		s.fail(w, r, fairlead.Errorf(fairlead.NotFound, "", "rollout %s has no chart %q", id, r.PathValue("file")))
		return
	}
	content := p.picture
	if kind == "csv" {
		content = p.table
	}
	download(w, p.fileName(kind), types[kind], content())
}

// fileName says of what the file is.
func (p panel) fileName(kind string) string {
	return fmt.Sprintf("%s-%d-%s.%s", p.about.App, p.about.To, p.name, kind)
}

// schemes gives the drawing in a file the colours of a page: on white, and on black for
// who reads on black.
const schemes = `.picture{color-scheme:light dark;--surface:#fff;--ink:#15191c;--quiet:#565f67;--hairline:#dfe3e5;--edge:#7f8890;` +
	`--old:#5f6e7b;--new:#5a1ac4;--harm:#b3261e;--safe:#0f6d43;font:13px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}` +
	`@media(prefers-color-scheme:dark){.picture{--surface:#171b1d;--ink:#e7eaec;--quiet:#a0aab2;--hairline:#2b3135;--edge:#6f7982;` +
	`--old:#8b9aa7;--new:#c9b0ff;--harm:#ff8f85;--safe:#56c891}}` +
	`.paper{fill:var(--surface)}.name{font-size:17px;font-weight:620;fill:var(--ink)}.says{fill:var(--ink)}.note{font-size:11px;fill:var(--quiet)}` + "\n"

// picture is the chart as a file.
func (p panel) picture() []byte {
	ch := p.chart
	ch.Title = fmt.Sprintf("%s in %s: %s", p.about.newName(), p.about.Env, ch.Title)
	style, _ := assetFiles.ReadFile("assets/chart.css") // embedded: it can be read
	drawing, _, _ := strings.Cut(string(style), "\n\n")
	notes := []string{p.note}
	if began := p.about.began(); !began.IsZero() {
		notes = append(notes, "Time counts from "+began.UTC().Format(momentForm)+". Rollout "+p.about.Rollout.ID+".")
	}
	return ch.File(schemes+drawing, notes...)
}

// table is the chart's numbers as CSV (RFC 4180): a row a sample, with the decisions that
// fell in it.
func (p panel) table() []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.UseCRLF = true
	header := []string{"time (UTC)"}
	for _, f := range p.figures {
		header = append(header, f.header()...)
	}
	_ = w.Write(plainCells(append(header, "decisions")...)) // a buffer takes all
	from, last := time.Time{}, len(p.about.Samples)-1
	for i, s := range p.about.Samples {
		line := []string{s.At.UTC().Format("2006-01-02T15:04:05.000Z")}
		for _, f := range p.figures {
			line = append(line, f.fields(s)...)
		}
		_ = w.Write(append(line, plainCell(decided(p.about.Course, from, s.At, i == last))))
		from = s.At
	}
	w.Flush()
	return out.Bytes()
}

// decided are the decisions after one time and until another, or to the end.
func decided(c client.Course, after, until time.Time, toTheEnd bool) string {
	var texts []string
	for _, m := range c.Marks {
		if m.At.After(after) && (toTheEnd || !m.At.After(until)) {
			texts = append(texts, m.Text)
		}
	}
	return strings.Join(texts, "; ")
}
