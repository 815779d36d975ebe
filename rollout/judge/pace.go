package judge

import "math"

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

// prospect is what a forecast knows of one protected signal: how far its two tests of
// safety are, and what they will see.
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
