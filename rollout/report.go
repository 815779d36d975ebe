package rollout

import (
	"fmt"
	"math"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway/trace"
	"github.com/fairlead/fairlead/internal/strictyaml"
)

// Told is a value that somebody reports of a request after its answer: a grader, or
// a user's feedback.
type Told struct {
	Trace  string // the request's Fairlead-Trace
	Signal string // one that the rollout's strategy declares
	Value  float64
}

// Receipt is what became of a [Told].
type Receipt struct {
	Repeated bool  // the request has a value of the signal already, which stays
	Err      error // why it is not taken; nil when it is recorded
}

const opReport = "report"

// receive finds the rollout that a told value belongs to, and checks it.
func (e *Engine) receive(t Told) (id string, r fairlead.LateReport, repeated bool, err error) {
	made, err := trace.Of(t.Trace)
	if err != nil {
		return "", r, false, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	id, known := e.traces[made]
	if !known {
		return "", r, false, fairlead.Errorf(fairlead.NotFound, opReport, "no rollout of this server that is moving or watched made the trace").
			WithHint("report while the rollout lasts, to the server whose gateway answered the request")
	}
	m := e.machines[id]
	if m == nil || m.rollout.Phase == Ended {
		return "", r, false, tooLate(id, []fairlead.LateReport{r})
	}
	if r, err = m.rollout.check(t); err != nil {
		return "", r, false, err
	}
	return id, r, m.late.has(r), nil
}

// check returns t as the judge takes it.
func (r Rollout) check(t Told) (fairlead.LateReport, error) {
	request, err := trace.Open(r.Salt, t.Trace)
	if err != nil {
		return fairlead.LateReport{}, err
	}
	if r.Kind != Forward || r.From == 0 {
		return fairlead.LateReport{}, fairlead.Errorf(fairlead.Conflict, opReport,
			"nothing is compared in %s now: %s@%d has no other release beside it", r.Site, r.Site.App, r.To)
	}
	kind, err := r.kindOf(t.Signal)
	if err == nil {
		err = fits(kind, t, request.Mirrored)
	}
	if err != nil {
		return fairlead.LateReport{}, err
	}
	report := request.Report(t.Signal, t.Value)
	report.Request = request.Nonce
	return report, nil
}

// kindOf returns the kind of a signal that the strategy declares.
func (r Rollout) kindOf(name string) (string, error) {
	var names []string
	for _, s := range r.Strategy.Signals {
		if s.Name == name {
			return s.Kind, nil
		}
		names = append(names, s.Name)
	}
	if name == fairlead.ErrorSignal {
		return "", fairlead.Errorf(fairlead.Invalid, opReport, "%q is told at once, not later: it makes the request a failure", name).
			WithHint("answer with the header Fairlead-Signal: error=1")
	}
	err := fairlead.Errorf(fairlead.Invalid, opReport, "%s declares no signal %q%s", r.Site.App, clip(name), strictyaml.DidYouMean(name, names))
	if len(names) == 0 {
		return "", err.WithHint("declare it in the app's file under spec.signals, and deploy")
	}
	return "", err.WithHint("it declares: %s", strings.Join(names, ", "))
}

// fits checks a value against its signal's kind.
func fits(kind string, t Told, mirrored bool) error {
	wrong := func(want string) error {
		return fairlead.Errorf(fairlead.Invalid, opReport, "%s is of kind %s: its value is %s, not %g", t.Signal, kind, want, t.Value)
	}
	switch v := t.Value; {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return wrong("a number")
	case kind == fairlead.KindScore && (v < 0 || v > 1):
		return wrong("between 0 and 1")
	case kind == fairlead.KindAmount && v < 0:
		return wrong("0 or more")
	case kind == fairlead.KindPreference && !mirrored:
		return fairlead.Errorf(fairlead.Invalid, opReport, "%s compares both answers of a mirrored request, and this one was not mirrored", t.Signal)
	case kind == fairlead.KindPreference && v != 0 && v != 0.5 && v != 1:
		return wrong("0, 0.5 or 1")
	case (kind == fairlead.KindFailure || kind == fairlead.KindSuccess) && v != 0 && v != 1:
		return wrong("0 or 1")
	}
	return nil
}

// tooLate is why reports for a rollout that has ended are not taken; nil without
// reports.
func tooLate(id string, reports []fairlead.LateReport) error {
	if len(reports) == 0 {
		return nil
	}
	return fairlead.Errorf(fairlead.Conflict, opReport, "the rollout of the trace, %s, has ended: nothing more is judged", id).
		WithHint("a longer rollbackWindow leaves graders more time")
}

// lateReports are those that a machine took, so that none counts twice.
type lateReports map[reportKey]struct{}

type reportKey struct {
	signal  string
	request uint64
	canary  bool // of a mirrored request, which answer
}

func keyOf(r fairlead.LateReport) reportKey { return reportKey{r.Signal, r.Request, r.Canary} }

func (l lateReports) has(r fairlead.LateReport) bool {
	_, has := l[keyOf(r)]
	return has
}

// fresh returns the reports that were not taken yet, each once.
func (l lateReports) fresh(reports []fairlead.LateReport) []fairlead.LateReport {
	var fresh []fairlead.LateReport
	now := lateReports{}
	for _, r := range reports {
		if !l.has(r) && !now.has(r) {
			now[keyOf(r)] = struct{}{}
			fresh = append(fresh, r)
		}
	}
	return fresh
}

func (l lateReports) take(reports []fairlead.LateReport) {
	for _, r := range reports {
		l[keyOf(r)] = struct{}{}
	}
}

// clip keeps what a stranger sent short in an error.
func clip(s string) string {
	if len(s) > 60 {
		return fmt.Sprintf("%.57s...", s)
	}
	return s
}

// moving reports whether a rollout takes inputs.
func (e *Engine) moving(id string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := e.machines[id]
	return m != nil && m.rollout.Phase != Ended
}
