package corpus

import (
	"fmt"
	"time"
)

// The list of cells, their worlds' numbers and the weights of the geometric mean were
// fixed before any judge was run on them, and are not changed to suit one. What is in
// it follows the list of faults that users of canary tools report: see
// docs/reference/corpus.md.
//
// Every fault is crossed with 1, 10 and 100 requests a second; whether sessions are
// sticky and whether the rate follows a day goes round with the fault's and the
// rate's number, so that each of the four comes equally often. Errors to 5 %, which
// every peer's documents treat, identical releases, the outage and the high base rate
// have all twelve. The faults for which a time is promised have a cell without
// sessions and with a constant rate too.
//
// In the geometric mean every fault weighs the same, shared equally by its cells.

// Horizon is how long a world lasts. Whatever a judge has not turned back by then
// does harm until then.
const Horizon = 4 * time.Hour

// Harm is what users suffer from in a cell: what is counted as a user-visible failure.
type Harm string

// The harms.
const (
	Errors  Harm = "errors"  // failed requests
	TooSlow Harm = "slow"    // requests that failed or took more than Patience
	TooLate Harm = "late"    // requests that failed or whose first byte took more than FirstPatience
	Answers Harm = "answers" // failed requests and bad answers
	Refusal Harm = "refusal" // failed requests and refusals
	Tools   Harm = "tools"   // failed requests and malformed tool calls
	Money   Harm = "cost"    // cost, in answers of average cost
)

// How long users wait before they count as harmed.
const (
	Patience      = 300 * time.Millisecond
	FirstPatience = time.Second
)

// Cell is a situation: traffic, an application, and what is wrong. Its worlds are
// seeded by its name.
type Cell struct {
	Name    string  `json:"name"`
	Kind    string  `json:"kind"` // the name less its traffic
	App     string  `json:"app"`
	Traffic Traffic `json:"traffic"`
	Fault   Fault   `json:"fault"`
	Trouble Trouble `json:"trouble"`
	Good    bool    `json:"good"`             // the new release is no worse and must be promoted
	Harm    Harm    `json:"harm,omitempty"`   // of a fault
	Weight  float64 `json:"weight,omitempty"` // of a fault's cell in the geometric mean; those of a fault sum up to 1
}

// kind is a row of the list before it is crossed with traffic.
type kind struct {
	name    string
	app     string
	harm    Harm
	fault   Fault
	trouble Trouble
	good    bool
	cross   crossing
	timed   bool // a time is promised
}

// crossing says which traffic a kind meets.
type crossing int

const (
	round  crossing = iota // each rate once
	full                   // all twelve
	frail                  // sticky only, constant and with a day
	steady                 // with and without sessions, constant
)

func faultKinds() []kind {
	return []kind{
		{name: "errors-1%", app: API, harm: Errors, fault: Fault{Errors: 0.01}},
		{name: "errors-1.5%", app: API, harm: Errors, fault: Fault{Errors: 0.015}},
		{name: "errors-5%", app: API, harm: Errors, fault: Fault{Errors: 0.05}, cross: full, timed: true},
		{name: "errors-50%", app: API, harm: Errors, fault: Fault{Errors: 0.5}},
		{name: "ready-but-broken", app: API, harm: Errors, fault: Fault{Errors: 1}, timed: true},
		{name: "one-tenant", app: API, harm: Errors, fault: Fault{Errors: 0.5, Tenant: 4}},
		{name: "one-route", app: API, harm: Errors, fault: Fault{Errors: 0.2, Route: 3}},
		{name: "latency-x1.1", app: API, harm: TooSlow, fault: Fault{Slow: 1.1}},
		{name: "latency-x1.5", app: API, harm: TooSlow, fault: Fault{Slow: 1.5}, timed: true},
		{name: "latency-tail", app: API, harm: TooSlow, fault: Fault{Slow: 1.5, Tail: true}, timed: true},
		{name: "first-byte-x2", app: Chat, harm: TooLate, fault: Fault{First: 2}},
		{name: "memory-leak", app: API, harm: TooSlow, fault: Fault{Leak: true}},
		{name: "one-hour-ramp", app: API, harm: Errors, fault: Fault{Errors: 0.05, Ramp: time.Hour}, timed: true},
		{name: "30-min-onset", app: API, harm: Errors, fault: Fault{Errors: 0.05, Onset: 30 * time.Minute}},
		{name: "crash-loop", app: API, harm: Errors, fault: Fault{Loop: true}},
		{name: "bad-config", app: API, harm: Errors, fault: Fault{Unready: true}},
		{name: "bad-secret", app: API, harm: Errors, fault: Fault{Errors: 1, Route: 1}},
		{name: "prompt-2-points", app: Chat, harm: Answers, fault: Fault{Wrong: 0.02}},
		{name: "prompt-5-points", app: Chat, harm: Answers, fault: Fault{Wrong: 0.05}},
		{name: "prompt-10-points", app: Chat, harm: Answers, fault: Fault{Wrong: 0.10}},
		{name: "refusals", app: Chat, harm: Refusal, fault: Fault{Refused: 0.04}},
		{name: "bad-tool-json", app: Chat, harm: Tools, fault: Fault{BadTool: 0.045}},
		{name: "cost-x2", app: Chat, harm: Money, fault: Fault{Cost: 2}},
	}
}

