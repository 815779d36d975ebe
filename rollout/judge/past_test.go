package judge

import (
	"testing"

	"github.com/fairlead/fairlead"
)

// streaming is a world whose seconds are complete at once, and of whose requests some
// fail wait seconds later: in a cell of their second that comes again.
type streaming struct {
	*world
	breaks [2]float64
	wait   int
	recent []fairlead.Cell
}

func newStreaming(seed uint64, rate float64, weight fairlead.Weight, wait int, stable, canary float64) *streaming {
	return &streaming{world: newWorld(seed, rate, weight), breaks: [2]float64{stable, canary}, wait: wait}
}

func (s *streaming) second() fairlead.Block {
	b := s.block()
	s.recent = append(s.recent, b.Cells[0])
	if len(s.recent) > s.wait {
		then := s.recent[0]
		s.recent = s.recent[1:]
		again := fairlead.Cell{Second: then.Second, Epoch: then.Epoch, Complete: true}
		for arm, units := range [2]fairlead.Units{then.Stable.Units, then.Canary.Units} {
			to := [2]*fairlead.Arm{&again.Stable, &again.Canary}[arm]
			for _, u := range units {
				if s.rng.Float64() < s.breaks[arm] {
					to.Hits[fairlead.Failures] = append(to.Hits[fairlead.Failures], u)
					to.Failed[fairlead.Reset]++
				}
			}
		}
		if again.Stable.Failed[fairlead.Reset]+again.Canary.Failed[fairlead.Reset] > 0 {
			b.Cells = append([]fairlead.Cell{again}, b.Cells...)
		}
	}
	return b
}

func (s *streaming) run(j *Judge, n int) (fairlead.Verdict, int) {
	for i := 1; i <= n; i++ {
		j.Observe(s.second())
		if v := j.Verdict(); v.Finding != fairlead.Inconclusive {
			return v, i
		}
	}
	return j.Verdict(), n
}

func TestStreamsThatBreakAfterTheirSecondCountedAreHarm(t *testing.T) {
	for _, c := range []struct {
		rate, breaks float64
		wait, within int
	}{{20, 1, 40, 60}, {20, 0.2, 40, 120}, {500, 1, 200, 215}, {500, 0.2, 400, 440}} {
		o := many(20, fairlead.Harmful, func(seed uint64) (fairlead.Verdict, int) {
			s := newStreaming(seed, c.rate, 1000, c.wait, 0.002, c.breaks)
			j := New(Config{Alpha: 1.0 / 300, Beta: 1e-250, Tolerance: 1, MarginRatio: 2, MarginAbsolute: 0.01})
			j.Step(1, 1000, 0)
			return s.run(j, c.within)
		})
		t.Logf("%g rps, %g %% break after %d s: harmful in %d of %d, median %d s", c.rate, 100*c.breaks, c.wait, o.reached, o.runs, o.median)
		if o.reached < o.runs*9/10 {
			t.Errorf("%+v: %+v", c, o)
		}
	}
}

func TestStreamsThatBreakAlikeAreNoHarm(t *testing.T) {
	o := many(scaled(200), fairlead.Harmful, func(seed uint64) (fairlead.Verdict, int) {
		s := newStreaming(seed, 30, 2500, 35, 0.1, 0.1)
		s.pool = 500
		j := New(Config{Alpha: 0.05, Beta: 1e-250, Tolerance: 1, MarginRatio: 2, MarginAbsolute: 0.01})
		j.Step(1, 2500, 0)
		return s.run(j, 150)
	})
	t.Logf("harmful: %d of %d", o.reached, o.runs)
	if o.reached > o.runs/20 {
		t.Errorf("%+v", o)
	}
}

func TestStreamsThatBreakLateKeepAReleaseFromBeingSafe(t *testing.T) {
	for _, c := range []struct {
		name           string
		stable, canary float64
		safe           func(share float64) bool
	}{
		{"more often", 0.04, 0.08, func(share float64) bool { return share <= 0.1 }},
		{"alike", 0.01, 0.01, func(share float64) bool { return share >= 0.9 }},
	} {
		o := many(scaled(40), fairlead.Safe, func(seed uint64) (fairlead.Verdict, int) {
			s := newStreaming(seed, 60, 2500, 31, c.stable, c.canary)
			j := New(Config{Alpha: 1e-250, Beta: 0.05, Tolerance: 1, MarginRatio: 2, MarginAbsolute: 0.04})
			j.Step(1, 2500, 0)
			for range 40 { // as a step that lasts that long
				j.Observe(s.second())
			}
			return s.run(j, 400)
		})
		t.Logf("%s: safe in %d of %d, median %d s after the first 40", c.name, o.reached, o.runs, o.median)
		if !c.safe(float64(o.reached) / float64(o.runs)) {
			t.Errorf("%s: %+v", c.name, o)
		}
	}
}

func TestASecondThatComesAgainIsNotWaitedForAndSetsNothingBack(t *testing.T) {
	s := newStreaming(1, 20, 2500, 35, 0.5, 0)
	j := New(defaults)
	j.Step(1, 2500, 0)
	ended := int64(0)
	for range 120 {
		j.Observe(s.second())
		if j.reports.ended < ended {
			t.Fatalf("all requests had ended up to %d, and now up to %d", ended, j.reports.ended)
		}
		ended = j.reports.ended
		if len(j.queue) > 0 || len(j.latency.queue) > 0 || len(j.cells) > 0 {
			t.Fatalf("%d seconds are waited for, and %d known", len(j.queue), len(j.cells))
		}
	}
}

func TestAReportInATrailerIsALateOne(t *testing.T) {
	config := defaults
	config.Reported = []Reported{{Name: "bad", Kind: fairlead.KindFailure, MarginRatio: 2, MarginAbsolute: 0.01}}
	j := New(config)
	j.Step(1, 5000, 0)
	observe := func(seq uint64, c fairlead.Cell) {
		j.Observe(fairlead.Block{Gateway: "g", Seq: seq, At: c.Second * 1000, Cells: []fairlead.Cell{c}})
	}
	one := fairlead.Arm{Requests: 1, Units: fairlead.Units{7}}
	observe(1, fairlead.Cell{Second: 100, Epoch: 1, Complete: true, Stable: one})
	observe(2, fairlead.Cell{Second: 300, Epoch: 1, Complete: true, Stable: one})
	trailer := fairlead.Arm{Reports: map[string]fairlead.Reports{"bad": {{Unit: 7, Value: 1}}}}
	observe(3, fairlead.Cell{Second: 100, Epoch: 1, Complete: true, Stable: trailer})
	if usual := j.reports.declared[0].queue.usual(); usual < 200 {
		t.Errorf("a report that came 200 s late is taken for one of %d s", usual)
	}
}

func TestThePastIsBounded(t *testing.T) {
	for _, rate := range []float64{30, 2000} {
		w := newWorld(1, rate, 1000)
		j := New(defaults)
		j.Step(1, 1000, 0)
		for range 900 {
			j.Observe(w.block())
			if len(j.past.units) > pastUnits {
				t.Fatalf("%d units are remembered", len(j.past.units))
			}
		}
		oldest := j.newest - j.past.groups[0].to
		t.Logf("%g rps: %d units of %d s, one test block of %d", rate, len(j.past.units), oldest, 1<<j.past.every)
		if oldest < pastSeconds*8/10 || oldest > pastSeconds*12/10 {
			t.Errorf("the oldest is %d s old", oldest)
		}
	}
}
