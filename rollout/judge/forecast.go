package judge

import (
	"math"

	"github.com/fairlead/fairlead"
)

// Forecast is how long the proof of a step's safety takes from now, if the traffic
// stays as it is and the release goes on as it did: half of such steps are proven
// sooner. It decides nothing about safety.
type Forecast struct {
	Seconds  *float64 `json:"seconds,omitempty"` // until every protected signal is proven safe; nil when that is not to be expected or not known yet
	Signal   string   `json:"signal,omitempty"`  // the one that takes longest
	Units    float64  `json:"units"`             // that come in a second, over both releases
	Requests float64  `json:"requests"`          // likewise
}

// Forecast returns how long this step's proof of safety takes from now. It costs
// some tens of microseconds.
func (j *Judge) Forecast() Forecast {
	f, _ := nextStep{j, j.weight, false}.forecast()
	return f
}

// ForecastAt returns the same of a step at another weight, which begins afresh.
func (j *Judge) ForecastAt(w fairlead.Weight) Forecast {
	f, _ := nextStep{j, w, true}.forecast()
	return f
}

// nextStep is the step that a forecast is of: the judge's own from now on, or one at
// another weight that begins afresh. Then the evidence so far does not count; what it
// says of the risks does.
type nextStep struct {
	j      *Judge
	weight fairlead.Weight
	afresh bool
}

// forecast returns the step's forecast, and each protected signal's way by its name.
func (n nextStep) forecast() (f Forecast, ways map[string]left) {
	f.Units, f.Requests = n.j.traffic.rates()
	mirrored := n.weight == 0 && n.j.config.Mirror
	if !n.j.begun || !(f.Units > 0) || n.weight == 0 && !mirrored || n.weight >= fairlead.Whole {
		return f, nil
	}
	var names []string
	var all []left
	ways = map[string]left{}
	for _, s := range n.j.budget {
		if s.demanded(mirrored) {
			way := n.way(s.signal, f.Units)
			names, all, ways[s.title()] = append(names, s.title()), append(all, way), way
		}
	}
	if len(all) > 0 {
		seconds, longest := together(all)
		f.Signal, f.Seconds = names[longest], known(seconds)
	}
	return f, ways
}

// arms divides what comes in a second between the arms.
func (n nextStep) arms(rate float64) [2]float64 {
	share := float64(n.weight) / float64(fairlead.Whole)
	return [2]float64{rate * (1 - share), rate * share}
}

// way returns how a signal's proof goes on, where so many units come in a second.
func (n nextStep) way(s signal, units float64) left {
	var p prospect
	rate := n.arms(units)
	switch s := s.(type) {
	case requestSignal:
		p = n.ofRequests(s.s, rate)
	case *reading:
		safe, ok := s.safe.(shareSafety)
		if !ok && s.units[stable]+s.units[canary] < learning { // so few say nothing of how it goes on
			return left{seconds: math.Inf(1), need: -math.Log(n.j.config.Beta)}
		}
		if !ok {
			return n.goesOn(s.proven())
		}
		rate = n.arms((safe.absolute.n[stable] + safe.absolute.n[canary]) / n.stepped())
		p = prospectOf(safe.safety, priorFailures, rate)
	default:
		return n.goesOn(s.proven())
	}
	if n.afresh {
		p.ratio, p.absolute = 0, 0
	}
	return p.ahead(rate, -math.Log(n.j.config.Beta))
}

// goesOn is the way of a signal of which no more is known than how its evidence grew
// in this step. The variance of a likelihood ratio is about twice its growth.
func (n nextStep) goesOn(logE float64) left {
	growth := logE / n.stepped()
	l := left{need: -math.Log(n.j.config.Beta), pace: pace{growth, 2 * growth}}
	if !n.afresh {
		l.need -= logE
	}
	switch {
	case l.need <= 0:
	case growth <= 0:
		l.seconds = math.Inf(1)
	default:
		l.seconds = l.need / growth
	}
	return l
}

// ofRequests returns what is known of a signal of requests.
func (n nextStep) ofRequests(s fairlead.Signal, rate [2]float64) prospect {
	p := prospectOf(n.j.safe[s], n.usual(s), rate)
	if n.afresh {
		p.delay[1] = learning / (rate[stable] + rate[canary])
	}
	if s != fairlead.Failures {
		wait := n.warming()
		p.delay = [2]float64{wait, wait + p.delay[1]}
	}
	return p
}

// stepped returns the seconds of traffic that evidence of safety has had so far.
func (n nextStep) stepped() float64 {
	began := n.j.from
	if n.j.warmUntil > 0 {
		began = max(began, n.j.warmUntil-n.j.warmup)
	}
	return float64(max(1, n.j.newest-began+1))
}

// warming returns the seconds of the warm-up that are left.
func (n nextStep) warming() float64 {
	if n.afresh || n.j.warmUntil == 0 {
		return float64(n.j.warmup)
	}
	return float64(max(0, n.j.warmUntil-n.j.newest))
}

// usual returns how likely a unit hits a signal, before this step's own counts: by
// this rollout's, or where there are few, by what the signal is.
func (n nextStep) usual(s fairlead.Signal) float64 {
	prior := [...]float64{priorFailures, 0.5, 0.1, 0.01, 0.5, 0.1, 0.01}[s]
	units, hits := priorUnits, prior*priorUnits
	for arm := range n.j.totals.atRisk[s] {
		units += n.j.totals.atRisk[s][arm]
		hits += float64(n.j.totals.hits[s][arm])
	}
	return hits / float64(units)
}

// known returns seconds, or nil where they are too many to say.
func known(seconds float64) *float64 {
	if seconds < forecastMost {
		return &seconds
	}
	return nil
}

// foresee fills in what a report says of the time to come.
func (j *Judge) foresee(r *Report) {
	f, ways := nextStep{j, j.weight, false}.forecast()
	r.Forecast, r.Expected = f, j.expected(r.Verdict, f)
	for i := range r.Signals {
		if way, demanded := ways[r.Signals[i].Name]; demanded {
			seconds, _ := together([]left{way}) // as the step's own, which is never less
			r.Signals[i].Expected = known(seconds)
		}
	}
}

// expected returns the seconds until a verdict, nil when unknown or when it stands.
// Evidence of harm that is more than half way, in logs, is taken to go on as it did.
func (j *Judge) expected(v fairlead.Verdict, f Forecast) *float64 {
	needHarm := -math.Log(j.config.Alpha)
	switch {
	case v.Finding != fairlead.Inconclusive || j.blocked() != "":
		return nil
	case j.budget.harm() > needHarm/2:
		return j.trend.left(needHarm)
	}
	return f.Seconds
}
