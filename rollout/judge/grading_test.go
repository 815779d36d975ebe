package judge

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fairlead/fairlead"
)

// grading is simulated traffic whose answers are judged: a block a second, and the
// reports that come by themselves.
type grading struct {
	rng    *rand.Rand
	salt   uint64
	rate   float64 // requests a second
	pool   int     // sessions that send them; 0: each request is a session of its own
	weight fairlead.Weight
	epoch  uint32
	judged [2]float64                                             // how likely an answer of each arm is judged
	value  func(g *grading, arm int, unit uint64) float64         // what a grader says
	delay  func(g *grading, arm int, value float64) int64         // seconds until then; 0 is at once
	active func(unit uint64) float64                              // how likely a unit's request is sent, else another unit's is
	mirror func(g *grading, unit uint64) (stable, canary float64) // of each stable request, where not nil

	now   int64
	seq   uint64
	queue map[int64][]fairlead.LateReport
	told  int // reports that came
}

func newGrading(seed uint64, rate float64, weight fairlead.Weight) *grading {
	return &grading{
		rng: rand.New(rand.NewPCG(seed, 13)), salt: mix(seed+1, 9), rate: rate, weight: weight, epoch: 1, judged: [2]float64{1, 1},
		delay: func(*grading, int, float64) int64 { return 0 }, now: 2_000_000, queue: map[int64][]fairlead.LateReport{},
	}
}

// equally makes graders judge so many answers a second, equally many of both arms.
func (g *grading) equally(answers float64) {
	share := float64(g.weight) / float64(fairlead.Whole)
	g.judged = [2]float64{min(1, answers/2/(g.rate*(1-share))), min(1, answers/2/(g.rate*share))}
}

// second returns the next second's block and the reports that come after it.
func (g *grading) second() (fairlead.Block, []fairlead.LateReport) {
	g.now++
	g.seq++
	cell := fairlead.Cell{Second: g.now, Epoch: g.epoch, Complete: true}
	var told [2]map[uint64]bool
	told[0], told[1] = map[uint64]bool{}, map[uint64]bool{}
	mean, n := g.rate, 0
	for t := g.rng.ExpFloat64(); t < mean; t += g.rng.ExpFloat64() {
		n++
	}
	for range n {
		g.request(&cell, told)
	}
	late := g.queue[g.now]
	delete(g.queue, g.now)
	g.told += len(late)
	return fairlead.Block{Gateway: "g1", Seq: g.seq, At: g.now * 1000, Cells: []fairlead.Cell{cell}}, late
}

func (g *grading) unit() uint64 {
	if g.pool == 0 {
		return g.rng.Uint64()
	}
	for {
		unit := mix(uint64(g.rng.IntN(g.pool))+1, g.salt)
		if g.active == nil || g.rng.Float64() < g.active(unit) {
			return unit
		}
	}
}

func (g *grading) request(cell *fairlead.Cell, told [2]map[uint64]bool) {
	unit := g.unit()
	n, arm := stable, &cell.Stable
	if fairlead.Weight(mix(unit, 1)%10000) < g.weight {
		n, arm = canary, &cell.Canary
	}
	arm.Requests++
	if !told[n][unit] {
		told[n][unit] = true
		arm.Units = append(arm.Units, unit)
	}
	if g.mirror != nil && n == stable {
		s, c := g.mirror(g, unit)
		if cell.Mirrored == nil {
			cell.Mirrored = map[string][]fairlead.Pair{}
		}
		cell.Mirrored["failures"] = append(cell.Mirrored["failures"], fairlead.Pair{Unit: unit, Stable: s, Canary: c})
	}
	if g.value == nil || g.rng.Float64() >= g.judged[n] {
		return
	}
	v := g.value(g, n, unit)
	if d := g.delay(g, n, v); d > 0 {
		g.queue[g.now+d] = append(g.queue[g.now+d], fairlead.LateReport{
			Signal: "quality", Second: g.now, Epoch: g.epoch, Canary: n == canary, Unit: unit, Value: v,
		})
		return
	}
	g.told++
	if arm.Reports == nil {
		arm.Reports = map[string]fairlead.Reports{}
	}
	arm.Reports["quality"] = append(arm.Reports["quality"], fairlead.Report{Unit: unit, Value: v})
}

// step begins a step in the traffic and the judge.
func (g *grading) step(j *Judge, epoch uint32, weight fairlead.Weight) {
	g.epoch, g.weight = epoch, weight
	j.Step(epoch, weight, 0)
}

