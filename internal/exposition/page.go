package exposition

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The bounds of one page.
const (
	MostBytes   = 4 << 20 // of a page
	mostSamples = 20_000  // of a page
	mostName    = 256     // bytes of a name
	mostValue   = 1024    // bytes of a label's value
	mostHelp    = 1024    // bytes of a help text
)

// Page is what one instance's page of metrics says.
type Page struct {
	Families map[string]Family // what it says of families, by name
	Samples  []Sample          // in its order
}

// Family is what a page says of a family of samples.
type Family struct {
	Help string // as it is written: escaped
	Type string // counter, gauge, histogram, summary, untyped, or "" where it does not say
}

// Sample is one value.
type Sample struct {
	Name   string
	Labels []Label
	Value  string // a number as the format writes them
	At     string // milliseconds since 1970, or ""
}

// Parse reads a page strictly: one line that cannot be read spoils it all, for then it
// is not known what the others are. Exemplars are left out, and of two samples alike
// the first counts.
func Parse(page []byte) (Page, error) {
	p := Page{Families: map[string]Family{}}
	if len(page) > MostBytes {
		return p, fmt.Errorf("it has more than %d MiB", MostBytes>>20)
	}
	if !utf8.Valid(page) {
		return p, errors.New("it is no text in UTF-8")
	}
	seen := map[string]bool{}
	n := 0
	for line := range bytes.Lines(page) {
		n++
		text := strings.TrimSpace(string(line))
		var err error
		switch {
		case text == "":
		case text[0] == '#':
			err = p.describe(text)
		default:
			err = p.sample(text, seen)
		}
		if err != nil {
			return Page{}, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return p, nil
}

// describe takes "# HELP name text" and "# TYPE name type". Other comments are none of
// a reader's business.
func (p *Page) describe(text string) error {
	fields := strings.SplitN(text, " ", 4)
	if len(fields) < 3 || fields[1] != "HELP" && fields[1] != "TYPE" {
		return nil
	}
	name, rest := word(fields[2], true)
	if name == "" || rest != "" || len(name) > mostName {
		return errors.New("it describes what is no name of a metric")
	}
	if len(p.Families) >= mostSamples {
		return fmt.Errorf("it has more than %d families", mostSamples)
	}
	f, said := p.Families[name], ""
	if len(fields) == 4 {
		said = fields[3]
	}
	switch {
	case fields[1] == "HELP":
		if f.Help == "" {
			f.Help = strings.ToValidUTF8(said[:min(len(said), mostHelp)], "")
		}
	case f.Type != "" && f.Type != kind(said):
		return errors.New("it says two types of one metric")
	default:
		f.Type = kind(said)
	}
	p.Families[name] = f
	return nil
}

// kind returns a type of the text format; those of OpenMetrics that it does not have are
// untyped.
func kind(said string) string {
	switch said = strings.TrimSpace(said); said {
	case "counter", "gauge", "histogram", "summary":
		return said
	}
	return "untyped"
}

func (p *Page) sample(text string, seen map[string]bool) error {
	name, labels, rest, err := Series(text)
	if err != nil {
		return err
	}
	if len(p.Samples) >= mostSamples {
		return fmt.Errorf("it has more than %d samples", mostSamples)
	}
	if len(name) > mostName {
		return errors.New("a name is too long")
	}
	for _, l := range labels {
		if len(l.Name) > mostName || len(l.Value) > mostValue {
			return errors.New("a label is too long")
		}
		if strings.HasPrefix(l.Name, "__") {
			return errors.New("a label begins with __, as only Prometheus's own do") // __name__ would be another metric
		}
	}
	rest, _, _ = strings.Cut(rest, " # ") // an exemplar of OpenMetrics
	fields := strings.Fields(rest)
	if len(fields) == 0 || len(fields) > 2 {
		return errors.New("no value, or more than a value and a time")
	}
	s := Sample{Name: name, Labels: labels, Value: fields[0]}
	if _, err := strconv.ParseFloat(s.Value, 64); err != nil && !errors.Is(err, strconv.ErrRange) {
		return errors.New("its value is no number")
	}
	if len(fields) == 2 {
		if s.At = fields[1]; !milliseconds(s.At) {
			return errors.New("its time is no number of milliseconds")
		}
	}
	key := series(s.Name, s.Labels)
	if !seen[key] {
		seen[key] = true
		p.Samples = append(p.Samples, s)
	}
	return nil
}

func milliseconds(s string) bool {
	_, err := strconv.ParseInt(s, 10, 64)
	return err == nil
}

// series writes a name with its labels.
func series(name string, labels []Label) string {
	if len(labels) == 0 {
		return name
	}
	var b strings.Builder
	b.WriteString(name)
	for i, l := range labels {
		b.WriteByte("{,"[min(i, 1)])
		b.WriteString(l.Name + "=" + Quote(l.Value))
	}
	b.WriteByte('}')
	return b.String()
}

// Quote writes a label's value as the format wants it.
func Quote(value string) string {
	if strings.ContainsAny(value, "\\\"\n") { // as nearly none does: there are very many
		value = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(value)
	}
	return `"` + value + `"`
}
