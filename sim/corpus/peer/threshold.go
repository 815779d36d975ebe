package peer

import (
	"fmt"
	"time"

	"github.com/fairlead/fairlead/sim/corpus"
)

// thresholdSettings are those of a fixed threshold.
type thresholdSettings struct {
	steps   []float64
	pause   time.Duration // of a step, at least
	least   float64       // requests of the new release in a step before anything is judged
	failed  float64       // greatest share of failed requests
	slow    float64       // bound on the 99th percentile in times of the old release's
	answers float64       // greatest shares of bad answers in times of the old release's, where they are reported
	waiting time.Duration // a step that did not see enough requests by then goes on
}

// threshold is what careful teams script by themselves: nothing is judged before the
// new release has had a minimum of requests in the step; then the share of failures,
// the share of requests slower than a bound, and the shares of bad answers, all since the
// step began, must stay below fixed thresholds. Each scrape is a look. A step ends
// when its time is over and the minimum is reached, at the latest after an hour.
//
// The usual settings are ours, since no document states them: 10 % and 50 % for 10
// minutes each, at least 100 requests, at most 2 % failures, 99th percentile at most
// twice the old release's, bad answers at most 1.5 times. The method sees no
// baseline during the rollout.
type threshold struct {
	course
	set     thresholdSettings
	metrics *scrapes
	limits  limits
	step    int
	began   time.Duration
	before  counters // of the new release when the step began
}

func newThreshold(set thresholdSettings, start corpus.Start) *threshold {
	return &threshold{
		set: set, metrics: newScrapes(start, newBounds(start, slowBound(start, 0, set.slow))),
		limits: newLimits(start, set.answers), step: -1,
	}
}

// Second implements [corpus.Judge].
func (t *threshold) Second(s *corpus.Second) corpus.Decision {
	if t.over() {
		return t.Decision
	}
	t.metrics.observe(s)
	if t.unready(s) {
		return t.Decision
	}
	if t.step < 0 {
		t.advance(s.Now)
	} else if t.metrics.scraped(s.Now) {
		t.judge(s.Now)
	}
	return t.Decision
}

func (t *threshold) judge(now time.Duration) {
	seen := t.metrics.newest()[corpus.Canary].minus(t.before)
	enough := seen.total >= t.set.least
	broken, over := t.limits.broken(seen)
	switch {
	case enough && seen.signs[signFailed] > t.set.failed*seen.total:
		t.back("%.1f %% of %.0f requests failed", 100*seen.signs[signFailed]/seen.total, seen.total)
	case enough && seen.signs[signSlow] > 0.01*seen.total && seen.signs[signSlow] >= 3:
		t.back("the 99th percentile of latency is above %v", t.metrics.slow)
	case enough && over:
		t.back("%s: %.1f %% of %.0f requests", broken, 100*seen.signs[broken]/seen.total, seen.total)
	case enough && now-t.began >= t.set.pause, now-t.began >= t.set.waiting:
		t.advance(now)
	}
}

func (t *threshold) advance(now time.Duration) {
	t.step++
	t.began, t.before = now, t.metrics.newest()[corpus.Canary]
	if t.step == len(t.set.steps) {
		t.finish("all thresholds held")
		return
	}
	t.goOn(t.set.steps[t.step])
}

func thresholdRule(name string, set thresholdSettings) corpus.Rule {
	return corpus.Rule{
		Name: "threshold/" + name, Version: "1", Source: "common practice; no single document",
		New: func(start corpus.Start) corpus.Judge { return newThreshold(set, start) },
	}
}

func fixedThreshold() Peer {
	usual := thresholdSettings{
		steps: []float64{0.1, 0.5}, pause: 10 * time.Minute, least: 100,
		failed: 0.02, slow: 2, answers: 1.5, waiting: time.Hour,
	}
	p := Peer{Name: "threshold", Rules: []corpus.Rule{thresholdRule("usual", usual)}}
	for _, failed := range []float64{0.02, 0.03, 0.05} {
		for _, least := range []float64{100, 300} {
			for _, slow := range []float64{1.5, 2} {
				set := usual
				set.failed, set.least, set.slow = failed, least, slow
				p.Grid = append(p.Grid, thresholdRule(fmt.Sprintf("failed=%v,requests=%v,slow=%v", failed, least, slow), set))
			}
		}
	}
	return p
}
