package judge

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
)

// script writes blocks by hand. Units are small numbers; stable's and canary's
// are whatever the test says.
type script struct {
	seq  uint64
	boot string
}

func (s *script) block(cells ...fairlead.Cell) fairlead.Block {
	s.seq++
	b := fairlead.Block{Gateway: s.boot, Seq: s.seq, Cells: cells}
	for _, c := range cells {
		b.At = max(b.At, c.Second*1000+999)
	}
	return b
}

func units(from, n int) fairlead.Units {
	var u fairlead.Units
	for i := range n {
		u = append(u, uint64(from+i))
	}
	return u
}

// at makes a cell with units and failures of both arms.
func at(second int64, stable, canary, stableFails, canaryFails fairlead.Units) fairlead.Cell {
	c := fairlead.Cell{Second: second, Epoch: 1}
	c.Stable.Units, c.Canary.Units = stable, canary
	c.Stable.Requests, c.Canary.Requests = uint32(len(stable)), uint32(len(canary))
	c.Stable.Hits[fairlead.Failures], c.Canary.Hits[fairlead.Failures] = stableFails, canaryFails
	c.Stable.Failed[fairlead.ServerError], c.Canary.Failed[fairlead.ServerError] = uint32(len(stableFails)), uint32(len(canaryFails))
	return c
}

func complete(c fairlead.Cell) fairlead.Cell { c.Complete = true; return c }

// begun returns a judge in its first step, half of the units on the canary.
func begun(c Config) (*Judge, *script) {
	j := New(c)
	j.Step(1, 5000, 0)
	return j, &script{boot: "g1"}
}

// failures returns the report of the failures signal.
func failures(j *Judge) SignalReport { return j.Report().Signals[0] }

// harmOf is the e-value of failures from given tables alone.
func harmOf(tables ...table) float64 {
	h := newHarm(1)
	for _, t := range tables {
		h.table(t)
	}
	return 0.5*math.Exp(h.log()) + 0.5
}

// betsOf is the log evidence from seconds with these differences alone.
func betsOf(differences ...float64) float64 {
	sum := 0.0
	for i, stake := range stakes {
		wealth := stakeMasses[i]
		for _, x := range differences {
			wealth *= 1 + stake*x
		}
		sum += wealth
	}
	return math.Log(sum)
}

func wantHarm(t *testing.T, j *Judge, tables ...table) {
	t.Helper()
	if got, want := failures(j).Harm, harmOf(tables...); !near(got, want) {
		t.Errorf("evidence of harm is %v, want %v", got, want)
	}
}

func TestHarmNeedsNoCompleteCells(t *testing.T) {
	j, s := begun(defaults)
	j.Observe(s.block(at(10, units(0, 20), units(100, 20), nil, units(100, 2))))
	wantHarm(t, j, table{n: [2]int{20, 20}, y: [2]int{0, 2}})
	j.Observe(s.block(at(10, nil, nil, units(0, 1), units(102, 3))))
	wantHarm(t, j, table{n: [2]int{20, 20}, y: [2]int{0, 2}}, table{n: [2]int{20, 18}, y: [2]int{1, 3}})
	if e := failures(j).Safety.E; e != 1 {
		t.Errorf("evidence of safety is %v before any cell is complete", e)
	}
}

func TestAUnitFailsOnceInARollout(t *testing.T) {
	j, s := begun(defaults)
	j.Observe(s.block(at(10, units(0, 20), units(100, 20), nil, units(100, 1))))
	j.Observe(s.block(at(11, units(0, 20), units(100, 20), nil, units(100, 1))))
	j.Observe(s.block(at(12, units(0, 20), units(100, 20), units(3, 1), units(100, 1))))
	wantHarm(t, j, table{n: [2]int{20, 20}, y: [2]int{0, 1}}, table{n: [2]int{20, 19}, y: [2]int{1, 0}})
	if got := failures(j).Canary; got.Hit != 1 || got.AtRisk != 20+19+19 {
		t.Errorf("canary: %+v", got)
	}
}

func TestAUnitThatFailedBeforeItMovedIsNotAtRiskAgain(t *testing.T) {
	j, s := begun(defaults)
	j.Observe(s.block(at(10, units(0, 20), units(100, 20), units(0, 1), nil)))
	moved := at(11, units(1, 19), units(0, 1), nil, units(0, 1))
	moved.Canary.Units = append(moved.Canary.Units, units(100, 20)...)
	j.Observe(s.block(moved))
	wantHarm(t, j, table{n: [2]int{20, 20}, y: [2]int{1, 0}})
}

