// Package compose turns the services of a compose file into App files, and lists
// what could not be carried over, line by line.
//
// It is the only package that knows compose files. [Import] reads and decides, and
// writes nothing; [Imported.Write] writes. A value that looks like a secret is never
// in what either gives: the App file names a secret instead, and the list has the
// command that sets it. Nothing here is safe for concurrent use on one [Imported];
// separate imports may run at once.
package compose

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/app"
)

// Options is what to import, and into what place.
type Options struct {
	Files   []string // compose files, at least one; later ones are merged over earlier ones, as compose does
	Out     string   // directory of the App files (default: that of the first compose file)
	Environ []string // "NAME=value" each, for the files' variables; .env beside the first file adds to it
}

// The kinds of what a person is told of one part of a service.
const (
	Lost    = "lost"    // Fairlead has nothing like it, and the app may miss it
	Changed = "changed" // carried over in another form
	Decide  = "decide"  // a default was written that a person should look at
	Idle    = "idle"    // not carried over, and not needed
)

// Note is one thing that a person should know of a service, or of the whole file.
type Note struct {
	Kind    string `json:"kind"`              // lost, changed, decide or idle
	File    string `json:"file,omitempty"`    // where it stands
	Line    int    `json:"line,omitempty"`    // from 1; 0 where it stands in none
	What    string `json:"what"`              // the attribute, such as "cap_add: SYS_ADMIN"
	Why     string `json:"why"`               // what Fairlead does instead, or why it does nothing
	Instead string `json:"instead,omitempty"` // what to do about it
}

// Secret is a value that the App file names and does not hold.
type Secret struct {
	Name    string `json:"name"`
	Of      string `json:"of"`      // the variable, file or environment that holds it today
	Command string `json:"command"` // sets it; the value is no argument of a program
}

// Service is one service of the compose file and what became of it.
type Service struct {
	Name    string   `json:"name"`
	App     string   `json:"app,omitempty"`  // "" where no App file is made
	File    string   `json:"file,omitempty"` // the App file's path
	Left    string   `json:"left,omitempty"` // why no App file is made
	Carried []string `json:"carried"`        // attributes that the App file has
	Notes   []Note   `json:"notes"`
	Secrets []Secret `json:"secrets,omitempty"`

	place    string // file:line
	spec     fairlead.App
	comments map[string]string // path in the App file -> remark
	text     []byte            // of the App file
}

// Imported is what became of the compose files.
type Imported struct {
	Files    []string  `json:"files"` // that were read, as they were named
	Services []Service `json:"services"`
	Notes    []Note    `json:"notes"`             // of no service
	Missing  []string  `json:"missing,omitempty"` // variables that were set nowhere, and are empty
}

// Complete reports whether all of every service was carried over.
func (i Imported) Complete() bool {
	lost := func(notes []Note) bool {
		return slices.ContainsFunc(notes, func(n Note) bool { return n.Kind == Lost })
	}
	for _, s := range i.Services {
		if s.Left != "" || lost(s.Notes) {
			return false
		}
	}
	return !lost(i.Notes) && len(i.Missing) == 0
}

// Import reads compose files and makes an App of each service.
//
// Errors: invalid where a file is no compose file, names the place; not_found where
// there is none.
func Import(ctx context.Context, o Options) (Imported, error) {
	project, err := read(ctx, o)
	if err != nil {
		return Imported{}, err
	}
	out := o.Out
	if out == "" {
		out = filepath.Dir(o.Files[0])
	}
	imported := Imported{Files: o.Files, Missing: project.missing, Notes: project.notes()}
	names := appNames(project)
	writes := false
	for _, name := range project.names() {
		c := newCarrying(project, names, name, out)
		service, err := c.carry()
		if err != nil {
			return Imported{}, err
		}
		imported.Services = append(imported.Services, service)
		writes = writes || c.writes
	}
	imported.Notes = append(imported.Notes, everywhere(writes)...)
	return imported, imported.render()
}

// render makes the text of every App file and reads it again as `fairlead deploy`
// would: what is written is known to be right.
func (i *Imported) render() error {
	for n := range i.Services {
		s := &i.Services[n]
		if s.App == "" {
			continue
		}
		s.text = render(*s, i.Files)
		if _, err := app.Parse(s.File, s.text); err != nil {
			return i.refused(*s, err)
		}
	}
	return nil
}

// refused says of which service no App can be made, and why.
func (i *Imported) refused(s Service, err error) error {
	reason := err.Error()
	var problems app.Problems
	if errors.As(err, &problems) {
		reason = problems[0].Field + ": " + problems[0].Text
	}
	return fairlead.Errorf(fairlead.CodeOf(err), "import "+strings.Join(i.Files, " "), "%s: service %s makes no App: %s", s.place, s.Name, reason).
		WithHint("change it in the compose file; nothing was written")
}

// appNames gives each service the name of its app: a DNS label of at most 40
// characters, each once.
func appNames(p *project) map[string]string {
	names, taken := map[string]string{}, map[string]bool{}
	for _, service := range p.names() {
		name := label(service)
		for n := 2; taken[name]; n++ {
			name = numbered(label(service), n)
		}
		names[service], taken[name] = name, true
	}
	return names
}

// longestName is the most characters of an app's name.
const longestName = 40

// label makes a DNS label of text.
func label(text string) string {
	kept := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(text))
	kept = strings.Trim(kept, "-")
	if kept == "" || kept[0] >= '0' && kept[0] <= '9' {
		kept = strings.TrimSuffix("app-"+kept, "-")
	}
	return strings.TrimRight(kept[:min(len(kept), longestName)], "-")
}

// numbered is a name with a number after it, which tells it from the same one.
func numbered(name string, n int) string {
	suffix := fmt.Sprintf("-%d", n)
	return strings.TrimRight(name[:min(len(name), longestName-len(suffix))], "-") + suffix
}
