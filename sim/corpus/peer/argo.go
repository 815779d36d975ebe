package peer

import (
	"fmt"
	"time"

	"github.com/fairlead/fairlead/sim/corpus"
)

// argoStep is one step of a Rollout: a weight to set, a pause, or an analysis to wait for.
type argoStep struct {
	weight   float64 // setWeight, if above 0
	pause    time.Duration
	analysis bool
}

// argoSettings are a Rollout's steps and its AnalysisTemplate.
type argoSettings struct {
	steps        []argoStep
	background   int           // step at which the analysis in the background starts; -1 without
	interval     time.Duration // between measurements; 0: one measurement only
	count        int           // measurements of an analysis that is a step; 0: as many as the interval needs, one without
	failureLimit int
	errorLimit   int     // consecutiveErrorLimit
	success      float64 // least share of requests that do not fail
	instant      bool    // irate, as in the examples; else rate over the window
	window       time.Duration
	slow         float64 // bound on the 99th percentile in times of the old release's; 0 without that metric
	answers      float64 // metrics of bad answers: at most so many times the old release's shares; 0 without
}

// argo is Argo Rollouts' canary with an analysis. Steps are done in order: setWeight
// waits until the new release's instances are available and then shifts traffic, pause
// waits, an analysis as a step waits for its result. An analysis in the background starts with a step and
// measures at once and then every interval until the last step is done.
//
// A measurement that does not meet the success condition is failed; more than
// failureLimit (default 0) failed ones abort the rollout. One without a value is an
// error; more than consecutiveErrorLimit (default 4) in a row abort too. An error
// without an interval is tried again after 10 s. A rollout that makes no progress for
// progressDeadlineSeconds is reported as degraded, but not aborted
// (progressDeadlineAbort is false by default), so nothing here does that.
//
// The documented query asks irate over [5m], which is the increase between the last
// two scrapes: a measurement sees 15 seconds of traffic, not 5 minutes. It names the
// service; we read that as the new release's own (canaryService), which is better for
// the tool than both versions' together. Where no request was in those 15 seconds the
// quotient is NaN, which is not at least 0.95: failed. A new release without one
// success has no series to divide; we read that as 0 of all, a failed measurement,
// where the real one errs.
//
// Sources: argoproj/argo-rollouts docs/features/analysis.md (the examples),
// docs/features/specification.md, analysis/analysis.go, utils/evaluate/evaluate.go,
// metricproviders/prometheus/prometheus.go.
type argo struct {
	course
	set     argoSettings
	metrics *scrapes
	limits  limits
	step    int
	entered time.Duration // when the step began
	run     *analysisRun  // the one that measures now
}

// analysisRun counts the measurements of one AnalysisRun.
type analysisRun struct {
	next                  time.Duration
	taken, failed, errors int // errors: in a row
}

func newArgo(set argoSettings, start corpus.Start) *argo {
	b := newBounds(start, slowBound(start, 0, set.slow))
	return &argo{set: set, metrics: newScrapes(start, b), limits: newLimits(start, set.answers), step: -1}
}

// Second implements [corpus.Judge].
func (a *argo) Second(s *corpus.Second) corpus.Decision {
	a.metrics.observe(s)
	if a.over() {
		return a.Decision
	}
	if a.step < 0 || a.proceed(s) {
		a.enter(a.step+1, s.Now)
	}
	if !a.over() && a.run != nil && s.Now >= a.run.next {
		a.measure(s.Now)
	}
	return a.Decision
}

// enter begins a step, and with it what starts there.
func (a *argo) enter(step int, now time.Duration) {
	a.step, a.entered = step, now
	if step == len(a.set.steps) {
		a.finish("all steps are done")
		return
	}
	if step == a.set.background || a.set.steps[step].analysis {
		a.run = &analysisRun{next: now}
	}
}

// proceed works on the current step, and reports whether it is done.
func (a *argo) proceed(s *corpus.Second) bool {
	step := a.set.steps[a.step]
	switch {
	case step.analysis:
		return a.run == nil
	case step.pause > 0:
		return s.Now-a.entered >= step.pause
	}
	if !ready(s) {
		return false
	}
	a.goOn(step.weight)
	return true
}

