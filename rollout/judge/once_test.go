package judge

import (
	"math"
	"testing"

	"github.com/fairlead/fairlead"
)

func TestAUnitThatReportsAgainAndAgainClosesNoTestBlock(t *testing.T) {
	j, s := qualityBegun(fairlead.KindFailure, true)
	j.Observe(s.block(told(1200, nil, nil)))
	var reports []fairlead.LateReport
	for range 3 {
		for i := range uint64(14) {
			reports = append(reports, late(1200, i%2 == 0, i, float64((i+1)%2)))
		}
	}
	j.Late(reports)
	if r := reportOf(t, j, "quality"); r.Harm != 1 || r.Canary.AtRisk != 7 {
		t.Errorf("14 units with three reports each: %+v", r)
	}
}

func TestAReportOfAnEpochBeforeTheFirstStepIsNoEvidence(t *testing.T) {
	j := New(qualityJudge(defaults, fairlead.KindFailure, true))
	j.Step(3, 5000, 0)
	for epoch := range uint32(5) {
		r := late(1200, true, uint64(epoch), 1)
		r.Epoch = epoch
		j.Late([]fairlead.LateReport{r})
	}
	if r := reportOf(t, j, "quality"); r.Canary.AtRisk != 1 || j.Report().Ignored.Other != 4 {
		t.Errorf("of epochs 0 to 4 only 3 is the rollout's: %+v, ignored %+v", r, j.Report().Ignored)
	}
}

func TestScoresAreBetAsTheFormulaSays(t *testing.T) {
	b := newMarginBets(0.2)
	b.take(0.04)
	want := 0.0
	for _, stake := range stakes {
		want += (1 + stake*(0.2-0.04)/(1-0.2)) / float64(len(stakes))
	}
	if got := math.Exp(b.log()); !near(got, want) {
		t.Errorf("wealth %v against a margin, want %v", got, want)
	}
	h := scoreHarm{newBets(1.25)}
	before := h.log()
	h.take(sample{records: []record{
		{unit: 1, arm: stable, value: 0.4, span: span{-1, 0}}, {unit: 2, arm: canary, value: 0.5, span: span{-1, 0}},
	}, bad: func(v float64) float64 { return v }})
	if after := h.log(); !near(after, before) {
		t.Errorf("a mean that is exactly the tolerance times the other's changed the evidence from %v to %v", before, after)
	}
}

func TestASecondOfFailuresSaysOnlySoMuchAlsoAfterBusyOnes(t *testing.T) {
	h := newSecondsHarm(1)
	h.table(table{n: [2]int{30, 10}, y: [2]int{1, 1}}, 3) // failures that came in three seconds
	h.next()
	before := h.log()
	h.table(table{n: [2]int{1000, 100}, y: [2]int{0, 60}}, 1)
	if gain := h.log() - before; gain > secondMost+1e-9 || gain < secondMost-1e-9 {
		t.Errorf("one second multiplied the evidence by %v, want %v", math.Exp(gain), math.Exp(secondMost))
	}
}

func TestOnlyReportsOfTheStepsOwnRequestsMayProveIt(t *testing.T) {
	j, s := qualityBegun(fairlead.KindFailure, true)
	j.Observe(s.block(told(1200, nil, nil)))
	j.Step(2, 9000, 0)
	if j.moment(1, 1200).safe || !j.moment(2, 1200).safe {
		t.Error("what an earlier step's requests report counts for this one")
	}
	j.Interrupt("a test")
	if j.moment(2, 1200).safe || !j.moment(2, 1201).safe {
		t.Error("what requests before an interruption report counts after it")
	}
}

func TestAUnitsFirstReportOfAStepIsItsOnlyProof(t *testing.T) {
	r := newReported(Reported{Name: "quality", Kind: fairlead.KindFailure, Protected: true, MarginRatio: 2, MarginAbsolute: 0.01}, 1)
	for second := range int64(40) {
		r.take(moment{epoch: 1, second: second, now: second, safe: true}, canary, 7, 0)
	}
	r.settle(1000, 1000)
	if n := len(r.block.records); n != 1 {
		t.Errorf("40 reports of one unit left %d in the open test block, want 1", n)
	}
}

func TestFailuresOfOneSecondCameInOneSecond(t *testing.T) {
	g := newGroup(0, 1, 0)
	for i, second := range []int64{5, 5, 5, 6, 6} {
		g.fail(hit{uint64(i), fairlead.Failures}, second)
		if want := 1 + i/3; g.came != want {
			t.Errorf("after %d failures: came in %d seconds, want %d", i+1, g.came, want)
		}
	}
}

func TestAUnitsFirstDiscordantPairOfAStepIsItsOnlyProof(t *testing.T) {
	p := newPairs("failures", fairlead.KindFailure, 1, margins{2, 0.01})
	for second := range int64(20) {
		p.take(moment{epoch: 1, second: second, now: second, safe: true}, 7, -1)
	}
	p.settle(1000, 1000)
	once := newPairSafety(2, 0.01, true)
	once.ratio.discordant(stable)
	if !near(p.safe.ratio.log(), once.ratio.log()) {
		t.Errorf("twenty wins of one unit are evidence %v, want that of one, %v", p.safe.ratio.log(), once.ratio.log())
	}
}
