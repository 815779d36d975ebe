package judge

import (
	"encoding/json"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead"
)

// qualityBegun returns a judge in a step with half of the units on the canary, and one
// reported signal.
func qualityBegun(kind string, protected bool) (*Judge, *script) {
	return begun(qualityJudge(defaults, kind, protected))
}

// told makes a cell whose units report these values of quality at once.
func told(second int64, stable, canary []float64) fairlead.Cell {
	c := complete(fairlead.Cell{Second: second, Epoch: 1})
	for i, arm := range [2]*fairlead.Arm{&c.Stable, &c.Canary} {
		arm.Reports = map[string]fairlead.Reports{}
		for k, v := range [2][]float64{stable, canary}[i] {
			unit := uint64(second)*1000 + uint64(500*i+k)
			arm.Units = append(arm.Units, unit)
			arm.Reports["quality"] = append(arm.Reports["quality"], fairlead.Report{Unit: unit, Value: v})
		}
	}
	return c
}

// bits01 is so many ones, then zeroes.
func bits01(ones, of int) []float64 {
	v := make([]float64, of)
	for i := range ones {
		v[i] = 1
	}
	return v
}

// reportHarmOf is the e-value of a reported signal from given tables alone.
func reportHarmOf(tables ...table) float64 {
	h := newHarmAgainst(1, reportRatios[:])
	for _, t := range tables {
		h.table(t)
	}
	return startMass*math.Exp(h.log()) + 1 - startMass
}

func TestReportsOfACellAreATestBlock(t *testing.T) {
	j, s := qualityBegun(fairlead.KindFailure, true)
	j.Observe(s.block(told(10, bits01(1, 10), bits01(5, 10))))
	r := reportOf(t, j, "quality")
	if want := reportHarmOf(table{n: [2]int{10, 10}, y: [2]int{1, 5}}); !near(r.Harm, want) {
		t.Errorf("harm %v, want %v", r.Harm, want)
	}
	if r.Stable.AtRisk != 10 || r.Stable.Hit != 1 || r.Canary.Hit != 5 || !r.Protected || r.Kind != fairlead.KindFailure {
		t.Errorf("%+v", r)
	}
}

func TestASuccessIsReadTheOtherWayRound(t *testing.T) {
	j, s := qualityBegun(fairlead.KindSuccess, true)
	j.Observe(s.block(told(10, bits01(9, 10), bits01(5, 10))))
	if r, want := reportOf(t, j, "quality"), reportHarmOf(table{n: [2]int{10, 10}, y: [2]int{1, 5}}); !near(r.Harm, want) || r.Canary.Hit != 5 {
		t.Errorf("%+v, want harm %v", r, want)
	}
}

// late is a report of a unit's answer that arrived at a second.
func late(second int64, isCanary bool, unit uint64, value float64) fairlead.LateReport {
	return fairlead.LateReport{Signal: "quality", Second: second, Epoch: 1, Canary: isCanary, Unit: unit, Value: value}
}

func TestFewReportsWaitForMoreOfEitherArmThenForTime(t *testing.T) {
	j, s := qualityBegun(fairlead.KindFailure, true)
	j.Observe(s.block(told(1200, nil, nil)))
	for i := range uint64(15) {
		j.Late([]fairlead.LateReport{late(1200, i%5 == 0, i, float64(i%2))})
	}
	if r := reportOf(t, j, "quality"); r.Harm != 1 || r.Canary.AtRisk != 3 {
		t.Errorf("with 15 reports: %+v", r)
	}
	j.Observe(s.block(told(1500, nil, nil)))
	if r := reportOf(t, j, "quality"); r.Harm == 1 {
		t.Errorf("after the window: %+v", r)
	}
}

func TestReportsOfTwoWindowsAreNotCompared(t *testing.T) {
	j, s := qualityBegun(fairlead.KindFailure, true)
	j.Observe(s.block(told(1200, nil, nil)))
	var reports []fairlead.LateReport
	for i := range uint64(20) {
		reports = append(reports, late(1200, false, i, 0), late(700, true, 100+i, 1))
	}
	j.Late(reports)
	if r := reportOf(t, j, "quality"); r.Harm != 1 || r.Canary.AtRisk != 20 {
		t.Errorf("the old release now against the new one ten minutes ago: %+v", r)
	}
}

