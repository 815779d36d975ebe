package console

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// arm is what a simulated release is like.
type simulated struct {
	fails  float64 // share of requests
	median float64 // milliseconds
	first  float64 // part of the latency at which the first byte comes; 0 for none
}

// courseStart is when all simulated courses begin.
var courseStart = time.Date(2026, 11, 23, 10, 4, 5, 0, time.UTC)

// simulate makes a course of n samples of a second, in which the new release gets what
// weight says.
func simulate(n int, rate float64, weight func(i int) fairlead.Weight, old, new simulated) client.Course {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	c := client.Course{Rollout: "r1", Error: 0.05, EachSecs: 1, Needed: client.CourseNeeded{Harm: 300, Safety: 20}}
	var units, failed [2]float64
	harm, safety := 0.0, 0.0
	for i := range n {
		w := weight(i)
		share := float64(w) / float64(fairlead.Whole)
		s := client.Sample{From: courseStart.Add(time.Duration(i) * time.Second), At: courseStart.Add(time.Duration(i+1) * time.Second), Weight: w}
		for a, arm := range []simulated{old, new} {
			part := []float64{1 - share, share}[a]
			requests := math.Round(rate * part * (0.8 + 0.4*r.Float64()))
			fails := 0.0
			for range int(requests) {
				if r.Float64() < arm.fails {
					fails++
				}
			}
			units[a] += requests
			failed[a] += fails
			out := []*client.ArmSample{&s.Stable, &s.Canary}[a]
			*out = client.ArmSample{Requests: uint64(requests), Failed: uint64(fails)}
			if units[a] > 0 {
				out.Failures = around(failed[a]/units[a], 2.2*math.Sqrt((failed[a]/units[a]+1/units[a])/units[a]), 1)
				out.Latency = quantileBands(arm.median, units[a], r)
				if arm.first > 0 {
					out.First = quantileBands(arm.median*arm.first, units[a], r)
				}
			}
		}
		n := units[1]
		if n > 0 {
			s.Share = around(share, 1.5*math.Sqrt(share/(rate*float64(i+1))), 1)
			harm += float64(s.Canary.Failed)*math.Log(2.2) - float64(s.Canary.Requests)*old.fails*1.2
			safety += float64(s.Canary.Requests)*old.fails*0.9 - float64(s.Canary.Failed)*math.Log(2)*0.9
		}
		s.Harm, s.Safety = math.Exp(harm), math.Exp(safety)
		s.Signals = map[string]client.SignalSample{
			"failures": {Harm: math.Exp(harm * 1.1), Safety: math.Exp(safety)}, "latency": {Harm: math.Exp(harm * 0.2), Safety: math.Exp(safety*1.2 + 0.2)},
		}
		c.Samples = append(c.Samples, s)
	}
	return c
}

func around(v, half, most float64) *client.Band {
	return &client.Band{Estimate: v, Low: max(0, v-half), High: min(most, v+half)}
}

func quantileBands(median, n float64, r *rand.Rand) *[3]client.Band {
	var out [3]client.Band
	for i, factor := range []float64{1, 1.8, 4.2} {
		v := median * factor * (1 + 0.2*(r.Float64()-0.5)/math.Sqrt(n))
		half := v * min(0.9, float64(i+1)*1.2/math.Sqrt(n))
		out[i] = client.Band{Estimate: v, Low: v - half, High: v + half}
	}
	return &out
}

func mark(second float64, kind, text string) client.CourseMark {
	return client.CourseMark{At: courseStart.Add(time.Duration(second * float64(time.Second))), Kind: "rollout." + kind, Text: text}
}

// rolledBack is a release that fails 4.8 % where the one before fails 0.5 %.
func rolledBack() (client.Rollout, client.Course) {
	c := simulate(19, 260, func(i int) fairlead.Weight { return 2500 }, simulated{0.005, 110, 0}, simulated{0.048, 116, 0})
	c.Marks = []client.CourseMark{mark(0.2, "stepped", "triage@3 takes 25 %"), mark(18.4, "rolledBack", "triage@3 is worse")}
	return client.Rollout{ID: "r1", App: "triage", Env: "production", From: 2, To: 3, Phase: "ended", Outcome: client.RolledBack,
		Weights: []fairlead.Weight{2500, 5000, 9500}, Strategy: "canary"}, c
}

// promoted is a release that is as good as the one before, in three steps.
func promoted() (client.Rollout, client.Course) {
	weights := []fairlead.Weight{500, 2500, 9500}
	c := simulate(240, 220, func(i int) fairlead.Weight { return weights[min(2, i/80)] }, simulated{0.006, 900, 0.2}, simulated{0.005, 820, 0.2})
	for i := range c.Samples {
		step := i % 80
		c.Samples[i].Safety = math.Exp(float64(step)*0.04 + 0.3*math.Sin(float64(step)/5))
		c.Samples[i].Harm = math.Exp(-0.5 + 0.8*math.Sin(float64(i)/17))
		c.Samples[i].Signals = map[string]client.SignalSample{
			"failures": {Harm: c.Samples[i].Harm * 1.2, Safety: c.Samples[i].Safety}, "latency": {Harm: c.Samples[i].Harm * 0.6, Safety: c.Samples[i].Safety * (1.5 + math.Sin(float64(i)/9)/3)},
		}
	}
	c.Marks = []client.CourseMark{mark(0, "stepped", "5 %"), mark(79.5, "advanced", "step 1 is safe"), mark(80, "stepped", "25 %"),
		mark(159.5, "advanced", "step 2 is safe"), mark(160, "stepped", "95 %"), mark(239, "promoted", "triage@4 is promoted")}
	return client.Rollout{ID: "r2", App: "triage", Env: "production", From: 2, To: 4, Phase: "ended", Outcome: client.Promoted,
		Weights: weights, Strategy: "canary"}, c
}

// held is a rollout that moves and has been held and resumed.
func held() (client.Rollout, client.Course) {
	c := simulate(150, 40, func(i int) fairlead.Weight { return 1000 }, simulated{0.01, 24, 0}, simulated{0.012, 26, 0})
	for i := range c.Samples {
		c.Samples[i].Safety = math.Exp(float64(i)*0.015 + 0.3*math.Sin(float64(i)/7))
		c.Samples[i].Harm = math.Exp(0.9 * math.Sin(float64(i)/23))
	}
	c.Marks = []client.CourseMark{mark(0, "stepped", "10 %"), mark(60, "held", "inconclusive"), mark(64, "paused", "paused"), mark(100, "resumed", "resumed")}
	left := 70.0
	return client.Rollout{ID: "r3", App: "triage", Env: "production", From: 2, To: 5, Phase: "stepping", Weight: 1000, LeftSecs: &left,
		Weights: []fairlead.Weight{1000, 5000, 9500}, Strategy: "canary"}, c
}
