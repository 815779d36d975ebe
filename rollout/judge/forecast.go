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

// forecastMost is how far a forecast goes, in seconds; what takes longer is unknown.
const forecastMost = 30 * 86400.0

// Beliefs before anything was seen, as if by so many units or events: half a
// failure in a hundred units; both releases alike, as if by 60 events, of which at
// least six are the canary's.
const (
	priorUnits    = 100
	priorFailures = 0.005
	priorEvents   = 60
	priorCanary   = 6
)

// prospect is what a forecast knows of one protected signal.
type prospect struct {
	ratio, absolute float64    // log e-values now
	risk            [2]float64 // that a unit hits the signal, by arm
	delay           [2]float64 // seconds until the ratio, and the absolute margin, begin to earn
	marginRatio     float64
	marginAbsolute  float64
}

// pace is how a log e-value goes on in a second: its mean growth, and variance.
type pace struct{ growth, variance float64 }

// ratioPace is that of the test of the odds ratio, with rate units a second in each
// arm. An event that falls on the canary with the chance rho when the releases are
// alike earns, on average, the divergence of its true chance from that at the
// margin, with rho = 10 % and a margin of 2 about ln(20)/115. The share of units
// that are hit lowers what is learnt: a block's margins are given.
func ratioPace(rate, risk [2]float64, margin float64) pace {
	rho := rate[canary] / (rate[stable] + rate[canary])
	spared := 1 - (rate[stable]*risk[stable]+rate[canary]*risk[canary])/(rate[stable]+rate[canary])
	best := pace{growth: math.Inf(-1)}
	for _, w := range newRatioSafety(margin).ratios {
		every := -math.Log((1 - rho + rho*w) / (1 - rho + rho*margin)) // of each event
		own := every + math.Log(w/margin)                              // of one on the canary
		ec, es := rate[canary]*risk[canary]*spared, rate[stable]*risk[stable]*spared
		if p := (pace{ec*own + es*every, ec*own*own + es*every*every}); p.growth > best.growth {
			best = p
		}
	}
	return best
}

// absolutePace is that of the test of the risk difference.
func absolutePace(rate, risk [2]float64, delta float64) pace {
	if risk[canary] >= risk[stable]+delta {
		return pace{} // such blocks earn nothing
	}
	const scale = 1e6 // project wants whole units; only their proportion counts
	n := [2]int{1 + int(scale*rate[stable]/(rate[stable]+rate[canary])), 1 + int(scale*rate[canary]/(rate[stable]+rate[canary]))}
	qc, qs := project(n, risk[canary], risk[stable], delta)
	var p pace
	for arm, q := range [2]float64{qs, qc} {
		r := risk[arm]
		hit, spared := math.Log(r/q), math.Log((1-r)/(1-q))
		p.growth += rate[arm] * (r*hit + (1-r)*spared)
		p.variance += rate[arm] * r * (1 - r) * (hit - spared) * (hit - spared)
	}
	return p
}

// left is a signal's way to its threshold: the seconds if it goes on at its mean
// pace, and what is random about that.
type left struct {
	seconds float64 // infinite when it is not to be expected
	need    float64 // log of the evidence that is missing
	pace    pace    // that leads there in these seconds
}

// ahead returns a signal's way to needed, the log of an e-value.
func (s prospect) ahead(rate [2]float64, needed float64) left {
	if !(rate[stable] > 0 && rate[canary] > 0) {
		return left{seconds: math.Inf(1), need: needed}
	}
	ratio, absolute := ratioPace(rate, s.risk, s.marginRatio), absolutePace(rate, s.risk, s.marginAbsolute)
	at := func(t float64) float64 {
		return logMeanExp([]float64{s.ratio + ratio.growth*max(0, t-s.delay[0]), s.absolute + absolute.growth*max(0, t-s.delay[1])})
	}
	l := left{need: needed - at(0)}
	if l.need <= 0 {
		return l
	}
	if at(forecastMost) < needed {
		return left{seconds: math.Inf(1)}
	}
	l.seconds = bisect(func(t float64) bool { return at(t) >= needed })
	l.pace = pace{l.need / l.seconds, ratio.variance}
	if s.absolute+absolute.growth*l.seconds > s.ratio+ratio.growth*l.seconds {
		l.pace.variance = absolute.variance
	}
	return l
}

