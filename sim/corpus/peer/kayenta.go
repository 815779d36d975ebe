package peer

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/fairlead/fairlead/sim/corpus"
)

// kayentaSettings are those of Spinnaker's canary stage and its configuration.
type kayentaSettings struct {
	lifetime  time.Duration // after the last judgement the release is promoted or not
	interval  time.Duration // between judgements
	weight    float64       // of the new release meanwhile
	marginal  float64       // a lower score ends the analysis at once
	pass      float64       // the last score must be at least this
	level     float64       // confidence of the intervals
	tolerance float64       // of the effect, as a fraction of the estimate
}

// kayenta is Spinnaker's canary stage with the default judge, NetflixACAJudge. Each
// metric is a time series of one point a minute for each release, and each judgement
// looks back to the beginning ("growing", the default without lookback):
//
//   - points without a value are dropped for latency and are 0 for the others; points
//     beyond 3 interquartile ranges and beyond the 1st or 99th percentile are dropped;
//   - a metric is High when the 98 % Mann-Whitney interval of the shift lies above
//     0.25 of the absolute estimate, else it passes (direction "increase");
//   - a group's score is its share of metrics that pass, the score the mean of groups;
//     a High metric that is marked critical makes the score 0;
//   - a score below marginal (75) fails the canary at once, the last one must reach
//     pass (95).
//
// Lifetime 3 hours, interval 1 hour, at least 50 points a judgement.
//
// Which metrics: the documentation advises errors, latency and saturation, and a
// critical metric in a group of its own. Here: the share of failed requests
// (critical); latency p50, p90 and p99; restarts of an instance; and where the
// application reports them, the shares of wrong answers, refusals and malformed tool
// calls (critical), the median time to the first byte and the mean cost (critical). The
// documentation leaves the choice of metrics to the team. The control is the
// old release as a whole, not a baseline of the canary's size: less noise, which is
// better for the tool. Points see what was scraped 15 s ago.
//
// Sources: spinnaker.io/docs/guides/user/canary (best practices, judge, stage);
// spinnaker/kayenta kayenta-judge NetflixACAJudge.scala, MannWhitneyClassifier.scala,
// WeightedSumScorer.scala, IQRDetector.scala, ThresholdScoreClassifier.scala,
// kayenta-mannwhitney MannWhitney.scala, docs/canary-config.md.
type kayenta struct {
	course
	set    kayentaSettings
	series series
	next   time.Duration
}

func newKayenta(set kayentaSettings, start corpus.Start) *kayenta {
	return &kayenta{set: set, series: newSeries(start.Reports), next: set.interval}
}

// Second implements [corpus.Judge].
func (k *kayenta) Second(s *corpus.Second) corpus.Decision {
	if k.over() {
		return k.Decision
	}
	if k.unready(s) {
		return k.Decision
	}
	k.goOn(k.set.weight)
	k.series.observe(s)
	if s.Now >= k.next {
		k.next += k.set.interval
		k.judge(s.Now)
	}
	return k.Decision
}

func (k *kayenta) judge(now time.Duration) {
	score := k.score()
	switch {
	case score < k.set.marginal:
		k.back("score %.0f is below the marginal %.0f", score, k.set.marginal)
	case now < k.set.lifetime:
	case score < k.set.pass:
		k.back("the last score %.0f is below the pass %.0f", score, k.set.pass)
	default:
		k.finish(fmt.Sprintf("the last score %.0f passes", score))
	}
}

// score returns the canary's score, 0 to 100. Metrics without data do not count.
func (k *kayenta) score() float64 {
	groups := map[string][2]float64{} // passed, all
	for i, m := range k.series.metrics {
		high, valued := k.high(i)
		if high && m.critical {
			return 0
		}
		if !valued {
			continue
		}
		group := groups[m.group]
		group[1]++
		if !high {
			group[0]++
		}
		groups[m.group] = group
	}
	if len(groups) == 0 {
		return 0
	}
	sum := 0.0
	for _, name := range groupNames {
		if group, ok := groups[name]; ok {
			sum += 100 * group[0] / group[1]
		}
	}
	return sum / float64(len(groups))
}

// high classifies a metric: worse in the new release, and whether it could be said.
func (k *kayenta) high(metric int) (high, valued bool) {
	points := k.series.points[metric]
	control, experiment := inliers(points[corpus.Stable]), inliers(points[corpus.Canary])
	if len(control) == 0 || len(experiment) == 0 {
		return false, false
	}
	shift, err := mannWhitney(experiment, control, k.set.level)
	if err != nil {
		// Both are constant: there is no interval. The real classifier lets equal data
		// pass and gives up on different ones; high is better for the tool.
		return experiment[0]-control[0] > solverAccuracy, true
	}
	return shift.low-solverAccuracy > k.set.tolerance*math.Abs(shift.estimate), true
}

// solverAccuracy is how well Kayenta's root finder knows the ends of an interval. Where
// most points of both releases are the same, as the share of failures in minutes
// without one, both ends and the estimate are 0 but for that: this is no difference.
const solverAccuracy = 1e-4

// inliers returns a copy of the points without outliers.
func inliers(points []float64) []float64 {
	sorted := slices.Sorted(slices.Values(points))
	if len(sorted) == 0 {
		return nil
	}
	p25, p75 := percentile(sorted, 25), percentile(sorted, 75)
	low := min(percentile(sorted, 1), p25-3*(p75-p25))
	high := max(percentile(sorted, 99), p75+3*(p75-p25))
	return slices.DeleteFunc(sorted, func(v float64) bool { return v < low || v > high })
}

// percentile returns the p-th percentile of sorted values as Apache Commons Math does,
// which Kayenta uses: at position p(n+1)/100, counted from 1, interpolated.
func percentile(sorted []float64, p float64) float64 {
	n := float64(len(sorted))
	at := p * (n + 1) / 100
	switch {
	case at < 1:
		return sorted[0]
	case at >= n:
		return sorted[len(sorted)-1]
	}
	whole := int(at)
	return sorted[whole-1] + (at-float64(whole))*(sorted[whole]-sorted[whole-1])
}

const kayentaSource = "github.com/spinnaker/kayenta: kayenta-judge; spinnaker.io/docs/guides/user/canary/best-practices"

func kayentaRule(name string, set kayentaSettings) corpus.Rule {
	return corpus.Rule{
		Name: "kayenta/" + name, Source: kayentaSource, Version: "1",
		New: func(start corpus.Start) corpus.Judge { return newKayenta(set, start) },
	}
}

// kayentaAdvised are the starting points of the documentation's best practices.
func kayentaAdvised() kayentaSettings {
	return kayentaSettings{
		lifetime: 3 * time.Hour, interval: time.Hour, weight: 0.1,
		marginal: 75, pass: 95, level: 0.98, tolerance: 0.25,
	}
}

func kayentaPeer() Peer {
	p := Peer{Name: "kayenta", Rules: []corpus.Rule{kayentaRule("advised", kayentaAdvised())}}
	for _, every := range []time.Duration{10 * time.Minute, 20 * time.Minute, time.Hour} {
		for _, level := range []float64{0.98, 0.999} {
			for _, tolerance := range []float64{0.25, 0.75} {
				set := kayentaAdvised()
				set.interval, set.lifetime, set.level, set.tolerance = every, 3*every, level, tolerance
				p.Grid = append(p.Grid, kayentaRule(fmt.Sprintf("interval=%v,confidence=%v,tolerance=%v", every, level, tolerance), set))
			}
		}
	}
	return p
}