func TestALateReportBelongsToTheEpochOfItsRequest(t *testing.T) {
	j, s := qualityBegun(fairlead.KindFailure, true)
	j.Observe(s.block(told(1200, nil, nil)))
	j.Step(2, 9000, 0)
	var old []fairlead.LateReport
	for i := range uint64(40) {
		old = append(old, late(1200, i%2 == 0, i, 0))
	}
	j.Late(old)
	next := told(1201, nil, nil)
	next.Epoch = 2
	for i := range 5 {
		next.Second = 1201 + int64(i)*400
		j.Observe(s.block(next))
	}
	if r := reportOf(t, j, "quality"); r.Canary.AtRisk != 20 || r.Safety.E != 1 {
		t.Errorf("reports of an older epoch: %+v", r)
	}
}

func TestAUnitCountsWithItsFirstReport(t *testing.T) {
	j, s := qualityBegun(fairlead.KindFailure, true)
	j.Observe(s.block(told(1200, nil, nil)))
	var reports []fairlead.LateReport
	for i := range uint64(20) {
		reports = append(reports, late(1200, i%2 == 0, i, 0), late(1200, i%2 == 0, i, 1))
	}
	j.Late(reports)
	if r := reportOf(t, j, "quality"); r.Canary.AtRisk != 10 || r.Canary.Hit != 0 || r.Harm != 1 {
		t.Errorf("%+v", r)
	}
}

func TestWhatIsNoEvidenceIsCounted(t *testing.T) {
	j, s := qualityBegun(fairlead.KindScore, true)
	c := told(1200, []float64{0.5, math.NaN(), -1, math.Inf(1)}, []float64{2})
	c.Canary.Reports["speed"] = fairlead.Reports{{Unit: 1, Value: 1}, {Unit: 2, Value: 1}}
	c.Canary.Reports[fairlead.ErrorSignal] = fairlead.Reports{{Unit: 1, Value: 1}}
	j.Observe(s.block(c))
	strange := []fairlead.LateReport{late(1200, true, 1, 0.5), late(1200, true, 1, 0.5), late(1200, true, 1, 0.5), late(1200, true, 1, math.NaN())}
	strange[0].Signal, strange[1].Epoch, strange[2].Mirrored = "speed", 7, true
	j.Late(strange)
	if got, want := j.Report().Ignored, (Ignored{Undeclared: 3, Invalid: 5, Other: 2}); got != want {
		t.Errorf("ignored %+v, want %+v", got, want)
	}
	fresh := New(qualityJudge(defaults, fairlead.KindScore, true))
	fresh.Late([]fairlead.LateReport{late(1200, true, 1, 0.5)})
	if got := fresh.Report().Ignored.Other; got != 1 {
		t.Errorf("before the first step %d are ignored", got)
	}
}

func TestAnAmountWithoutThresholdsIsNotJudged(t *testing.T) {
	c := qualityJudge(defaults, fairlead.KindAmount, true)
	c.Reported[0].Thresholds = [3]float64{}
	j, s := begun(c)
	j.Observe(s.block(told(10, []float64{1, 2, 3}, []float64{1e9, 1e9, 1e9})))
	for _, r := range j.Report().Signals {
		if r.Name != "failures" {
			t.Errorf("%+v is judged", r)
		}
	}
}

func TestAnAmountIsJudgedByItsThreeThresholds(t *testing.T) {
	j, s := qualityBegun(fairlead.KindAmount, true)
	old, new := make([]float64, 10), make([]float64, 10)
	for i := range old {
		old[i], new[i] = float64(i)/5, float64(i)/2
	}
	j.Observe(s.block(told(10, old, new)))
	for name, want := range map[string]table{
		"quality p50": {n: [2]int{10, 10}, y: [2]int{4, 7}},
		"quality p90": {n: [2]int{10, 10}, y: [2]int{0, 5}},
		"quality p99": {n: [2]int{10, 10}, y: [2]int{0, 1}},
	} {
		if r := reportOf(t, j, name); !near(r.Harm, reportHarmOf(want)) || r.Canary.Mean == nil || !near(*r.Canary.Mean, 2.25) || !near(r.HarmShare, 0.45/3) {
			t.Errorf("%+v, want harm %v", r, reportHarmOf(want))
		}
	}
}

