package rollout

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
)

// recordedHours returns the inputs of a rollout that is paused at half of the traffic
// for so many seconds, with a block a second of so many requests of units of their own.
func recordedHours(t testing.TB, seconds, requests int) (began Rollout, facts []fairlead.Fact) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	start := time.Unix(1_700_000_000, 0).UTC()
	began = Rollout{
		ID: "ro", Site: baselineSite, Kind: Forward, From: 1, To: 2, Replicas: 1, OldReplicas: 1, Phase: Gating, Began: start,
		Weights:  []fairlead.Weight{fairlead.Whole / 2, fairlead.Whole},
		Notes:    []Note{{Time: start, Text: "it is on its way"}},
		Strategy: fairlead.Strategy{Type: fairlead.Canary, Alpha: 1.0 / 300, Beta: 1.0 / 20, Tolerance: 1, Margin: fairlead.Margin{Ratio: 2, Absolute: 0.01}, MaxStep: fairlead.Duration(24 * time.Hour)},
	}
	m := NewMachine(began)
	for second := range seconds {
		in := Input{Now: start.Add(time.Duration(second) * time.Second), Gates: GateState{Satisfied: true}, Applied: m.rollout.Epoch}
		in.New.Ready, in.Old.Ready = 1, 1
		in.Frozen, in.First = [3]float64{30, 60, 90}, [3]float64{30, 60, 90}
		switch {
		case second == 3:
			in.Command = Pause
		case second > 3:
			in.Blocks = []fairlead.Block{secondOf(r, in.Now, uint64(second), m.rollout.Epoch, requests)}
		}
		_, body, err := m.Take(in)
		if err != nil {
			t.Fatal(err)
		}
		if body != nil {
			facts = append(facts, fairlead.Fact{Stream: "ro", N: m.facts, Body: body})
		}
	}
	return began, facts
}

func secondOf(r *rand.Rand, now time.Time, seq uint64, epoch uint32, requests int) fairlead.Block {
	cell := fairlead.Cell{Second: now.Unix(), Epoch: epoch, Complete: true}
	for range requests {
		arm, unit := &cell.Stable, r.Uint64()
		if r.IntN(2) == 0 {
			arm = &cell.Canary
		}
		arm.Requests, arm.Ended = arm.Requests+1, arm.Ended+1
		arm.Units = append(arm.Units, unit)
		bucket := 18 + r.IntN(8)
		arm.Latency[bucket]++
		arm.First[bucket-2]++
		if r.IntN(200) == 0 {
			arm.Failed[unit%uint64(fairlead.Classes)]++
			arm.Hits[fairlead.Failures] = append(arm.Hits[fairlead.Failures], unit)
		}
		if bucket >= 24 {
			arm.Hits[fairlead.SlowP50] = append(arm.Hits[fairlead.SlowP50], unit)
		}
	}
	return fairlead.Block{Gateway: "boot", Seq: seq, Site: baselineSite, Rollout: "ro", At: now.UnixMilli(), Cells: []fairlead.Cell{cell}}
}

// What the first look at a rollout of four hours costs, and each one after it.
func BenchmarkCourse(b *testing.B) {
	for _, requests := range []int{10, 100} {
		began, facts := recordedHours(b, 4*3600, requests)
		b.Run(fmt.Sprintf("four hours of %d requests a second", requests), func(b *testing.B) {
			for b.Loop() {
				c := newCourse(began)
				for _, f := range facts {
					if err := c.take(f); err != nil {
						b.Fatal(err)
					}
				}
				if v := c.view(); v.Inputs != uint64(len(facts)) {
					b.Fatalf("it covers %d inputs, want %d", v.Inputs, len(facts))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(facts)), "ns/input")
		})
	}
	began, facts := recordedHours(b, 600, 100)
	c := newCourse(began)
	for _, f := range facts {
		if err := c.take(f); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("view", func(b *testing.B) {
		for b.Loop() {
			c.view()
		}
	})
}