// within returns the chance that the way is done in t seconds: the first passage
// of a Brownian motion with drift (the inverse Gaussian distribution).
func (l left) within(t float64) float64 {
	if l.need <= 0 {
		return 1
	}
	g, sd := l.pace.growth, math.Sqrt(max(l.pace.variance, 1e-12)*t)
	normal := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
	p := normal((g*t-l.need)/sd) + math.Exp(min(700, 2*g*l.need/max(l.pace.variance, 1e-12)))*normal(-(g*t+l.need)/sd)
	return min(max(p, 0), 1)
}

// bisect returns the least t between a second's hundredth and forecastMost at which
// reached, which stays true, is true.
func bisect(reached func(t float64) bool) float64 {
	low, high := math.Log(0.01), math.Log(forecastMost)
	for range 30 {
		if mid := (low + high) / 2; reached(math.Exp(mid)) {
			high = mid
		} else {
			low = mid
		}
	}
	return math.Exp(high)
}

// together returns the seconds within which half of all steps have every signal
// proven, and which signal takes longest; infinite when one is not to be expected.
func together(ways []left) (seconds float64, longest int) {
	for i, l := range ways {
		if l.seconds > ways[longest].seconds {
			longest = i
		}
	}
	if len(ways) == 0 || math.IsInf(ways[longest].seconds, 1) || ways[longest].need <= 0 {
		return ways[longest].seconds, longest
	}
	return bisect(func(t float64) bool {
		p := 1.0
		for _, l := range ways {
			p *= l.within(t)
		}
		return p >= 0.5
	}), longest
}

// Forecast returns how long this step's proof of safety takes from now. It costs
// some tens of microseconds.
func (j *Judge) Forecast() Forecast {
	f, _, _ := j.forecast(j.weight, false)
	return f
}

// ForecastAt returns the same of a step at another weight, which begins afresh.
func (j *Judge) ForecastAt(w fairlead.Weight) Forecast {
	f, _, _ := j.forecast(w, true)
	return f
}

func (j *Judge) forecast(w fairlead.Weight, afresh bool) (f Forecast, names []string, ways []left) {
	f.Units, f.Requests = j.traffic.rates()
	mirrored := w == 0 && j.config.Mirror
	if !j.begun || !(f.Units > 0) || w == 0 && !mirrored || w >= fairlead.Whole {
		return f, nil, nil
	}
	for _, s := range j.weighed {
		if s.demanded(mirrored) {
			names, ways = append(names, s.title()), append(ways, j.way(s.signal, f.Units, w, afresh))
		}
	}
	if len(ways) > 0 {
		seconds, longest := together(ways)
		f.Signal, f.Seconds = names[longest], known(seconds)
	}
	return f, names, ways
}

// way returns how a signal's proof goes on in a step at a weight. afresh: its evidence
// so far does not count, what it says of the risks does.
func (j *Judge) way(s signal, units float64, w fairlead.Weight, afresh bool) left {
	share := float64(w) / float64(fairlead.Whole)
	rate := [2]float64{units * (1 - share), units * share}
	needed := -math.Log(j.config.Beta)
	var p prospect
	switch s := s.(type) {
	case requestSignal:
		p = j.prospect(s.s, rate, afresh)
	case *view:
		safe, ok := s.safe.(shareSafety)
		if !ok {
			return j.goesOn(s.proven(), needed, afresh)
		}
		p, rate = j.reportsProspect(safe.safety, share)
	default:
		return j.goesOn(s.proven(), needed, afresh)
	}
	if afresh {
		p.ratio, p.absolute = 0, 0
	}
	return p.ahead(rate, needed)
}

