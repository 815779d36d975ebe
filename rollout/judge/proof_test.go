package judge

import (
	"math"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
)

// proving is a configuration that judges quality alone of what is reported, with
// margins of 2 and so much.
func proving(kind string, absolute float64) Config {
	c := qualityJudge(onlySafety(), kind, true)
	c.Reported[0].MarginAbsolute = absolute
	return c
}

func TestAGoodReleaseWhoseAnswersAreJudgedIsProvenSafe(t *testing.T) {
	for name, c := range map[string]struct {
		config Config
		value  func(*grading, int, uint64) float64
	}{
		"failing answers": {proving(fairlead.KindFailure, 0.01), failing(0.1, 0.1)},
		"scores":          {proving(fairlead.KindScore, 0.05), scores},
	} {
		o := graded(scaled(40), fairlead.Safe, func(seed uint64) (fairlead.Verdict, *grading) {
			g := newGrading(seed, 20, 5000)
			g.value, g.delay = c.value, lateWhenBad(5, 60)
			g.equally(4)
			j := New(c.config)
			g.step(j, 1, 5000)
			v, _ := g.run(j, 2000)
			return v, g
		})
		t.Logf("%s, as good, 4 judged a second: safe in %d of %d, median %d judged answers", name, o.reached, o.runs, o.median)
		if o.reached < o.runs*9/10 {
			t.Errorf("%+v", o)
		}
	}
}

func TestAReleaseWhoseReportsAreAtTheMarginIsRarelySafe(t *testing.T) {
	const p, worse = 0.1, 0.05
	ratio := (p + worse) * (1 - p) / ((1 - p - worse) * p)
	shifted := func(g *grading, arm int, unit uint64) float64 {
		v := 0.3 + 0.4*g.rng.Float64()
		if arm == canary {
			v -= worse
		}
		return v
	}
	slow := proving(fairlead.KindFailure, worse)
	slow.Reported[0].Delay = 5 * time.Minute
	for name, c := range map[string]struct {
		config Config
		value  func(*grading, int, uint64) float64
		delay  func(*grading, int, float64) int64
	}{
		"failing answers, very late when bad, which is known": {slow, failing(p, p+worse), lateWhenBad(2, 240)},
		"failing answers":                {proving(fairlead.KindFailure, worse), failing(p, p+worse), lateWhenBad(5, 5)},
		"failing answers, late when bad": {proving(fairlead.KindFailure, worse), failing(p, p+worse), lateWhenBad(2, 40)},
		"scores":                         {proving(fairlead.KindScore, worse), shifted, lateWhenBad(5, 30)},
	} {
		t.Run(name, func(t *testing.T) {
			c.config.Reported[0].MarginRatio = ratio
			graded(scaled(60), fairlead.Safe, func(seed uint64) (fairlead.Verdict, *grading) {
				g := newGrading(seed, 20, 2500)
				g.value, g.delay = c.value, c.delay
				g.equally(6)
				j := New(c.config)
				g.step(j, 1, 2500)
				v, _ := g.run(j, 600)
				return v, g
			}).atMost(t, defaults.Beta)
		})
	}
}

// Answers that fail are known 40 s later than others. As soon as the first of them is,
// the judge waits for them; the step before that is the one in which it cannot know.
func TestAReleaseWhoseBadReportsComeLateIsNotProvenByTheEarlyOnes(t *testing.T) {
	graded(scaled(40), fairlead.Safe, func(seed uint64) (fairlead.Verdict, *grading) {
		g := newGrading(seed, 30, 5000)
		g.value, g.delay = failing(0.1, 0.3), lateWhenBad(1, 40)
		j := New(proving(fairlead.KindFailure, 0.01))
		g.step(j, 1, 1000)
		for range 120 {
			b, late := g.second()
			j.Observe(b)
			j.Late(late)
		}
		g.step(j, 2, 5000)
		v, _ := g.run(j, 300)
		return v, g
	}).atMost(t, 0)
}

func TestTheIntervalOfAMeanDifferenceHoldsAtAllTimes(t *testing.T) {
	missed, width, runs := 0, 0.0, scaled(100)
	for seed := range uint64(runs) {
		g := newGrading(seed, 1, 5000)
		d, held := &difference{}, true
		for range 150 {
			value := 0.0
			for i := range 16 {
				v := 0.6 + 0.5*(g.rng.Float64()-0.5)
				if i%2 == 0 {
					v -= 0.03 // the canary's
				}
				value += v / 8 * float64(2*(i%2)-1)
			}
			d.take(-value, 4)
			i := d.interval()
			held = held && i.Low <= -0.03 && i.High >= -0.03
		}
		if i := d.interval(); held {
			width += (i.High - i.Low) / float64(runs)
		} else {
			missed++
		}
	}
	t.Logf("missed %d of %d; after 2400 scores of deviation 0.14 it is %.3f wide", missed, runs, width)
	if lowerBound(missed, runs) > estimateError || width > 0.1 || math.IsNaN(width) {
		t.Errorf("missed %d of %d, width %v", missed, runs, width)
	}
}
