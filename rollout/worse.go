package rollout

import (
	"fmt"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/figures"
	"github.com/fairlead/fairlead/rollout/judge"
)

// worse says by which signal the new release was found to be worse, with its figures.
func (h headline) worse() string {
	name := h.r.Verdict.Signal
	switch s, known := h.signal(name); {
	case name == fairlead.Failures.String() && h.s.Tally.Canary.Requests > 0:
		return h.new() + " " + h.compared("fails")
	case name == judge.RestartsName:
		r := h.report.Restarts
		return fmt.Sprintf("%s restarted %s where %s did %s", h.new(), times(r.Canary.Restarts), h.old(), times(r.Stable.Restarts))
	case !known || s.Canary.AtRisk == 0 || s.Stable.AtRisk == 0:
		return h.new() + " is worse by " + name
	case s.Mirrored:
		return fmt.Sprintf("%s of %s mirrored requests %s answered worse by %s, and %s by %s (%s)", counted(s.Canary.Hit), counted(s.Canary.AtRisk),
			were(s.Canary.Hit), h.new(), counted(s.Stable.Hit), h.old(), name)
	case s.Canary.Mean != nil && s.Stable.Mean != nil:
		name = measured(s)
		return fmt.Sprintf("with %s %s is %s on average where it is %s with %s", h.new(), name, quantity(*s.Canary.Mean), quantity(*s.Stable.Mean), h.old())
	case s.Kind != "":
		return fmt.Sprintf("%s of the units of %s%s, and %s of those of %s", figures.Percent(s.Canary.Rate), h.new(), reportedOf(s), figures.Percent(s.Stable.Rate), h.old())
	default:
		return fmt.Sprintf("%s of the units of %s%s, and %s of those of %s", figures.Percent(s.Canary.Rate), h.new(), slower(name), figures.Percent(s.Stable.Rate), h.old())
	}
}

func (h headline) signal(name string) (judge.SignalReport, bool) {
	for _, s := range h.report.Signals {
		if s.Name == name {
			return s, true
		}
	}
	return judge.SignalReport{}, false
}

// measured is what the reports of a signal are of. An amount is judged by its quantiles,
// "tokens p90", and its mean is that of all its reports.
func measured(s judge.SignalReport) string {
	if s.Kind != fairlead.KindAmount {
		return s.Name
	}
	amount, _, _ := strings.Cut(s.Name, " ")
	return amount
}

// slower says of the signals of latency what happened to a user who hit one.
func slower(name string) string {
	if quantile, first := strings.CutPrefix(name, "first byte "); first {
		return " waited for a first byte beyond the earlier " + quantile
	}
	return " waited beyond the earlier " + strings.TrimPrefix(name, "latency ") + " latency"
}

// reportedOf says the same of a reported signal.
func reportedOf(s judge.SignalReport) string {
	if s.Kind == fairlead.KindSuccess {
		return " had no " + s.Name
	}
	return " had " + s.Name
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return counted(n) + " times"
}

func were(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}