func TestFewCanaryUnitsWaitForMore(t *testing.T) {
	j, s := begun(defaults)
	j.Observe(s.block(at(10, units(0, 20), units(100, 1), units(0, 1), units(100, 1))))
	j.Observe(s.block(at(11, units(20, 20), units(101, 1), nil, nil)))
	wantHarm(t, j)
	j.Observe(s.block(at(12, units(40, 20), units(102, 1), nil, nil)))
	wantHarm(t, j, table{n: [2]int{60, 3}, y: [2]int{1, 1}})
}

func TestATestBlockNeverSpansEpochs(t *testing.T) {
	j, s := begun(defaults)
	j.Observe(s.block(at(10, units(0, 20), units(100, 2), units(0, 1), nil)))
	j.Step(2, 6000, 0)
	next := at(11, units(20, 20), units(102, 4), nil, units(102, 1))
	next.Epoch = 2
	j.Observe(s.block(next))
	wantStart := func(tables ...table) float64 {
		h := newHarm(1)
		for _, t := range tables {
			h.table(t)
		}
		return h.log()
	}
	want := wantStart(table{n: [2]int{20, 2}, y: [2]int{1, 0}}, table{n: [2]int{20, 4}, y: [2]int{0, 1}})
	if got := j.harm.alive[0].log(0); !near(got, want) {
		t.Errorf("log E from the start is %v, want %v", got, want)
	}
}

func TestLateOutcomesOfAnOlderEpochCountForHarmOnly(t *testing.T) {
	j, s := begun(defaults)
	j.Observe(s.block(at(10, units(0, 20), units(100, 20), nil, nil)))
	j.Step(2, 6000, 0)
	j.Observe(s.block(complete(at(10, nil, nil, nil, units(100, 3)))))
	wantHarm(t, j, table{n: [2]int{20, 20}, y: [2]int{0, 3}})
	if len(j.queue) != 0 || failures(j).Safety.E != 1 {
		t.Error("a cell of an older epoch counts for safety")
	}
}

func TestCellsBeforeTheFirstStepAreIgnored(t *testing.T) {
	j := New(defaults)
	s := &script{boot: "g1"}
	j.Observe(s.block(at(10, units(0, 20), units(100, 20), nil, units(100, 20))))
	j.Step(2, 5000, 0)
	j.Observe(s.block(at(11, units(0, 20), units(100, 20), nil, units(100, 20))))
	wantHarm(t, j)
	if v := New(defaults).Verdict(); v.Finding != fairlead.Inconclusive || v.Blocked == "" {
		t.Errorf("without a step the verdict is %+v", v)
	}
}

func TestSafetyWaitsForEarlierCells(t *testing.T) {
	j, s := begun(defaults)
	j.Observe(s.block(at(10, units(90000, 200), units(91000, 200), nil, nil)))
	for i := range 20 {
		at := complete(at(int64(11+i), units(300*i, 200), units(10000+300*i, 200), units(300*i, 2), nil))
		j.Observe(s.block(at))
	}
	if r := j.Report(); r.Safety.E != 1 || r.Waiting != 21 {
		t.Errorf("safety %v with %d cells waiting before the first is complete", r.Safety.E, r.Waiting)
	}
	j.Observe(s.block(complete(at(10, nil, nil, nil, nil))))
	if r := j.Report(); r.Safety.E <= 20 || r.Waiting != 0 || r.Verdict.Finding != fairlead.Safe {
		t.Errorf("after it: %+v", r.Verdict)
	}
}

func TestWarmupIgnoresLatencyNeverFailures(t *testing.T) {
	config := defaults
	config.Latency = true
	j := New(config)
	j.Step(1, 5000, time.Second)
	s := &script{boot: "g1"}
	slow := func(second int64) fairlead.Cell {
		c := complete(at(second, units(0, 50), units(100, 50), nil, units(100, 2)))
		c.Canary.Hits[fairlead.SlowP90] = units(120, 20)
		return c
	}
	j.Observe(s.block(slow(10)))
	r := j.Report()
	if r.Signals[0].Harm <= 1 || r.Signals[2].Harm != 1 || r.Signals[2].Canary.AtRisk != 0 || r.Signals[2].Canary.Hit != 0 {
		t.Errorf("in the warm-up: %+v", r.Signals)
	}
	j.Observe(s.block(slow(11)))
	r = j.Report()
	if !near(r.Signals[2].Harm, 0.5*math.Exp(betsOf(0.4))+0.5) || r.Signals[2].Canary.AtRisk != 50 || r.Signals[2].Canary.Hit != 20 {
		t.Errorf("after it: %+v", r.Signals[2])
	}
}

