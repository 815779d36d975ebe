package guard

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/boundedget"
	"github.com/fairlead/fairlead/internal/exposition"
)

// selector names one sample: a metric, and labels that it must have.
type selector struct {
	name   string
	labels []exposition.Label
}

var errSelector = errors.New(`the metric is not one: write it as queue_depth{kind="gpu"}`)

// parseSelector reads a selector: a name, and equal labels in braces if need be.
func parseSelector(text string) (selector, error) {
	name, labels, rest, err := exposition.Series(strings.TrimSpace(text))
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
		name, labels, rest, err := exposition.Series(text)
		if err != nil {
			return 0, fmt.Errorf("an instance's metrics cannot be read: %w in %q", err, boundedget.Clean(text))
		}
		if name != s.name || !s.has(labels) {
			continue
		}
		fields := strings.Fields(rest)
		if len(fields) == 0 {
			return 0, fmt.Errorf("an instance's metrics cannot be read: no value in %q", boundedget.Clean(text))
		}
		found++
		value = fields[0]
	}
	if found != 1 {
		return 0, count(found, s.name, "name the labels of one")
	}
	return finite(value)
}

func (s selector) has(labels []exposition.Label) bool {
	for _, l := range s.labels {
		if !slices.Contains(labels, l) {
			return false
		}
	}
	return true
}
