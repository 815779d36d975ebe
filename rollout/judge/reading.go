package judge

import "github.com/fairlead/fairlead"

// reading is one way to read the values of a reported signal: how bad a value is. An
// amount has three, one for each frozen threshold; every other kind has one.
type reading struct {
	name, kind string
	protected  bool
	bad        func(value float64) float64 // 0 good to 1 bad
	harm       *mixture[reportHarm]
	proof      func() reportSafety
	safe       reportSafety // of the step
	odds       estimate     // of shares
	mean       *difference  // of scores; nil for other kinds

	units [2]int     // that reported, each once
	hits  [2]int     // whose report was bad
	sums  [2]float64 // of their values
}

// reportRatios are the odds ratios against which the harm of reports is tested. There
// are fewer than for failures, since each costs judged answers: an answer that is worse
// is seldom ten times as often worse, and one that is comes to light soon also so.
var reportRatios = [...]float64{1.5, 2, 3, 6}

// reportHarm is a test for "the canary's reports are worse than the tolerance
// allows", from one onset on.
type reportHarm interface {
	take(sample)
	log() float64
}

// reportSafety is a test of a step for "they are not worse than the margins".
type reportSafety interface {
	take(sample)
	log() float64
	part() SafetyPart
}

// shareHarm compares the shares of bad reports.
type shareHarm struct{ *harm }

func (h shareHarm) take(s sample) { h.table(s.table()) }

// shareSafety likewise.
type shareSafety struct{ *safety }

func (h shareSafety) take(s sample) { h.table(s.table()) }

func (h shareSafety) part() SafetyPart {
	return SafetyPart{E: capped(h.log()), Ratio: capped(h.ratio.log()), Absolute: capped(h.absolute.logE)}
}

// scoreSafety is the e-process against "the mean score is lower by at least the
// margin". A score has no odds, so that there is no ratio.
type scoreSafety struct{ *marginBets }

func (h scoreSafety) take(s sample) {
	s.parts(func(m means) { h.marginBets.take(m.bad[canary] - m.bad[stable]) })
}

func (h scoreSafety) part() SafetyPart {
	return SafetyPart{E: capped(h.log()), Absolute: capped(h.log())}
}

// badness returns how bad a value of a kind is, from 0 to 1; for an amount, which has
// no bound, the amount itself, and for a preference 1 where the old answer is better.
func badness(r Reported) func(float64) float64 {
	switch r.Kind {
	case fairlead.KindSuccess, fairlead.KindScore, fairlead.KindPreference:
		return func(v float64) float64 { return 1 - v }
	}
	return func(v float64) float64 { return v }
}

// newReadings returns the readings of a signal that is judged; none for a preference,
// which comes in pairs, and for an amount without thresholds.
func newReadings(r Reported, tolerance float64) []*reading {
	switch r.Kind {
	case fairlead.KindPreference:
		return nil
	case fairlead.KindScore:
		v := newReading(r, r.Name, badness(r))
		v.mean = &difference{}
		v.harm = newMixture(func() reportHarm { return scoreHarm{newBets(tolerance)} })
		v.proof = func() reportSafety { return scoreSafety{newMarginBets(r.MarginAbsolute)} }
		return []*reading{v}
	case fairlead.KindAmount:
		return amountReadings(r, tolerance)
	}
	return []*reading{newReading(r, r.Name, badness(r)).compareShares(r, tolerance)}
}

func amountReadings(r Reported, tolerance float64) []*reading {
	if r.Thresholds == [3]float64{} {
		return nil
	}
	var readings []*reading
	for i, quantile := range [3]string{"p50", "p90", "p99"} {
		beyond := func(v float64) float64 {
			if v > r.Thresholds[i] {
				return 1
			}
			return 0
		}
		readings = append(readings, newReading(r, r.Name+" "+quantile, beyond).compareShares(r, tolerance))
	}
	return readings
}

func newReading(r Reported, name string, bad func(float64) float64) *reading {
	return &reading{name: name, kind: r.Kind, protected: r.Protected, bad: bad}
}

func (v *reading) compareShares(r Reported, tolerance float64) *reading {
	v.harm = newMixture(func() reportHarm { return shareHarm{newHarmAgainst(tolerance, reportRatios[:])} })
	v.proof = func() reportSafety {
		return shareSafety{newSafety(Config{MarginRatio: r.MarginRatio, MarginAbsolute: r.MarginAbsolute})}
	}
	return v
}

// count counts a unit's first report for people.
func (v *reading) count(r record) {
	v.units[r.arm]++
	v.sums[r.arm] += min(r.value, 1e290)
	if v.bad(r.value) > 0.5 {
		v.hits[r.arm]++
	}
}

// judge takes a test block as evidence of harm.
func (v *reading) judge(records []record) {
	for _, n := range v.harm.alive {
		n.test.take(sample{records, n.number, v.bad})
	}
	first := sample{records, 0, v.bad} // as the rollout sees it, also when the start was given up
	if v.mean == nil {
		v.odds.table(first.table())
		return
	}
	first.parts(func(m means) {
		weight := float64(m.n[stable]*m.n[canary]) / float64(m.n[stable]+m.n[canary])
		v.mean.take(m.bad[stable]-m.bad[canary], weight)
	})
}
