package judge

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead"
)

func TestThePairedTestIsTheProductOfTheta(t *testing.T) {
	h := newPairHarm(1)
	for range 7 {
		h.discordant(canary)
	}
	for range 2 {
		h.discordant(stable)
	}
	want := 0.0
	for theta := 0.55; theta < 0.91; theta += 0.05 {
		want += math.Pow(2*theta, 7) * math.Pow(2*(1-theta), 2) / 8
	}
	if got := math.Exp(h.log()); !near(got, want) {
		t.Errorf("7 losses and 2 wins are %v, by definition %v", got, want)
	}
}

func TestPairsAreNoEvidenceOnAverageWhenTheNewReleaseIsNoWorse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tolerance := rapid.SampledFrom([]float64{0.5, 1, 1.5, 4}).Draw(t, "tolerance")
		loss := tolerance / (1 + tolerance) * rapid.Float64Range(0, 1).Draw(t, "how good")
		n := rapid.IntRange(1, 12).Draw(t, "discordant pairs")
		mean := 0.0
		for k := range n + 1 {
			h := newPairHarm(tolerance)
			for i := range n {
				h.discordant([2]int{stable, canary}[min(1, max(0, k-i))])
			}
			mean += choose(n, k) * math.Pow(loss, float64(k)) * math.Pow(1-loss, float64(n-k)) * math.Exp(h.log())
		}
		if mean > 1+1e-9 {
			t.Fatalf("mean %v at a chance of %v", mean, loss)
		}
	})
}

func TestPairsAreNoProofOfSafetyOnAverageAtTheMargins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ratio := rapid.SampledFrom([]float64{1.1, 1.5, 2, 5}).Draw(t, "ratio")
		delta := rapid.SampledFrom([]float64{0.001, 0.01, 0.2}).Draw(t, "margin")
		worse := rapid.Float64Range(0, 1).Draw(t, "beyond")
		// Some chances of a loss and of a win, at or beyond both margins.
		loss := delta + (1-delta)*worse
		win := min(1-loss, loss-delta, loss/ratio) * rapid.Float64Range(0, 1).Draw(t, "win")
		mean := 0.0
		for _, first := range [3]float64{-1, 0, 1} {
			for _, second := range [3]float64{-1, 0, 1} {
				s := newPairSafety(ratio, delta, true)
				p := 1.0
				for _, d := range [2]float64{first, second} {
					p *= [3]float64{win, 1 - win - loss, loss}[int(d)+1]
					s.differs(d)
					if d != 0 {
						s.ratio.discordant(loser(d))
					}
				}
				mean += p * math.Exp(s.log())
			}
		}
		if mean > 1+1e-9 {
			t.Fatalf("mean %v with losses %v and wins %v", mean, loss, win)
		}
	})
}

// mirrorJudge is a judge in a step in which the new release has copies only.
func mirrorJudge(c Config) *Judge {
	c.Mirror = true
	j := New(c)
	j.Step(1, 0, 0)
	return j
}

// copies makes mirrored answers fail with these probabilities, independently.
func copies(stable, canary float64) func(*grading, uint64) (float64, float64) {
	return func(g *grading, _ uint64) (float64, float64) {
		one := func(p float64) float64 {
			if g.rng.Float64() < p {
				return 1
			}
			return 0
		}
		return one(stable), one(canary)
	}
}

func TestMirroredRequestsFindHarmWithoutTraffic(t *testing.T) {
	o := many(scaled(40), fairlead.Harmful, func(seed uint64) (fairlead.Verdict, int) {
		g := newGrading(seed, 10, 0)
		g.mirror = copies(0.005, 0.05)
		return g.run(mirrorJudge(defaults), 600)
	})
	t.Logf("mirrored failures 0.5 %% -> 5 %% at 10 pairs a second: harmful in %d of %d, median %d s", o.reached, o.runs, o.median)
	if o.reached < o.runs || o.median > 120 {
		t.Errorf("%+v", o)
	}
}