// proven returns a judge that has just found safety.
func proven(t *testing.T) (*Judge, *world) {
	t.Helper()
	w := newWorld(1, 500, 5000)
	w.fails = risks(0.005, 0.005)
	j := New(defaults)
	j.Step(1, 5000, 0)
	if v, _ := w.run(j, 200); v.Finding != fairlead.Safe {
		t.Fatalf("a good release is %+v", v)
	}
	return j, w
}

func TestABlockCountsOnce(t *testing.T) {
	w := newWorld(3, 100, 2500)
	w.fails = risks(0.02, 0.04)
	once, twice := New(defaults), New(defaults)
	once.Step(1, 2500, 0)
	twice.Step(1, 2500, 0)
	for range 30 {
		b := w.block()
		once.Observe(b)
		twice.Observe(b)
		twice.Observe(b)
	}
	if !reflect.DeepEqual(once.Report(), twice.Report()) {
		t.Error("a repeated block changed the evidence")
	}
}

func TestInterruptStartsSafetyAfresh(t *testing.T) {
	j, w := proven(t)
	j.Interrupt("the lease ran out")
	if r := j.Report(); r.Safety.E != 1 || !strings.Contains(r.Verdict.Blocked, "the lease ran out") {
		t.Errorf("after an interruption: %+v", r.Verdict)
	}
	if v, n := w.run(j, 200); v.Finding != fairlead.Safe || v.Blocked != "" || n < 3 {
		t.Errorf("safety earned again after %d blocks: %+v", n, v)
	}
}

func TestStepsEarnSafetyAfresh(t *testing.T) {
	j, w := proven(t)
	w.step(j, 2, 9500)
	if v := j.Verdict(); v.Finding != fairlead.Inconclusive || v.E != 1 && v.E < 0 {
		t.Errorf("at the start of a step: %+v", v)
	}
	if r := j.Report(); r.Safety.E != 1 {
		t.Errorf("evidence of safety %v at the start of a step", r.Safety.E)
	}
}

func TestHarmfulBeatsSafeAndStays(t *testing.T) {
	j, s := begun(defaults)
	for i := range 4 {
		j.Observe(s.block(complete(at(int64(10+i), units(100*i, 100), units(10000+100*i, 100), nil, units(10000+100*i, 30)))))
	}
	if v := j.Verdict(); v.Finding != fairlead.Harmful || v.Signal != "failures" || v.E < v.Needed {
		t.Fatalf("a broken canary is %+v", v)
	}
	for i := range 400 {
		j.Observe(s.block(complete(at(int64(20+i), units(100000+100*i, 100), units(900000+100*i, 100), units(100000+100*i, 5), nil))))
	}
	if v := j.Verdict(); v.Finding != fairlead.Harmful {
		t.Errorf("later it is %+v", v)
	}
}

func TestAWrongShareOfUnitsBlocksSafeNotHarmful(t *testing.T) {
	w := newWorld(5, 500, 2500)
	w.fails = risks(0.005, 0.005)
	j := New(defaults)
	j.Step(1, 2000, 0)
	v, _ := w.run(j, 100)
	if r := j.Report(); v.Finding != fairlead.Inconclusive || !r.Share.Mismatch || !strings.Contains(v.Blocked, "units at a weight of 20 %") {
		t.Errorf("at a share of 25 %% for 20 %%: %+v", v)
	}
	w.fails = risks(0.005, 0.1)
	if v, _ := w.run(j, 100); v.Finding != fairlead.Harmful {
		t.Errorf("then broken: %+v", v)
	}
}

func TestASharedIncidentBlocksSafeAndIsNotHarm(t *testing.T) {
	w := newWorld(6, 500, 5000)
	w.fails = risks(0.005, 0.005)
	j := New(Config{Alpha: 1.0 / 300, Beta: 1e-200, Tolerance: 1, MarginRatio: 2, MarginAbsolute: 0.01})
	j.Step(1, 5000, 0)
	w.run(j, 60)
	if j.Report().Shared {
		t.Error("an incident is seen in ordinary traffic")
	}
	w.fails = risks(0.4, 0.4)
	v, _ := w.run(j, 60)
	if r := j.Report(); !r.Shared || v.Finding != fairlead.Inconclusive || !strings.Contains(v.Blocked, "shared incident") {
		t.Errorf("in an outage of both: %+v", v)
	}
	w.fails = risks(0.005, 0.005)
	w.run(j, 60)
	if j.Report().Shared {
		t.Error("the incident is not over")
	}
}

