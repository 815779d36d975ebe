package peer

import (
	"fmt"
	"math"
	"time"

	"github.com/fairlead/fairlead/sim/corpus"
)

// safeSettings are those of a Safe Rollout.
type safeSettings struct {
	duration time.Duration // of monitoring
	look     time.Duration // between analyses
	alpha    float64       // of each guardrail
	tuning   float64       // sample size at which the interval is tightest
}

// safe is a Safe Rollout of GrowthBook, a feature flag platform, with automatic
// rollback: one-sided sequential guardrails that recommend shipping when they have
// found nothing by the end of their time.
//
//   - Exposure ramps 10, 25, 50, 75, 100 % over the first quarter of the monitoring
//     duration. It is a short A/B test: half of the exposed units get the new value
//     (5 to 50 % of all), as many are the control, and units count from their exposure
//     on.
//   - A guardrail fails when the lower bound of the one-sided confidence sequence of
//     the absolute difference is above 0: the rollout is turned back.
//   - Nothing failed at the end: ship.
//
// The confidence sequence is the asymptotic one of Waudby-Smith, Arbour, Sinha, Kennedy
// & Ramdas (2021), one-sided: halfwidth sqrt(s^2 2(n r^2 + 1)/(n r)^2 log(1 +
// sqrt(n r^2 + 1)/(2 alpha))), n units in both arms, s^2/n the variance of the
// difference; r from the tuning parameter (5000), alpha 0.05. Guardrails are not
// corrected for their number.
//
// Guardrails here: share of units with a failure; mean latency; and where the
// application reports them the shares of units with a wrong answer, a refusal, a
// malformed tool call, the mean time to the first byte and the mean cost. The
// documentation leaves the choice to the team.
//
// Duration: the form asks for days, the code takes hours and minutes too. Here 4 hours,
// the whole of a world, with an analysis at each twentieth of it, as often as the code
// looks during the ramp; afterwards it really looks every few hours. 100 units must be
// in each arm: before that the approximation has no meaning.
//
// Sources: growthbook/growthbook docs/docs/features/safe-rollouts.mdx,
// docs/docs/statistics/sequential.mdx, packages/stats/gbstats/frequentist/tests.py,
// packages/back-end/src/enterprise/saferollouts/safeRolloutUtils.ts.
type safe struct {
	course
	set      safeSettings
	exposure *exposure
	rho      float64
	next     time.Duration
}

// ramp is the exposure in each twentieth of the duration; the last one stays.
func ramp() []float64 { return []float64{0.10, 0.25, 0.50, 0.75, 1} }

func newSafe(set safeSettings, start corpus.Start) *safe {
	return &safe{set: set, exposure: newExposure(start), rho: sequenceScale(set.alpha, set.tuning), next: set.look}
}

// Second implements [corpus.Judge].
func (f *safe) Second(s *corpus.Second) corpus.Decision {
	if f.over() {
		return f.Decision
	}
	f.exposure.observe(s)
	shares := ramp()
	step := min(int((s.Now-time.Second)*20/f.set.duration), len(shares)-1)
	f.exposure.widen(shares[step], s.Now)
	if f.unready(s) {
		return f.Decision
	}
	f.goOn(shares[step] / 2)
	if s.Now >= f.next {
		f.next += f.set.look
		f.judge()
	}
	if !f.over() && s.Now >= f.set.duration {
		f.finish("no guardrail failed")
	}
	return f.Decision
}

func (f *safe) judge() {
	for i, name := range f.exposure.guardrails() {
		control, treated := f.exposure.arms[corpus.Stable].of(i), f.exposure.arms[corpus.Canary].of(i)
		if control.n < 100 || treated.n < 100 {
			continue
		}
		variance := control.variance()/control.n + treated.variance()/treated.n
		if variance <= 1e-15 { // all are the same: no result
			continue
		}
		half := halfwidth(variance, control.n+treated.n, f.rho, f.set.alpha)
		if lower := treated.mean() - control.mean() - half; lower > 0 {
			f.back("%s is worse by at least %.3g", name, lower)
			return
		}
	}
}

// sequenceScale returns r, at which a one-sided sequence is tightest after n units.
func sequenceScale(alpha, n float64) float64 {
	l := -2 * math.Log(2*alpha)
	return math.Sqrt((l + math.Log(l+1)) / n)
}

// halfwidth returns the distance of the one-sided bound from the estimate, whose
// variance after n units is given.
func halfwidth(variance, n, r, alpha float64) float64 {
	nr := n*r*r + 1
	return math.Sqrt(variance * n * 2 * nr / (n * n * r * r) * math.Log1p(math.Sqrt(nr)/(2*alpha)))
}

func safeRule(name string, set safeSettings) corpus.Rule {
	return corpus.Rule{
		Name: "growthbook/" + name, Version: "1",
		Source: "github.com/growthbook/growthbook: docs/docs/features/safe-rollouts.mdx",
		New:    func(start corpus.Start) corpus.Judge { return newSafe(set, start) },
	}
}

func safeRollout() Peer {
	usual := safeSettings{duration: 4 * time.Hour, look: 12 * time.Minute, alpha: 0.05, tuning: 5000}
	p := Peer{Name: "growthbook", Rules: []corpus.Rule{safeRule("safe-rollout", usual)}}
	for _, duration := range []time.Duration{time.Hour, 4 * time.Hour} {
		for _, alpha := range []float64{0.05, 0.002} {
			for _, tuning := range []float64{500, 5000} {
				set := safeSettings{duration: duration, look: time.Minute, alpha: alpha, tuning: tuning}
				p.Grid = append(p.Grid, safeRule(fmt.Sprintf("duration=%v,alpha=%v,tuning=%v", duration, alpha, tuning), set))
			}
		}
	}
	return p
}
