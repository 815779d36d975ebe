package guard

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// selector names one sample: a metric, and labels that it must have.
type selector struct {
	name   string
	labels map[string]string
}

var errSelector = errors.New(`the metric is not one: write it as queue_depth{kind="gpu"}`)

// parseSelector reads a selector: a name, and equal labels in braces if need be.
func parseSelector(text string) (selector, error) {
	name, labels, rest, err := series(strings.TrimSpace(text))
	if err != nil || rest != "" {
		return selector{}, errSelector
	}
	return selector{name, labels}, nil
}

// find returns the value of the one sample in a page of metrics that s names. The page
// is in Prometheus's text format 0.0.4, of which OpenMetrics' samples are too:
// https://prometheus.io/docs/instrumenting/exposition_formats/
func (s selector) find(page []byte) (float64, error) {
	found, value := 0, ""
	for line := range bytes.Lines(page) {
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' || !strings.HasPrefix(text, s.name) {
			continue
		}
		name, labels, rest, err := series(text)
		if err != nil {
			return 0, fmt.Errorf("an instance's metrics cannot be read: %w in %q", err, clean(text))
		}
		if name != s.name || !s.has(labels) {
			continue
		}
		fields := strings.Fields(rest)
		if len(fields) == 0 {
			return 0, fmt.Errorf("an instance's metrics cannot be read: no value in %q", clean(text))
		}
		found++
		value = fields[0]
	}
	if found != 1 {
		return 0, count(found, s.name, "name the labels of one")
	}
	return finite(value)
}

func (s selector) has(labels map[string]string) bool {
	for name, value := range s.labels {
		if had, ok := labels[name]; !ok || had != value {
			return false
		}
	}
	return true
}

// series reads name{label="value",...} and returns what follows it.
func series(text string) (name string, labels map[string]string, rest string, err error) {
	name, rest = word(text, true)
	if name == "" {
		return "", nil, "", errors.New("no name")
	}
	rest = strings.TrimLeft(rest, " \t")
	if !strings.HasPrefix(rest, "{") {
		return name, nil, rest, nil
	}
	labels = map[string]string{}
	for rest = strings.TrimLeft(rest[1:], " \t"); !strings.HasPrefix(rest, "}"); {
		var label, value string
		label, rest = word(rest, false)
		rest = strings.TrimLeft(rest, " \t")
		if label == "" || !strings.HasPrefix(rest, "=") {
			return "", nil, "", errors.New("no label")
		}
		value, rest, err = quoted(strings.TrimLeft(rest[1:], " \t"))
		if _, twice := labels[label]; err != nil || twice {
			return "", nil, "", errors.New("no label")
		}
		labels[label] = value
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
