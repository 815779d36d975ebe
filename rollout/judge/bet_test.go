package judge

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead"
)

// Any joint distribution of the hits of a block serves, as long as the means of
// the shares are in the null: here some outcomes with weights, the canary's made
// less often until they are.
func TestBetsHaveMeanAtMostOneHoweverHitsComeTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := [2]int{rapid.IntRange(1, 9).Draw(t, "stable"), rapid.IntRange(1, 9).Draw(t, "canary")}
		tolerance := rapid.SampledFrom([]float64{0.5, 1, 1.5, 4}).Draw(t, "tolerance")
		var outcomes []table
		var weights, shares []float64
		total, means := 0.0, [2]float64{}
		for range rapid.IntRange(1, 5).Draw(t, "outcomes") {
			y := [2]int{rapid.IntRange(0, n[0]).Draw(t, "ys"), rapid.IntRange(0, n[1]).Draw(t, "yc")}
			w := rapid.Float64Range(0.01, 1).Draw(t, "weight")
			outcomes, weights, total = append(outcomes, table{n: n, y: y}), append(weights, w), total+w
			for arm := range means {
				means[arm] += w * float64(y[arm]) / float64(n[arm])
			}
		}
		// With this probability the canary's hits stay, else it has none.
		keep := min(1, max(1, tolerance)*means[stable]/max(means[canary], 1e-12))
		shares = append(shares, keep, 1-keep)
		mean := 0.0
		for i, o := range outcomes {
			for k, share := range shares {
				if k == 1 {
					o.y[canary] = 0
				}
				b := newBets(tolerance)
				b.table(o)
				mean += weights[i] / total * share * math.Exp(b.log())
			}
		}
		if mean > 1+1e-9 {
			t.Fatalf("mean %v", mean)
		}
	})
}

func TestOneSecondNeverMoreThanDoublesTheEvidence(t *testing.T) {
	b := newBets(1)
	b.table(table{n: [2]int{1000, 1000}, y: [2]int{0, 1000}})
	if e := math.Exp(b.log()); e <= 1 || e >= 2 {
		t.Errorf("a second in which the whole canary stands still multiplies it by %v", e)
	}
}

// slowAt is a complete cell of 10 units of each arm, of which so many are slow.
func slowAt(second int64, stable, canary int) fairlead.Cell {
	from := int(second) * 1000
	c := complete(at(second, units(from, 10), units(from+500, 10), nil, nil))
	c.Stable.Hits[fairlead.SlowP90], c.Canary.Hits[fairlead.SlowP90] = units(from, stable), units(from+500, canary)
	return c
}

// slowJudge returns a judge of latency in its first step.
func slowJudge() (*Judge, *script) {
	c := defaults
	c.Latency = true
	return begun(c)
}

func wantBets(t *testing.T, j *Judge, differences ...float64) {
	t.Helper()
	if got, want := j.Report().Signals[fairlead.SlowP90].Harm, 0.5*math.Exp(betsOf(differences...))+0.5; !near(got, want) {
		t.Errorf("evidence of harm is %v, want %v", got, want)
	}
}

func TestLatencyWaitsForTheOutcomesOfItsSecondAndOfThoseBefore(t *testing.T) {
	j, s := slowJudge()
	first := slowAt(10, 1, 4)
	first.Complete = false
	j.Observe(s.block(first))
	j.Observe(s.block(slowAt(11, 2, 7)))
	wantBets(t, j)
	last := fairlead.Cell{Second: 10, Epoch: 1, Complete: true}
	last.Canary.Hits[fairlead.SlowP90] = units(10*1000+504, 2)
	j.Observe(s.block(last))
	wantBets(t, j, 0.6-0.1, 0.7-0.2)
}

func TestSecondsWithoutUnitsOfBothArmsAreMerged(t *testing.T) {
	j, s := slowJudge()
	alone := slowAt(10, 3, 0)
	alone.Canary = fairlead.Arm{}
	j.Observe(s.block(alone))
	wantBets(t, j)
	j.Observe(s.block(slowAt(11, 1, 5)))
	wantBets(t, j, 0.5-0.2)
}

func TestASecondIsOneObservationForTwoGateways(t *testing.T) {
	j, s := slowJudge()
	other := &script{boot: "g2"}
	j.Observe(s.block(slowAt(10, 1, 5)))
	again := slowAt(10, 0, 10)
	again.Canary.Units = units(70_000, 10)
	j.Observe(other.block(again))
	wantBets(t, j, 0.4)
}

// A clock that was ahead is put right while gateways follow each other: what the next
// one sees counts at once, not only when its clock is where the other one was.
func TestAGatewayWhoseClockIsBehindItsPredecessorsIsJudgedByLatencyAtOnce(t *testing.T) {
	j, s := slowJudge()
	other := &script{boot: "g2"}
	j.Observe(s.block(slowAt(10_000, 1, 5)))
	j.Observe(other.block(slowAt(10, 0, 3)))
	wantBets(t, j, 0.4, 0.3)
}

// A gateway that is killed never says how its open requests ended. What they hold up
// counts when it has been silent for longer than requests are waited for.
func TestAKilledGatewayHoldsUpEvidenceOfLatencyForAWhileOnly(t *testing.T) {
	j, s := slowJudge()
	other := &script{boot: "g2"}
	unfinished := slowAt(9, 0, 0)
	unfinished.Complete = false
	j.Observe(s.block(unfinished))
	j.Observe(other.block(slowAt(10, 0, 5)))
	j.Observe(other.block(fairlead.Cell{Second: 900, Epoch: 1}))
	wantBets(t, j)
	j.Observe(other.block(slowAt(920, 0, 3)))
	if harm := j.Report().Signals[fairlead.SlowP90].Harm; harm < 1.3 { // both seconds, and a little for the later onset
		t.Errorf("evidence of harm is %v", harm)
	}
}

func TestSecondsThatLostOutcomesAreNoEvidenceOfLatency(t *testing.T) {
	j, s := slowJudge()
	begun := slowAt(10, 0, 5)
	begun.Complete = false
	j.Observe(s.block(begun))
	s.seq++ // a block is lost
	j.Observe(s.block(slowAt(11, 0, 3)))
	wantBets(t, j, 0.3)
}

func TestLatencyStartsAfreshWithEachOnset(t *testing.T) {
	j, s := slowJudge()
	for i := range 20 {
		j.Observe(s.block(slowAt(int64(10+i), 5, 0)))
	}
	before := j.Report().Signals[fairlead.SlowP90].Harm
	j.Step(1, 5000, 0)
	for i := range 20 {
		j.Observe(s.block(slowAt(int64(30+i), 0, 5)))
	}
	if after := j.Report().Signals[fairlead.SlowP90].Harm; after < 20*before {
		t.Errorf("after a step that is slow the evidence is %v, before it was %v", after, before)
	}
}