// run lets a judge see n seconds, or fewer if it concludes.
func (g *grading) run(j *Judge, n int) (fairlead.Verdict, int) {
	for i := 1; i <= n; i++ {
		b, late := g.second()
		j.Observe(b)
		j.Late(late)
		if v := j.Verdict(); v.Finding != fairlead.Inconclusive {
			return v, i
		}
	}
	return j.Verdict(), n
}

// qualityJudge is a configuration with one reported signal.
func qualityJudge(c Config, kind string, protected bool) Config {
	c.Reported = []Reported{{
		Name: "quality", Kind: kind, Protected: protected, MarginRatio: 2, MarginAbsolute: 0.05, Thresholds: [3]float64{1, 2, 4},
	}}
	return c
}

// failing returns 0 and 1 with each arm's probability.
func failing(stable, canary float64) func(*grading, int, uint64) float64 {
	return func(g *grading, arm int, _ uint64) float64 {
		if g.rng.Float64() < [2]float64{stable, canary}[arm] {
			return 1
		}
		return 0
	}
}

// graded runs rollouts and returns how often they end with finding, and the median of
// the reports that had come by then.
func graded(runs int, finding fairlead.Finding, run func(seed uint64) (fairlead.Verdict, *grading)) outcome {
	return many(runs, finding, func(seed uint64) (fairlead.Verdict, int) {
		v, g := run(seed)
		return v, g.told
	})
}

func TestTwiceTheFailingAnswersAreFound(t *testing.T) {
	for _, c := range []struct {
		perSecond float64
		delay     int64
		latency   bool
	}{{0.1, 30, false}, {2, 30, false}, {2, 30, true}} {
		o := graded(scaled(60), fairlead.Harmful, func(seed uint64) (fairlead.Verdict, *grading) {
			g := newGrading(seed, max(3, 6*c.perSecond), 1000)
			g.value = failing(0.1, 0.2)
			g.equally(c.perSecond)
			g.delay = func(g *grading, _ int, _ float64) int64 { return c.delay + int64(g.rng.IntN(5)) }
			config := qualityJudge(onlyHarm(1.0/300), fairlead.KindFailure, true)
			config.Latency = c.latency
			j := New(config)
			g.step(j, 1, 1000)
			v, _ := g.run(j, int(3000/c.perSecond))
			return v, g
		})
		t.Logf("10 %% -> 20 %% failing, %g judged a second, latency judged too: %v: harmful in %d of %d, median %d judged answers",
			c.perSecond, c.latency, o.reached, o.runs, o.median)
		if o.reached < o.runs*95/100 || o.median > 1100 {
			t.Errorf("%+v", o)
		}
	}
}

// What the goal of 700 judged answers means for the signal's own e-value: the share of
// the budget that other signals have, and later onsets, cost the rest.
func TestTwiceTheFailingAnswersReachTheThresholdByThemselvesWithinSevenHundred(t *testing.T) {
	var took []int
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 3))
		h, n := shareHarm{newHarmAgainst(1, reportRatios[:])}, 0
		for h.log() < math.Log(300) && n < 5000 {
			var block sample
			block.bad = func(v float64) float64 { return v }
			for i := range 16 {
				arm := uint8(i % 2)
				r := record{unit: rng.Uint64(), arm: arm, span: span{-1, 0}}
				if rng.Float64() < [2]float64{0.1, 0.2}[arm] {
					r.value = 1
				}
				block.records = append(block.records, r)
			}
			h.take(block)
			n += 16
		}
		took = append(took, n)
	}
	slices.Sort(took)
	t.Logf("median %d judged answers", took[len(took)/2])
	if took[len(took)/2] > 700 {
		t.Errorf("median %d", took[len(took)/2])
	}
}

// prone makes every tenth session fail often, with its arm's probability.
func prone(stable, canary float64) func(*grading, int, uint64) float64 {
	return func(g *grading, arm int, unit uint64) float64 {
		p := 0.05
		if mix(unit, 5)%10 == 0 {
			p = [2]float64{stable, canary}[arm]
		}
		if g.rng.Float64() < p {
			return 1
		}
		return 0
	}
}

// lateWhenBad makes bad answers known after slow seconds, good ones after quick.
func lateWhenBad(quick, slow int64) func(*grading, int, float64) int64 {
	return func(g *grading, _ int, v float64) int64 {
		if v >= 0.5 {
			return slow + int64(g.rng.IntN(20))
		}
		return quick + int64(g.rng.IntN(3))
	}
}