// measure takes one measurement of the run and assesses it.
func (a *argo) measure(now time.Duration) {
	run := a.run
	switch ok, valued := a.value(now); {
	case !valued:
		if run.errors++; run.errors > a.set.errorLimit {
			a.back("%d measurements in a row had no value", run.errors)
		}
		run.next = now + a.retry()
		return
	case ok:
		run.errors = 0
	default:
		run.errors = 0
		if run.failed++; run.failed > a.set.failureLimit {
			a.back("%d measurements failed, %d are allowed", run.failed, a.set.failureLimit)
			return
		}
	}
	run.taken++
	run.next = now + a.set.interval
	if inline := a.set.steps[a.step].analysis; inline && run.taken >= max(1, a.set.count) {
		a.run = nil
	}
}

func (a *argo) retry() time.Duration {
	if a.set.interval > 0 {
		return a.set.interval
	}
	return 10 * time.Second
}

// value reports whether the conditions hold, and whether there is a value at all.
func (a *argo) value(now time.Duration) (ok, valued bool) {
	if a.metrics.absent(corpus.Canary) {
		return false, false
	}
	seen, valued := a.metrics.rate(corpus.Canary, now, a.set.window)
	if a.set.instant {
		seen, valued = a.metrics.irate(corpus.Canary)
	}
	if !valued || seen.total == 0 {
		return false, valued
	}
	ok = seen.total-seen.signs[signFailed] >= a.set.success*seen.total
	ok = ok && (a.set.slow == 0 || seen.signs[signSlow] <= 0.01*seen.total)
	_, broken := a.limits.broken(seen)
	return ok && !broken, true
}

const argoSource = "github.com/argoproj/argo-rollouts: docs/features/analysis.md, analysis/analysis.go"

func argoRule(name string, set argoSettings) corpus.Rule {
	return corpus.Rule{
		Name: "argo/" + name, Source: argoSource, Version: "2",
		New: func(start corpus.Start) corpus.Judge { return newArgo(set, start) },
	}
}

// argoBackground is the documentation's first example: 20, 40, 60 and 80 % for 10
// minutes each; from 40 % on a measurement every 5 minutes, at least 95 % success,
// failureLimit 3.
func argoBackground() argoSettings {
	return argoSettings{
		steps: weights(10*time.Minute, 0.2, 0.4, 0.6, 0.8), background: 2,
		interval: 5 * time.Minute, failureLimit: 3, errorLimit: 4, success: 0.95,
		instant: true, window: 5 * time.Minute,
	}
}

// argoInline is the documentation's second example, whose analysis has the code's
// defaults: 20 %, 5 minutes, one measurement, none may fail.
func argoInline() argoSettings {
	set := argoBackground()
	set.steps = []argoStep{{weight: 0.2}, {pause: 5 * time.Minute}, {analysis: true}}
	set.background, set.interval, set.failureLimit = -1, 0, 0
	return set
}

// weights returns steps that set each weight and pause after it.
func weights(pause time.Duration, shares ...float64) []argoStep {
	var steps []argoStep
	for _, w := range shares {
		steps = append(steps, argoStep{weight: w}, argoStep{pause: pause})
	}
	return steps
}

func argoRollouts() Peer {
	p := Peer{Name: "argo", Rules: []corpus.Rule{
		argoRule("background", argoBackground()), argoRule("inline", argoInline()),
	}}
	for _, every := range []time.Duration{time.Minute, 2 * time.Minute} {
		for _, limit := range []int{1, 3, 8} {
			for _, success := range []float64{0.99, 0.97, 0.95} {
				set := argoBackground()
				set.steps, set.background = weights(15*every, 0.1, 0.3, 0.5), 1
				set.interval, set.failureLimit, set.success = every, limit, success
				set.instant, set.window, set.slow, set.answers = false, every, 2, 2
				p.Grid = append(p.Grid, argoRule(fmt.Sprintf("interval=%v,failureLimit=%d,success=%v", every, limit, success), set))
			}
		}
	}
	return p
}
