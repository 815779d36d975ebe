package rollout

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout/judge"
)

// When a step's notes say what is to be expected of it.
const (
	foreseeAfter   = 30 * time.Second // of a step; less traffic says little
	silentAfter    = time.Minute      // without a request
	forecastsEvery = 10 * time.Second // of the blocks' time
)

// Outlook is what a rollout's judge says beside its verdict. Like the verdict it
// follows from the recorded inputs alone. None of it proves a release safe.
type Outlook struct {
	Forecast judge.Forecast // of this step, at most some ten seconds old
	Wider    judge.Forecast // of a step at the weight to which an inconclusive one is widened; only where that is due
	Bound    float64        // greatest rise of a risk that this step's evidence has not excluded; 1 where nothing is
	Mismatch string         // how the assignment is not as its weight says; empty once a person has explained it
	Traffic  time.Time      // when requests were counted last; zero for never
}

// foresee says once in each step, and only where it matters, that it will not be
// proven in the time allowed, or that nothing comes that could prove it.
func (d *decision) foresee(spent time.Duration) {
	f, most := d.o.Forecast, d.r.Strategy.MaxStep.D()
	if d.r.Told == d.r.Epoch || d.r.Held != "" {
		return
	}
	silent := min(spent, d.in.Now.Sub(d.o.Traffic))
	switch {
	case silent >= silentAfter:
		d.say("rollout.noted", "no request has come for %s, so nothing can be proven; without traffic the step is inconclusive in %s",
			Span(silent), Span(most-spent))
	case spent < foreseeAfter || f.Signal == "":
		return
	case f.Seconds == nil && spent >= most/4:
		d.say("rollout.noted", "the evidence for %s does not grow; if that stays so, the step is inconclusive in %s", f.Signal, Span(most-spent))
	case f.Seconds != nil && spent+seconds(*f.Seconds) > most:
		d.say("rollout.noted", "%s this step needs about %s, and has %s: it will probably be inconclusive; %s takes longest%s",
			At(f), Span(spent+seconds(*f.Seconds)), Span(most), f.Signal, Faster(d.r))
	}
	if d.kind != "" {
		d.r.Told = d.r.Epoch
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// At says at which traffic a forecast was made: "at 1 request/s".
func At(f judge.Forecast) string {
	rate := fmt.Sprintf("%.2g", f.Requests)
	if f.Requests >= 10 {
		rate = fmt.Sprintf("%.0f", f.Requests)
	}
	if rate == "1" {
		return "at 1 request/s"
	}
	return "at " + rate + " requests/s"
}

// Faster says how a step could be proven sooner, or nothing.
func Faster(r Rollout) string {
	var ways []string
	if r.Weight > 0 && r.Weight < widest {
		ways = append(ways, "widen the canary")
	}
	switch m := r.Strategy.Mirror; {
	case m == nil:
		ways = append(ways, "add copies of requests (mirror)")
	case m.Share < 100:
		ways = append(ways, "copy more requests (mirror.share)")
	}
	if len(ways) == 0 {
		return "; give it more time (maxStep)"
	}
	return "; " + strings.Join(ways, " or ")
}

// Span writes a time for somebody in a hurry: "80 s", "40 min", "5 h", "3 days".
func Span(d time.Duration) string {
	switch round := func(unit time.Duration) float64 { return math.Round(float64(d) / float64(unit)) }; {
	case d < 0:
		return "0 s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", round(time.Second))
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", round(time.Minute))
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h", round(time.Hour))
	}
	return fmt.Sprintf("%.0f days", math.Round(float64(d)/float64(24*time.Hour)))
}

// slow is from when on an explanation says how a step could be proven sooner.
const slow = 10 * time.Minute

// forecast says what is to be expected of the step, in sentences.
func (e *explanation) forecast(report judge.Report) {
	f := report.Forecast
	switch {
	case e.r.Phase != Stepping || report.Verdict.Finding != fairlead.Inconclusive || report.Blocked != "":
	case f.Seconds == nil && f.Signal != "" && e.now.Sub(e.r.StepBegan) <= time.Minute:
		e.say("When the step ends cannot be told yet: %s has no forecast.", f.Signal)
	case f.Seconds == nil && f.Signal != "":
		e.say("%s no end of the step is in sight: the evidence for %s does not grow.", sentence(At(f)), f.Signal)
	case f.Seconds != nil:
		need, has := seconds(*f.Seconds), e.r.Strategy.MaxStep.D()-e.now.Sub(e.r.StepBegan)
		text := fmt.Sprintf("%s the step needs about %s more; %s takes longest", sentence(At(f)), Span(need), f.Signal)
		if need > has && e.r.Held == "" {
			text += fmt.Sprintf(". It has %s, so that it will probably be inconclusive", Span(has))
		}
		if need > slow {
			text += Faster(e.r)
		}
		e.say("%s.", text)
	}
	if report.Expected != nil && report.Expected != f.Seconds && e.r.Moving() && (f.Seconds == nil || *report.Expected != *f.Seconds) {
		e.say("Evidence of harm grows: at this pace it is enough in about %s.", Span(seconds(*report.Expected)))
	}
}

func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// widerWeight is what an inconclusive step is widened to; at one half both releases
// learn equally fast.
func widerWeight(r Rollout) fairlead.Weight { return min(2*r.Weight, widest) }

// outlook returns what Decide is told for an input, besides the verdict.
func (m *Machine) outlook(in Input) Outlook {
	o := Outlook{Forecast: m.forecast, Bound: 1, Traffic: m.traffic}
	if m.judge == nil {
		return o
	}
	o.Bound, o.Mismatch = m.judge.Bound(), m.judge.Mismatch()
	r := m.rollout
	if r.Phase == Stepping && r.Strategy.OnInconclusive == fairlead.OnInconclusiveWiden && in.Now.Sub(r.StepBegan) >= r.Strategy.MaxStep.D() {
		o.Wider = m.judge.ForecastAt(widerWeight(r))
	}
	return o
}

// foresee takes what a recorded input's blocks say of the traffic.
func (m *Machine) foresee(in Input) {
	for _, b := range in.Blocks {
		for i := range b.Cells {
			if b.Cells[i].Stable.Requests+b.Cells[i].Canary.Requests > 0 {
				m.traffic = in.Now
			}
		}
	}
	if m.judge != nil && in.Now.Sub(m.foreseen) >= forecastsEvery {
		m.forecast, m.foreseen = m.judge.Forecast(), in.Now
	}
}