// reportNull is a distribution of how bad each arm's reports are, with the canary's
// mean at most stable's plus shift.
type reportNull struct{ values, stable, canary []float64 }

func drawNull(t *rapid.T, shift float64, atLeast bool) reportNull {
	n := reportNull{values: []float64{0, rapid.Float64Range(0.01, 0.99).Draw(t, "middle"), 1}}
	draw := func(name string) ([]float64, float64) {
		p, sum, mean := make([]float64, 3), 0.0, 0.0
		for i := range p {
			p[i] = rapid.Float64Range(0.001, 1).Draw(t, name)
			sum += p[i]
		}
		for i := range p {
			p[i] /= sum
			mean += p[i] * n.values[i]
		}
		return p, mean
	}
	stableP, stableMean := draw("stable")
	canaryP, canaryMean := draw("canary")
	toward := func(p []float64, end int, share float64) {
		for i := range p {
			p[i] *= 1 - share
		}
		p[end] += share
	}
	switch bound := stableMean + shift; {
	case !atLeast && canaryMean > bound: // towards good until it is no worse
		toward(canaryP, 0, 1-bound/canaryMean)
	case atLeast && bound >= 1:
		toward(stableP, 0, 1-max(0, 0.9-shift)/stableMean)
		canaryP = []float64{0, 0, 1}
	case atLeast && canaryMean < bound: // towards bad until it is beyond the margin
		toward(canaryP, 2, (bound-canaryMean)/(1-canaryMean))
	}
	n.stable, n.canary = stableP, canaryP
	return n
}

// mean returns the mean of value over all outcomes of some reports of each arm.
func (n reportNull) mean(stables, canaries int, value func([]record) float64) float64 {
	total := 0.0
	records := make([]record, stables+canaries)
	var each func(i int, p float64)
	each = func(i int, p float64) {
		if i == len(records) {
			total += p * value(records)
			return
		}
		arm, chances := uint8(stable), n.stable
		if i >= stables {
			arm, chances = canary, n.canary
		}
		for k, v := range n.values {
			records[i] = record{unit: uint64(i), arm: arm, value: v, span: span{-1, 0}}
			each(i+1, p*chances[k])
		}
	}
	each(0, 1)
	return total
}

func bad(v float64) float64 { return v }

func TestScoresAreNoEvidenceOnAverageWhenTheMeanIsNoWorse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := drawNull(t, 0, false)
		stables, canaries := rapid.IntRange(1, 4).Draw(t, "stables"), rapid.IntRange(1, 3).Draw(t, "canaries")
		mean := n.mean(stables, canaries, func(r []record) float64 {
			h := scoreHarm{newBets(1)}
			h.take(sample{r, 0, bad})
			return math.Exp(h.log())
		})
		if mean > 1+1e-9 {
			t.Fatalf("mean %v", mean)
		}
	})
}

func TestScoresAreNoProofOfSafetyOnAverageAtTheMargin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		delta := rapid.SampledFrom([]float64{0.001, 0.01, 0.1, 0.5}).Draw(t, "margin")
		n := drawNull(t, delta, true)
		mean := n.mean(rapid.IntRange(1, 4).Draw(t, "stables"), rapid.IntRange(1, 3).Draw(t, "canaries"), func(r []record) float64 {
			s := scoreSafety{newMarginBets(delta)}
			s.take(sample{r, 0, bad})
			return math.Exp(s.log())
		})
		if mean > 1+1e-9 {
			t.Fatalf("mean %v at the margin %v", mean, delta)
		}
	})
}

func TestSharesOfReportsAreNoEvidenceOnAverageWhenTheOddsAreNoWorse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tolerance := rapid.SampledFrom([]float64{0.5, 1, 1.5}).Draw(t, "tolerance")
		w := tolerance * rapid.Float64Range(0.05, 1).Draw(t, "how good")
		nc, ns := rapid.IntRange(1, 8).Draw(t, "canaries"), rapid.IntRange(1, 8).Draw(t, "stables")
		mean := 0.0
		enumerate(nc, ns, rapid.IntRange(0, nc+ns).Draw(t, "bad"), w, func(o table, p float64) {
			h := newHarmAgainst(tolerance, reportRatios[:])
			h.table(o)
			mean += p * math.Exp(h.log())
		})
		if mean > 1+1e-9 {
			t.Fatalf("mean %v", mean)
		}
	})
}