func driftingQuality(g *grading, _ int, _ uint64) float64 {
	if g.rng.Float64() < 0.2+0.18*math.Sin(float64(g.now)/300) {
		return 1
	}
	return 0
}

func scores(g *grading, _ int, unit uint64) float64 {
	v := 0.7 + 0.2*math.Sin(float64(g.now)/200) - 0.3*float64(mix(unit, 5)%2) + 0.2*g.rng.NormFloat64()
	return min(max(v, 0), 1)
}

// own runs a judge like run, until the evidence of the reported signal alone, without
// its share of the budget, reaches 1/alpha: that must be rare too.
func (g *grading) own(j *Judge, n int, alpha float64) fairlead.Verdict {
	for range n {
		b, late := g.second()
		j.Observe(b)
		j.Late(late)
		e := 0.0
		for _, v := range j.reports.declared[0].readings {
			e += capped(v.harmful()) / float64(len(j.reports.declared[0].readings))
		}
		if e >= 1/alpha {
			return fairlead.Verdict{Finding: fairlead.Harmful}
		}
	}
	return fairlead.Verdict{}
}

func TestReleasesWhoseReportsAreNoWorseAreRarelyHarmful(t *testing.T) {
	const alpha = 0.05
	tests := map[string]struct {
		kind string
		set  func(g *grading)
	}{
		"at once": {fairlead.KindFailure, func(g *grading) { g.value = failing(0.2, 0.2) }},
		"late when bad": {fairlead.KindFailure, func(g *grading) {
			g.value, g.delay = failing(0.2, 0.2), lateWhenBad(2, 60)
		}},
		"late when good": {fairlead.KindSuccess, func(g *grading) {
			g.value, g.delay = failing(0.8, 0.8), lateWhenBad(2, 60)
		}},
		"judged equally, while quality drifts": {fairlead.KindFailure, func(g *grading) {
			g.value, g.delay = driftingQuality, lateWhenBad(5, 90)
			g.equally(2)
		}},
		"judged equally, sessions that fail often": {fairlead.KindFailure, func(g *grading) {
			g.pool, g.value = 400, prone(0.7, 0.7)
			g.equally(4)
		}},
		"judged equally, sessions that fail often and ask often": {fairlead.KindFailure, func(g *grading) {
			g.pool, g.value = 400, prone(0.7, 0.7)
			g.active = func(unit uint64) float64 {
				if mix(unit, 5)%10 == 0 {
					return 1
				}
				return 0.2
			}
			g.equally(4)
		}},
		"all judged, sessions that fail often": {fairlead.KindFailure, func(g *grading) { g.pool, g.value = 400, prone(0.7, 0.7) }},
		"few judged": {fairlead.KindFailure, func(g *grading) {
			g.value, g.delay = failing(0.2, 0.2), lateWhenBad(10, 120)
			g.judged = [2]float64{0.02, 0.02}
		}},
		"scores":                 {fairlead.KindScore, func(g *grading) { g.value = scores }},
		"scores, judged equally": {fairlead.KindScore, func(g *grading) { g.value, g.delay = scores, lateWhenBad(3, 50); g.equally(2) }},
		"amounts": {fairlead.KindAmount, func(g *grading) {
			g.value = func(g *grading, _ int, _ uint64) float64 {
				return math.Exp(0.7*g.rng.NormFloat64()) * (1 + 0.5*math.Sin(float64(g.now)/100))
			}
		}},
	}
	for name, c := range tests {
		for _, weights := range [][2]fairlead.Weight{{1000, 5000}, {5000, 9500}} {
			t.Run(fmt.Sprintf("%s, %s then %s", name, weights[0], weights[1]), func(t *testing.T) {
				graded(scaled(40), fairlead.Harmful, func(seed uint64) (fairlead.Verdict, *grading) {
					g := newGrading(seed, 10, weights[0])
					c.set(g)
					j := New(qualityJudge(onlyHarm(alpha), c.kind, false))
					g.step(j, 1, weights[0])
					v := g.own(j, 300, alpha)
					if v.Finding != fairlead.Harmful {
						g.step(j, 2, weights[1])
						v = g.own(j, 600, alpha)
					}
					return v, g
				}).atMost(t, alpha)
			})
		}
	}
}