// goesOn is the way of a signal of which no more is known than how its evidence grew
// in this step. The variance of a likelihood ratio is about twice its growth.
func (j *Judge) goesOn(logE, needed float64, afresh bool) left {
	growth := logE / j.stepped()
	l := left{need: needed - logE, pace: pace{growth, 2 * growth}}
	if afresh {
		l.need = needed
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

// stepped returns the seconds of traffic that evidence of safety has had so far.
func (j *Judge) stepped() float64 {
	began := j.from
	if j.warmUntil > 0 {
		began = max(began, j.warmUntil-j.warmup)
	}
	return float64(max(1, j.newest-began+1))
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
	f, names, ways := j.forecast(j.weight, false)
	r.Forecast, r.Expected = f, j.expected(r.Verdict, f)
	for i := range ways {
		for k := range r.Signals {
			if r.Signals[k].Name == names[i] {
				r.Signals[k].Expected = known(ways[i].seconds)
			}
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
	case j.logHarm() > needHarm/2:
		return j.progress.left(needHarm)
	}
	return f.Seconds
}

// prospect returns what is known of a signal of requests.
func (j *Judge) prospect(s fairlead.Signal, rate [2]float64, afresh bool) prospect {
	p := prospectOf(j.safe[s], j.usual(s), rate)
	if afresh {
		p.delay[1] = learning / (rate[stable] + rate[canary])
	}
	if s != fairlead.Failures {
		wait := j.warming()
		if afresh {
			wait = float64(j.warmup)
		}
		p.delay = [2]float64{wait, wait + p.delay[1]}
	}
	return p
}

// reportsProspect returns what is known of the shares of bad reports, and how many
// reports come in a second at a weight.
func (j *Judge) reportsProspect(safe *safety, share float64) (prospect, [2]float64) {
	all := (safe.absolute.n[stable] + safe.absolute.n[canary]) / j.stepped()
	rate := [2]float64{all * (1 - share), all * share}
	return prospectOf(safe, priorFailures, rate), rate
}

// learning is how many units the test of the risk difference only learns from.
const learning = 100

func prospectOf(safe *safety, usual float64, rate [2]float64) prospect {
	p := prospect{
		ratio: safe.ratio.log(), absolute: safe.absolute.logE,
		marginRatio: safe.ratio.margin, marginAbsolute: safe.absolute.delta,
	}
	n, y := safe.absolute.n, safe.absolute.y
	p.delay[1] = max(0, learning-n[stable]-n[canary]) / (rate[stable] + rate[canary])
	p.risk = armRisks(n, y, usual, rate[canary]/(rate[stable]+rate[canary]))
	return p
}

// warming returns the seconds of the warm-up that are left.
func (j *Judge) warming() float64 {
	if j.warmUntil == 0 {
		return float64(j.warmup)
	}
	return float64(max(0, j.warmUntil-j.newest))
}

// usual returns how likely a unit hits a signal, before this step's own counts: by
// this rollout's, or where there are few, by what the signal is.
func (j *Judge) usual(s fairlead.Signal) float64 {
	prior := [...]float64{priorFailures, 0.5, 0.1, 0.01, 0.5, 0.1, 0.01}[s]
	n, y := priorUnits, prior*priorUnits
	for arm := range j.totals.atRisk[s] {
		n += j.totals.atRisk[s][arm]
		y += float64(j.totals.hits[s][arm])
	}
	return y / float64(n)
}

// armRisks returns each arm's risk by the counts of a step, drawn to the usual one and
// to each other. share is the canary's share of the units.
func armRisks(n, y [2]float64, usual, share float64) [2]float64 {
	all := n[stable] + n[canary]
	if all > 0 && n[canary] > 0 {
		share = n[canary] / all
	}
	both := (y[stable] + y[canary] + priorUnits*usual) / (all + priorUnits)
	prior := max(priorEvents, priorCanary/share)
	of := (y[canary] + prior*share) / (y[stable] + y[canary] + prior)
	bound := func(p float64) float64 { return min(max(p, 1e-6), 0.99) }
	return [2]float64{bound(both * (1 - of) / (1 - share)), bound(both * of / share)}
}
