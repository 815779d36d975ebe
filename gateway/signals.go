package gateway

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead"
)

// signalHeader is the header or trailer by which an instance reports on its answer.
// No client gets to see it.
const signalHeader = "Fairlead-Signal"

// Limits of what an answer reports, in its header and its trailer together.
const (
	signalsMost     = 16
	signalTextMost  = 4096 // bytes of a header's or a trailer's lines
	signalValueMost = 1e12 // either way
	numberMost      = 32   // characters of a value
)

// signalValue is one reported signal.
type signalValue struct {
	name  string
	value float64
}

// reading takes what one answer reports: each signal once, the first value of it. It
// is for one goroutine at a time.
type reading struct {
	taken []string // names
}

// take reads the lines of a header or trailer, each of the form
//
//	name=value, name=value
//
// with names as [fairlead.ValidName] and decimal numbers. It returns what is new, and
// how many signals are of no use: not of this form, too large, or too many.
func (r *reading) take(lines []string) (fresh []signalValue, ignored int) {
	room := signalTextMost
	for _, line := range lines {
		if room -= len(line); room < 0 {
			ignored++ // however many it says
			continue
		}
		for item := range strings.SplitSeq(line, ",") {
			item = strings.Trim(item, " \t")
			if item == "" {
				continue // RFC 9110 lets a list have empty elements
			}
			one, ok := parseSignal(item)
			if !ok || len(r.taken) == signalsMost || slices.Contains(r.taken, one.name) {
				ignored++
				continue
			}
			r.taken = append(r.taken, one.name)
			fresh = append(fresh, one)
		}
	}
	return fresh, ignored
}

// parseSignal reads name=value.
func parseSignal(item string) (signalValue, bool) {
	name, text, found := strings.Cut(item, "=")
	if !found || !fairlead.ValidName(name) || len(text) > numberMost || strings.Trim(text, "0123456789+-.eE") != "" {
		return signalValue{}, false // ParseFloat also takes words and hexadecimal numbers
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || math.Abs(value) > signalValueMost {
		return signalValue{}, false
	}
	if name == fairlead.ErrorSignal && value != 0 && value != 1 {
		return signalValue{}, false
	}
	return signalValue{name, value}, true
}