func goodKinds() []kind {
	return []kind{
		{name: "same-api", app: API, cross: full},
		{name: "same-chat", app: Chat, cross: full},
		{name: "outage", app: API, trouble: Trouble{Outage: true}, cross: full},
		{name: "base-1.5%", app: API, trouble: Trouble{Base: 0.015}, cross: full},
		{name: "frail-sessions", app: API, trouble: Trouble{Frail: true}, cross: frail},
		{name: "cold-start", app: API, trouble: Trouble{Cold: true}, cross: steady},
		{name: "stalls", app: API, trouble: Trouble{Stalls: true}, cross: steady},
		{name: "outside-kills", app: API, trouble: Trouble{Kills: true}, cross: steady},
		{name: "share-mismatch", app: API, trouble: Trouble{Mismatch: true}, cross: steady},
		{name: "fewer-errors", app: API, fault: Fault{Errors: 0.0025}},
		{name: "faster", app: API, fault: Fault{Slow: 0.8}},
		{name: "better-answers", app: Chat, fault: Fault{Wrong: -0.03}},
	}
}

// Cells returns the corpus: first the faults, then as many and more without one.
func Cells() []Cell {
	var cells []Cell
	for i, k := range faultKinds() {
		crossed := k.cells(i)
		for n := range crossed {
			crossed[n].Weight = 1 / float64(len(crossed))
		}
		cells = append(cells, crossed...)
	}
	for i, k := range goodKinds() {
		k.good = true
		cells = append(cells, k.cells(i)...)
	}
	return cells
}

// cells crosses a kind, the number-th, with traffic.
func (k kind) cells(number int) []Cell {
	var cells []Cell
	seen := map[string]bool{}
	add := func(t Traffic) {
		c := Cell{Kind: k.name, App: k.app, Traffic: t, Fault: k.fault, Trouble: k.trouble, Good: k.good, Harm: k.harm}
		if c.Name = CellName(k.name, t); !seen[c.Name] {
			seen[c.Name] = true
			cells = append(cells, c)
		}
	}
	for j, rate := range []float64{1, 10, 100} {
		for four := range 4 {
			t := Traffic{Rate: rate, Sticky: four&1 == 1, Diurnal: four&2 == 2}
			switch {
			case k.cross == full, k.cross == frail && t.Sticky, k.cross == steady && !t.Diurnal,
				k.cross == round && four == (number+j)%4, k.timed && four == 0:
				add(t)
			}
		}
	}
	return cells
}

// CellName returns the name of the cell in which a kind meets traffic.
func CellName(kind string, t Traffic) string { return kind + "/" + t.name() }

// name is such as 10rps/sticky/day.
func (t Traffic) name() string {
	units, shape := "random", "flat"
	if t.Sticky {
		units = "sticky"
	}
	if t.Diurnal {
		shape = "day"
	}
	return fmt.Sprintf("%grps/%s/%s", t.Rate, units, shape)
}

// answerCost is the mean cost of an answer of the old release: 0.05 + 0.001 times
// the mean of the tokens, exp(tokensSpread^2/2) times their median; the cap takes
// off a little.
const answerCost = 0.23

// of returns how much a request's outcome harms its user.
func (h Harm) of(r *Request) float64 {
	bad := r.Failed()
	switch h {
	case TooSlow:
		bad = bad || r.Latency > Patience
	case TooLate:
		bad = bad || r.First > FirstPatience
	case Answers:
		bad = bad || r.Wrong
	case Refusal:
		bad = bad || r.Refused
	case Tools:
		bad = bad || r.BadTool
	case Money:
		return float64(r.Cost) / answerCost
	}
	if bad {
		return 1
	}
	return 0
}
