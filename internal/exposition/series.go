// Package exposition reads pages of metrics in Prometheus's text format 0.0.4, of which
// OpenMetrics' samples are too, and joins several into one:
// https://prometheus.io/docs/instrumenting/exposition_formats/
//
// Who writes a page is not trusted: all that it may hold is bounded.
package exposition

import (
	"errors"
	"slices"
	"strings"
)

// Label is one label of a sample.
type Label struct {
	Name, Value string
}

// mostLabels is how many labels a sample may have.
const mostLabels = 64

// Series reads name{label="value",...} and returns what follows it.
func Series(text string) (name string, labels []Label, rest string, err error) {
	name, rest = word(text, true)
	if name == "" {
		return "", nil, "", errors.New("no name")
	}
	rest = strings.TrimLeft(rest, " \t")
	if !strings.HasPrefix(rest, "{") {
		return name, nil, rest, nil
	}
	for rest = strings.TrimLeft(rest[1:], " \t"); !strings.HasPrefix(rest, "}"); {
		var label, value string
		label, rest = word(rest, false)
		rest = strings.TrimLeft(rest, " \t")
		if label == "" || !strings.HasPrefix(rest, "=") {
			return "", nil, "", errors.New("no label")
		}
		value, rest, err = quoted(strings.TrimLeft(rest[1:], " \t"))
		twice := slices.ContainsFunc(labels, func(l Label) bool { return l.Name == label })
		if err != nil || twice {
			return "", nil, "", errors.New("no label")
		}
		if labels = append(labels, Label{label, value}); len(labels) > mostLabels {
			return "", nil, "", errors.New("too many labels")
		}
		rest = strings.TrimLeft(rest, " \t")
		if after, more := strings.CutPrefix(rest, ","); more {
			rest = strings.TrimLeft(after, " \t")
		} else if !strings.HasPrefix(rest, "}") {
			return "", nil, "", errors.New("no end of the labels")
		}
	}
	return name, labels, strings.TrimLeft(rest[1:], " \t"), nil
}

// word reads a name of letters, digits and _, in a metric's name : too.
func word(text string, colons bool) (name, rest string) {
	i := strings.IndexFunc(text, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' || colons && r == ':'
		return !letter && (r < '0' || r > '9')
	})
	if i < 0 {
		i = len(text)
	}
	if i > 0 && text[0] >= '0' && text[0] <= '9' {
		i = 0
	}
	return text[:i], text[i:]
}

// quoted reads a value in double quotes, in which \\, \" and \n are escapes.
func quoted(text string) (value, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		return "", "", errors.New("no value")
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), text[i+1:], nil
		case c == '\\' && i+1 < len(text):
			i++
			if text[i] == 'n' {
				b.WriteByte('\n')
			} else {
				b.WriteByte(text[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", "", errors.New("no end of a value")
}