func TestAGoodReleaseIsProvenSafeByMirroredRequestsAlone(t *testing.T) {
	o := many(scaled(40), fairlead.Safe, func(seed uint64) (fairlead.Verdict, int) {
		g := newGrading(seed, 10, 0)
		g.mirror = copies(0.005, 0.005)
		return g.run(mirrorJudge(defaults), 1200)
	})
	t.Logf("as good, 0.5 %% failures, 10 pairs a second: safe in %d of %d, median %d s", o.reached, o.runs, o.median)
	if o.reached < o.runs*9/10 || o.median > 300 {
		t.Errorf("%+v", o)
	}
}

func TestIdenticalMirroredReleasesAreRarelyHarmfulAndThoseAtTheMarginRarelySafe(t *testing.T) {
	many(scaled(60), fairlead.Harmful, func(seed uint64) (fairlead.Verdict, int) {
		g := newGrading(seed, 10, 0)
		g.pool = 500
		g.mirror = func(g *grading, unit uint64) (float64, float64) {
			return prone(0.6, 0)(g, stable, unit), prone(0.6, 0)(g, stable, unit)
		}
		return g.run(mirrorJudge(onlyHarm(0.05)), 600)
	}).atMost(t, 0.05)
	many(scaled(60), fairlead.Safe, func(seed uint64) (fairlead.Verdict, int) {
		g := newGrading(seed, 10, 0)
		g.mirror = copies(0.01, 0.02)
		c := onlySafety()
		c.MarginRatio = 0.02 * 0.99 / 0.98 / 0.01
		return g.run(mirrorJudge(c), 600)
	}).atMost(t, defaults.Beta)
}

func TestAUnitOfMirroredRequestsCountsOnce(t *testing.T) {
	j := mirrorJudge(defaults)
	s := &script{boot: "g1"}
	for i := range 20 {
		c := complete(at(int64(10+i), units(0, 5), nil, nil, nil))
		c.Mirrored = map[string][]fairlead.Pair{"failures": {{Unit: 1, Stable: 0, Canary: 1}}}
		j.Observe(s.block(c))
	}
	r := reportOf(t, j, "failures (mirrored)")
	if want := 0.25 + 0.75*math.Exp(discordants(1, 0)); r.Canary.Hit != 1 || r.Canary.AtRisk != 20 || !near(r.Harm, want) {
		t.Errorf("one unit that loses twenty times: %+v, want harm %v", r, want)
	}
}

func discordants(losses, wins int) float64 {
	h := newPairHarm(1)
	for range losses {
		h.discordant(canary)
	}
	for range wins {
		h.discordant(stable)
	}
	return h.log()
}

// reportOf returns the report of a signal.
func reportOf(t *testing.T, j *Judge, name string) SignalReport {
	t.Helper()
	for _, s := range j.Report().Signals {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("%s is not in the report", name)
	return SignalReport{}
}

func TestPreferencesOfMirroredRequestsAreHarmBySign(t *testing.T) {
	c := defaults
	c.Mirror = true
	c.Reported = []Reported{{Name: "preference", Kind: fairlead.KindPreference, Protected: true, MarginRatio: 2, MarginAbsolute: 0.01}}
	j := New(c)
	j.Step(1, 0, 0)
	var late []fairlead.LateReport
	for i := range 60 {
		late = append(late, fairlead.LateReport{Signal: "preference", Second: 10, Epoch: 1, Mirrored: true, Unit: uint64(i), Value: []float64{0, 0, 0.5}[i%3]})
	}
	late = append(late, fairlead.LateReport{Signal: "preference", Second: 10, Epoch: 1, Unit: 99, Value: 0})
	j.Late(late)
	v, r := j.Verdict(), reportOf(t, j, "preference")
	if v.Finding != fairlead.Harmful || v.Signal != "preference" {
		t.Errorf("40 of 40 preferences for the old release: %+v", v)
	}
	if !r.Protected || !r.Mirrored || r.Canary.Hit != 40 || r.Preferred == nil || r.Preferred.High > 0.3 || j.Report().Ignored.Other != 1 {
		t.Errorf("%+v, ignored %+v", r, j.Report().Ignored)
	}
}
