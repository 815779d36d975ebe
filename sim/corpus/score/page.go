package score

import (
	_ "embed" // the page's words
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/template"
)

//go:embed page.md.tmpl
var pageText string

// Page writes the results as Markdown. picture is the path of the SVG beside it.
func (b *Board) Page(w io.Writer, picture string) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"number": number, "percent": percent, "interval": interval, "share": share, "since": since, "figure": figure,
		"delay": func(v *float64) string { return figure(v, "s") },
		"goal":  func(g Goal) string { return figure(&g.Goal, g.Unit) },
		"hours": hours, "own": func(r Row) bool { return r.Rule == Own },
		"yes": func(b bool) string {
			if b {
				return "yes"
			}
			return "**no**"
		},
	}).Parse(pageText)
	if err != nil {
		return fmt.Errorf("the page's template: %w", err)
	}
	best, known := b.Best()
	var text strings.Builder
	err = t.Execute(&text, struct {
		*Board
		Picture string
		Best    Row
		Peered  bool
	}{b, picture, best, known})
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	_, err = io.WriteString(w, text.String())
	return err
}

// JSON writes the board as JSON.
func (b *Board) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(b)
}