// fixed is a test of any value, for mixtures.
type fixed struct{ logE float64 }

func (f *fixed) log() float64 { return f.logE }

func TestAMixtureOfOnsetsThatEarnNothingIsOne(t *testing.T) {
	m := newMixture(func() *fixed { return &fixed{} })
	for i := range 2000 {
		if e := math.Exp(m.log()); !near(e, 1) || m.rest < 0 {
			t.Fatalf("after %d onsets the mixture is %v", i, e)
		}
		m.begin(i%700 == 699)
	}
	if len(m.alive) > 24 {
		t.Errorf("%d onsets are alive", len(m.alive))
	}
}

func TestAMixtureIsTheWeightedSumOfItsOnsets(t *testing.T) {
	m := newMixture(func() *fixed { return &fixed{} })
	m.alive[0].test.logE = math.Log(3)
	m.begin(false)
	mass := m.alive[1].mass
	m.alive[1].test.logE = math.Log(5)
	want := startMass*3 + mass*5 + (1 - startMass - mass)
	if got := math.Exp(m.log()); !near(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	m.begin(true)
	if got := math.Exp(m.log()); !near(got, want) || len(m.alive) != 1 {
		t.Errorf("after all are given up %v with %d alive, want %v with 1", got, len(m.alive), want)
	}
}

func TestReportsStayFiniteWhateverIsReported(t *testing.T) {
	for _, kind := range []string{fairlead.KindFailure, fairlead.KindSuccess, fairlead.KindScore, fairlead.KindAmount} {
		c := qualityJudge(defaults, kind, true)
		c.Latency, c.First, c.Mirror = true, true, true
		j, s := begun(c)
		check := func(when string) {
			if _, err := json.Marshal(j.Report()); err != nil {
				t.Fatalf("%s, %s: %v", kind, when, err)
			}
		}
		check("before anything")
		j.Observe(s.block(told(10, []float64{1}, nil)))
		check("one report")
		for i := range int64(200) {
			v := []float64{0, 1, 1e9, math.MaxFloat64}[i%4]
			cell := told(11+i, []float64{0, v, 0, v, 1, v}, []float64{v, 1, v, 1, v, 1})
			cell.Mirrored = map[string][]fairlead.Pair{"failures": {{Unit: uint64(i), Canary: 1}}, "quality": {{Unit: uint64(i), Stable: v, Canary: 1}}}
			j.Observe(s.block(cell))
		}
		check("after 200 s")
	}
	// As many events as a billion in one table.
	h := shareHarm{newHarmAgainst(1, reportRatios[:])}
	h.table(table{n: [2]int{1e9, 1e9}, y: [2]int{1e8, 2e8}})
	d, b := &difference{}, newMarginBets(0.01)
	for range 1_000_000 {
		d.take(-1, 1e9)
		b.take(1)
	}
	for _, logE := range []float64{h.log(), b.log()} {
		if math.IsNaN(logE) || math.IsInf(logE, 0) || capped(logE) > 1e300 {
			t.Errorf("log E is %v", logE)
		}
	}
	if i := d.interval(); i.Low != -1 || i.High > -0.7 || i.Estimate != -1 {
		t.Errorf("a million differences of -1: %+v", i)
	}
}

func TestTheFirstByteIsJudgedAsLatencyIs(t *testing.T) {
	for _, both := range []bool{false, true} {
		c := defaults
		c.First, c.Latency = true, both
		j, s := begun(c)
		for i := range int64(60) {
			n := int(i) * 1000
			cell := complete(at(10+i, units(n, 10), units(n+500, 10), nil, nil))
			cell.Canary.Hits[fairlead.FirstP90] = units(n+500, 4)
			j.Observe(s.block(cell))
		}
		r := reportOf(t, j, "first byte p90")
		differences := make([]float64, 60)
		for i := range differences {
			differences[i] = 0.4
		}
		if want := 0.5*math.Exp(betsOf(differences...)) + 0.5; !near(r.Harm, want) || !r.Protected || r.Canary.Hit != 240 || r.Canary.AtRisk != 600 {
			t.Errorf("latency too: %v: %+v, want harm %v", both, r, want)
		}
		if v := j.Verdict(); v.Finding != fairlead.Harmful || v.Signal != "first byte p90" {
			t.Errorf("%+v", v)
		}
	}
}
