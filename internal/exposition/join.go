package exposition

import (
	"cmp"
	"io"
	"maps"
	"slices"
	"strings"
)

// Labelled is a page with the labels that all its samples get.
type Labelled struct {
	Page
	Labels []Label
}

// conflict stands for a type about which pages differ.
const conflict = "conflict"

// Join writes several pages as one. Every sample gets its page's labels; one of its own
// that has such a name is called exported_NAME, as Prometheus does it. Each family is
// described once, by the first page that does. A family about whose type pages differ
// has none: its samples are untyped.
func Join(w io.Writer, pages []Labelled) error {
	families := map[string]Family{}
	for _, p := range pages {
		for name, f := range p.Families {
			families[name] = agreed(families[name], f)
		}
	}
	groups := map[string][]string{} // lines by family
	for _, p := range pages {
		for _, s := range p.Samples {
			name := familyOf(s.Name, families)
			groups[name] = append(groups[name], s.line(p.Labels))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		if _, err := io.WriteString(w, families[name].head(name)+strings.Join(groups[name], "")); err != nil {
			return err
		}
	}
	return nil
}

func agreed(a, b Family) Family {
	both := Family{Help: cmp.Or(a.Help, b.Help), Type: cmp.Or(a.Type, b.Type)}
	if a.Type != "" && b.Type != "" && a.Type != b.Type {
		both.Type = conflict
	}
	return both
}

// familyOf returns the family of a sample: that of a histogram's or a summary's parts
// is the whole.
func familyOf(sample string, families map[string]Family) string {
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		base, part := strings.CutSuffix(sample, suffix)
		if t := families[base].Type; part && (t == "histogram" || t == "summary" && suffix != "_bucket") {
			return base
		}
	}
	return sample
}

func (f Family) head(name string) (text string) {
	if f.Help != "" {
		text = "# HELP " + name + " " + f.Help + "\n"
	}
	if f.Type != "" && f.Type != conflict {
		text += "# TYPE " + name + " " + f.Type + "\n"
	}
	return text
}

// line writes a sample with more labels.
func (s Sample) line(more []Label) string {
	labels := make([]Label, 0, len(s.Labels)+len(more))
	for _, own := range s.Labels {
		for has(more, own.Name) || has(labels, own.Name) {
			own.Name = "exported_" + own.Name
		}
		labels = append(labels, own)
	}
	text := series(s.Name, append(labels, more...)) + " " + s.Value
	if s.At != "" {
		text += " " + s.At
	}
	return text + "\n"
}

func has(labels []Label, name string) bool {
	return slices.ContainsFunc(labels, func(l Label) bool { return l.Name == name })
}
