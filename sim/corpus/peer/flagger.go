package peer

import (
	"fmt"
	"time"

	"github.com/fairlead/fairlead/sim/corpus"
)

// flaggerSettings are the fields of a Canary's analysis.
type flaggerSettings struct {
	interval   time.Duration // between ticks
	threshold  int           // failed checks that roll back
	step, max  float64       // weights
	success    float64       // least share of requests that do not fail
	duration   time.Duration // bound on the 99th percentile, where the old release keeps it
	times      float64       // else this many times the old release's own
	window     time.Duration // of the success rate
	slowWindow time.Duration // of the 99th percentile
	answers    float64       // custom metrics of bad answers: most, in times of the old release's shares; 0 without
	progress   time.Duration // unready for so long rolls back
}

// flagger is Flagger's canary analysis. A tick comes every interval. It
//
//   - waits while the new release's instances are not ready, and rolls back when they
//     were not for progressDeadlineSeconds;
//   - rolls back if the failed checks have reached the threshold: so the decision comes
//     one tick after the check that reached it;
//   - without traffic yet: gives the first weight, without a check;
//   - else checks the metrics. A bound broken, or no value (no request in the window),
//     is a failed check. Failed checks add up and are never forgiven; no weight is
//     added at that tick;
//   - adds a step, or promotes when the greatest weight is reached.
//
// The metrics are the share of responses that are not 5xx and the 99th percentile of
// the duration, of the new release alone. They see no baseline.
//
// Open in the documentation: when the first tick comes (here at once), and how long
// promotion takes (here no time). The mesh counts timeouts and resets as failures.
// Where the old release itself breaks the documented 500 ms, the bound is twice its own
// 99th percentile.
//
// Sources: fluxcd/flagger pkg/controller/scheduler.go, scheduler_metrics.go,
// pkg/apis/flagger/v1beta1/canary.go (interval 60 s, threshold 1, window 1 m, progress
// deadline 600 s), pkg/metrics/observers/istio.go, pkg/metrics/providers/prometheus.go
// (NaN is no value), docs/gitbook/tutorials/istio-progressive-delivery.md.
type flagger struct {
	course
	set     flaggerSettings
	metrics *scrapes
	limits  limits
	next    time.Duration
	failed  int
	unready time.Duration // when a tick first found instances unready, or -1
}

func newFlagger(set flaggerSettings, start corpus.Start) *flagger {
	b := newBounds(start, slowBound(start, set.duration, set.times))
	return &flagger{
		set: set, metrics: newScrapes(start, b), limits: newLimits(start, set.answers),
		next: time.Second, unready: -1,
	}
}

// Second implements [corpus.Judge].
func (f *flagger) Second(s *corpus.Second) corpus.Decision {
	f.metrics.observe(s)
	if s.Now >= f.next && !f.over() {
		f.next += f.set.interval
		f.tick(s)
	}
	return f.Decision
}

func (f *flagger) tick(s *corpus.Second) {
	if !ready(s) {
		f.wait(s.Now)
		return
	}
	f.unready = -1
	if f.failed >= f.set.threshold {
		f.back("failed checks reached the threshold of %d", f.set.threshold)
		return
	}
	if f.Weight > 0 && !f.check(s.Now) {
		f.failed++
		return
	}
	if f.Weight >= f.set.max {
		f.finish("the greatest weight passed its check")
		return
	}
	f.goOn(min(1, f.Weight+f.set.step))
}

func (f *flagger) wait(now time.Duration) {
	if f.unready < 0 {
		f.unready = now
	}
	if now-f.unready >= f.set.progress {
		f.back("instances were not ready for %v", f.set.progress)
	}
}

// check reports whether all metrics have a value within its bounds.
func (f *flagger) check(now time.Duration) bool {
	rate, ok := f.metrics.rate(corpus.Canary, now, f.set.window)
	if !ok || rate.total == 0 || rate.signs[signFailed] > (1-f.set.success)*rate.total {
		return false
	}
	slow, ok := f.metrics.rate(corpus.Canary, now, f.set.slowWindow)
	if !ok || slow.total == 0 || slow.signs[signSlow] > 0.01*slow.total {
		return false
	}
	_, broken := f.limits.broken(rate)
	return !broken
}

const flaggerSource = "github.com/fluxcd/flagger: pkg/controller, docs/gitbook/tutorials/istio-progressive-delivery.md"

func flaggerRule(name string, set flaggerSettings) corpus.Rule {
	return corpus.Rule{
		Name: "flagger/" + name, Source: flaggerSource, Version: "2",
		New: func(start corpus.Start) corpus.Judge { return newFlagger(set, start) },
	}
}

// flaggerTutorial are the settings of the Istio tutorial.
func flaggerTutorial() flaggerSettings {
	return flaggerSettings{
		interval: time.Minute, threshold: 5, step: 0.1, max: 0.5, success: 0.99,
		duration: 500 * time.Millisecond, times: 2, window: time.Minute, slowWindow: 30 * time.Second,
		progress: time.Minute,
	}
}

// flaggerDefaults are the tutorial's settings without those that have a default in the
// code and would do harm with it left out: threshold 1, progress deadline 600 s. Weights
// stop at 50 % as in the tutorial: the code's default of 100 % would only add checks, each
// of which can be the one that fails.
func flaggerDefaults() flaggerSettings {
	set := flaggerTutorial()
	set.threshold, set.progress = 1, 10*time.Minute
	return set
}

func flaggerPeer() Peer {
	p := Peer{Name: "flagger", Rules: []corpus.Rule{
		flaggerRule("tutorial", flaggerTutorial()), flaggerRule("defaults", flaggerDefaults()),
	}}
	for _, every := range []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute} {
		for _, threshold := range []int{2, 5, 10} {
			for _, success := range []float64{0.99, 0.97, 0.95} {
				set := flaggerTutorial()
				set.interval, set.threshold, set.success = every, threshold, success
				set.window, set.slowWindow = every, every
				set.duration, set.times, set.answers = 0, 2, 2
				p.Grid = append(p.Grid, flaggerRule(fmt.Sprintf("interval=%v,threshold=%d,success=%v", every, threshold, success), set))
			}
		}
	}
	return p
}