func TestAllTrafficOnOneReleaseProvesNothing(t *testing.T) {
	for _, weight := range []fairlead.Weight{0, fairlead.Whole} {
		w := newWorld(7, 200, weight)
		w.fails = risks(0.5, 0.5)
		j := New(defaults)
		j.Step(1, weight, 0)
		v, _ := w.run(j, 50)
		if v.Finding != fairlead.Inconclusive || !strings.Contains(v.Blocked, "nothing to compare") || j.budget.harm() > 1e-9 {
			t.Errorf("at %s: %+v", weight, v)
		}
	}
}

func TestRestartsArgueForHarmOnly(t *testing.T) {
	j, _ := begun(defaults)
	for range 30 {
		j.Restarts(Restarts{Stable: ArmRestarts{ReplicaSeconds: 30}, Canary: ArmRestarts{Restarts: 1, OOMKills: 1, ReplicaSeconds: 10}})
	}
	if v := j.Verdict(); v.Finding != fairlead.Harmful || v.Signal != "restarts" {
		t.Errorf("when only the canary restarts: %+v", v)
	}
	j, _ = begun(defaults)
	for range 1000 {
		j.Restarts(Restarts{Stable: ArmRestarts{Restarts: 1, ReplicaSeconds: 30}, Canary: ArmRestarts{ReplicaSeconds: 10}})
	}
	j.Restarts(Restarts{Canary: ArmRestarts{Restarts: 5}})
	j.Restarts(Restarts{Canary: ArmRestarts{Restarts: 5, ReplicaSeconds: math.NaN()}})
	if v := j.Verdict(); v.Finding != fairlead.Inconclusive || j.Report().Safety.E != 1 {
		t.Errorf("when only stable restarts: %+v", v)
	}
}

func TestExpectedTimeIsAboutRight(t *testing.T) {
	w := newWorld(8, 100, 1000)
	w.fails = risks(0.005, 0.03)
	j := New(defaults)
	j.Step(1, 1000, 0)
	if j.Report().Expected != nil {
		t.Error("a time is expected before anything was seen")
	}
	told := false
	for i := range 300 {
		j.Observe(w.block())
		r := j.Report()
		told = told || r.Expected != nil && *r.Expected < 300
		if r.Verdict.Finding == fairlead.Harmful {
			if r.Expected != nil || !told {
				t.Errorf("after %d blocks: expected %v, told before: %v", i, r.Expected, told)
			}
			return
		}
	}
	t.Error("harm was not found")
}

func TestReportsAreJSONAndFiniteWhateverHappens(t *testing.T) {
	config := defaults
	config.Latency = true
	j := New(config)
	check := func() {
		t.Helper()
		if _, err := json.Marshal(j.Report()); err != nil {
			t.Fatal(err)
		}
	}
	check()
	j.Step(1, 5000, 0)
	check()
	w := newWorld(9, 1000, 5000)
	w.fails, w.late = risks(0, 1), lates(50)
	for range 300 {
		j.Observe(w.block())
	}
	check()
	if r := j.Report(); r.Harm.E < 9e299 || r.Signals[0].OddsRatio == nil || r.Signals[0].OddsRatio.Low < 30 {
		t.Errorf("a release that always fails: %+v", r)
	}
	j.Step(2, fairlead.Whole, 0)
	check()
}

func TestStrangeBlocksDoNoHarm(t *testing.T) {
	j, s := begun(defaults)
	both := at(10, units(0, 50), units(0, 50), units(0, 5), units(0, 5)) // in both arms
	j.Observe(s.block(both, both, fairlead.Cell{Second: -5, Epoch: 1}))
	j.Observe(s.block(at(11, nil, nil, nil, units(500, 50)))) // hits of unknown units
	j.Observe(s.block())
	late := complete(at(10, nil, nil, nil, nil))
	j.Observe(s.block(late, late)) // complete twice
	j.Observe(fairlead.Block{})
	if v := j.Verdict(); v.Finding != fairlead.Inconclusive || math.IsNaN(v.E) {
		t.Errorf("after strange blocks: %+v", v)
	}
}

func TestTheSameBlocksGiveTheSameReport(t *testing.T) {
	config := defaults
	config.Latency = true
	run := func() string {
		w := newWorld(11, 200, 2500)
		w.pool, w.fails, w.slow, w.late = 500, frail(0.3, 0.5), risks(0.01, 0.01), lates(1.1)
		j := New(config)
		j.Step(1, 2500, 5*time.Second)
		w.run(j, 40)
		w.step(j, 2, 5000)
		w.run(j, 400)
		out, _ := json.Marshal(j.Report())
		return fmt.Sprintf("%s %x", out, math.Float64bits(j.budget.harm()))
	}
	if a, b := run(), run(); a != b {
		t.Errorf("two runs differ:\n%s\n%s", a, b)
	}
}
