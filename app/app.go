// Package app reads App files: [Parse] decodes one strictly, [Complete] fills in
// every default, [Check] tells whether the result makes sense, and [Schema]
// describes the format for editors and for Kubernetes.
//
// All functions are pure and safe for concurrent use. Their errors are
// *fairlead.Error of code invalid whose cause is a [Problems].
package app

import (
	"fmt"
	"sort"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/strictyaml"
)

const (
	// MaxFile is the most bytes that an App file may have.
	MaxFile = 1 << 20
	// MaxProblems is how many problems one error lists.
	MaxProblems = 10
)

// Problem is one thing that is wrong with an App, and where.
type Problem struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`   // from 1; 0 where no file was read
	Column int    `json:"column,omitempty"` // from 1, in characters
	Field  string `json:"field,omitempty"`  // such as "spec.environments[0].name"
	Text   string `json:"text"`
}

// String returns "file:line:col: field: text", as far as each is known.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File + ":")
		if p.Line > 0 {
			fmt.Fprintf(&b, "%d:%d:", p.Line, p.Column)
		}
		b.WriteString(" ")
	}
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	return b.String() + p.Text
}

// Problems are the problems of one App, at least one and at most [MaxProblems],
// in the order of the file.
type Problems []Problem

// Error returns the problems, one a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}

// Parse reads an App file: strict YAML or JSON, at most [MaxFile] bytes. file is
// its name in messages. The App is as written, without defaults, and it is known
// to pass [Check] once completed.
func Parse(file string, data []byte) (fairlead.App, error) {
	document, bad := strictyaml.Parse(data, MaxFile)
	if bad != nil {
		return fairlead.App{}, invalid(file, []strictyaml.Problem{*bad})
	}
	if wrong := checkKind(document); len(wrong) > 0 {
		return fairlead.App{}, invalid(file, wrong)
	}
	var app fairlead.App
	wrong := document.Decode(&app, MaxProblems)
	wrong = append(wrong, hiddenDefaults(document)...)
	if len(wrong) == 0 {
		wrong = locate(document, check(Complete(app)))
	}
	if len(wrong) > 0 {
		return fairlead.App{}, invalid(file, wrong)
	}
	return app, nil
}

// Check reports what is wrong with an App that [Complete] has completed. Parse has
// called it; callers that build Apps otherwise call it themselves.
func Check(app fairlead.App) error {
	if wrong := check(app); len(wrong) > 0 {
		return invalid("", wrong)
	}
	return nil
}

// checkKind looks at apiVersion and kind first: in a file of another kind every
// other message would be noise.
func checkKind(document *strictyaml.Document) []strictyaml.Problem {
	for _, want := range []struct{ key, value string }{{"apiVersion", fairlead.APIVersion}, {"kind", fairlead.KindApp}} {
		got, ok := document.Text(want.key)
		if ok && got == want.value {
			continue
		}
		line, column := document.Position(want.key)
		text := fmt.Sprintf("this is not an App file: want %s: %s, found %q", want.key, want.value, got)
		if !ok {
			text = fmt.Sprintf("this is not an App file: it has no line %q", want.key+": "+want.value)
		}
		return []strictyaml.Problem{{Line: line, Column: column, Text: text}}
	}
	return nil
}

// hiddenDefaults reports zero values that a default would silently replace.
func hiddenDefaults(document *strictyaml.Document) []strictyaml.Problem {
	var wrong []strictyaml.Problem
	for _, zero := range document.Zeros() {
		standard, ok := defaultOf(zero.Type + "." + zero.Field)
		if !ok {
			continue
		}
		line, column := document.Position(zero.Path)
		wrong = append(wrong, strictyaml.Problem{Line: line, Column: column, Path: zero.Path,
			Text: fmt.Sprintf("%s stands for the default (%s); leave the field out or give another value", zero.Text, standard)})
	}
	return wrong
}

func locate(document *strictyaml.Document, wrong []strictyaml.Problem) []strictyaml.Problem {
	for i := range wrong {
		wrong[i].Line, wrong[i].Column = document.Position(wrong[i].Path)
	}
	return wrong
}

func invalid(file string, wrong []strictyaml.Problem) error {
	sort.SliceStable(wrong, func(i, j int) bool {
		a, b := wrong[i], wrong[j]
		return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
	})
	problems := make(Problems, 0, len(wrong))
	for _, w := range wrong[:min(len(wrong), MaxProblems)] {
		problems = append(problems, Problem{File: file, Line: w.Line, Column: w.Column, Field: w.Path, Text: w.Text})
	}
	return &fairlead.Error{Code: fairlead.Invalid, Err: problems, Hint: hintFor(problems)}
}

// hintFor says where the fields are described, or how a file that has none begins.
func hintFor(problems Problems) string {
	for _, p := range problems {
		if p.Field != "" {
			return "see what each field takes: fairlead schema"
		}
	}
	return fmt.Sprintf("an App file is UTF-8 text of at most %d MiB, and begins with: apiVersion: %s and kind: %s",
		MaxFile>>20, fairlead.APIVersion, fairlead.KindApp)
}
