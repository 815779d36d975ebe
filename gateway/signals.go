package gateway

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway/trace"
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
	taken []signalValue
}

// take reads the lines of a header or trailer, each of the form
//
//	name=value, name=value
//
// with names as [fairlead.ValidName] and decimal numbers. It returns what is new, and
// how many signals are of no use: not of this form, too large, or too many.
func (r *reading) take(lines []string) (fresh []signalValue, ignored int) {
	room, before := signalTextMost, len(r.taken)
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
			if !ok || len(r.taken) == signalsMost || r.has(one.name) {
				ignored++
				continue
			}
			r.taken = append(r.taken, one)
		}
	}
	return r.taken[before:], ignored
}

func (r *reading) has(name string) bool {
	return slices.ContainsFunc(r.taken, func(s signalValue) bool { return s.name == name })
}

// values returns all that was taken, by name; nil when there is nothing.
func (r *reading) values() map[string]float64 {
	if len(r.taken) == 0 {
		return nil
	}
	all := map[string]float64{}
	for _, s := range r.taken {
		all[s.name] = s.value
	}
	return all
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

// hear counts what an answer's header or trailer reports, and takes it out.
func (x *exchange) hear(h http.Header) {
	x.Report(h[signalHeader])
	withoutReports(h)
}

// setTrace gives a request, or its answer, the receipt for late reports.
func (x *exchange) setTrace(h http.Header) {
	if x.trace == "" {
		x.trace = x.traceOf(x.at.canary, x.mirror != nil)
	}
	if x.trace != "" {
		h[trace.Header] = []string{x.trace}
	}
}

// withoutReports takes out what an instance says to the gateway, and what only the
// gateway says.
func withoutReports(h http.Header) {
	delete(h, signalHeader)
	delete(h, trace.Header)
}
