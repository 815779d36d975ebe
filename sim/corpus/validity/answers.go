package validity

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/sim/corpus"
	"github.com/fairlead/fairlead/sim/corpus/live"
)

// Answers returns how many judged answers, of both releases together, a rollback
// takes when 20 instead of 10 % of the new release's answers are bad and as many of
// both releases are judged: the median over rollouts, and false if most found nothing
// in an hour.
func Answers(ctx context.Context, rollouts int) (median float64, found bool, err error) {
	beginnings, err := live.Begin()
	if err != nil {
		return 0, false, err
	}
	var judged []int
	for n := range rollouts {
		if ctx.Err() != nil {
			return 0, false, ctx.Err()
		}
		if answers, back := answers(beginnings, uint64(n)); back {
			judged = append(judged, answers)
		}
	}
	slices.Sort(judged)
	if 2*len(judged) <= rollouts {
		return 0, false, nil
	}
	return float64(judged[(rollouts-1)/2]), true, nil
}

// answers plays one rollout and returns how many answers were judged until it was
// turned back.
func answers(b live.Beginnings, seed uint64) (judged int, back bool) {
	const rate = 20 // answers a second, half of them of each release
	course, rng := b.Halves(), rand.New(rand.NewPCG(seed, 13))
	began := live.Epoch().Unix()
	var last *fairlead.Cell
	for now := time.Second; now < time.Hour; now += time.Second {
		var blocks []fairlead.Block
		if r := course.Rollout(); !r.FirstTraffic.IsZero() {
			second := began + int64(now/time.Second)
			block := fairlead.Block{Gateway: "g", Seq: uint64(now / time.Second), Site: r.Site, Rollout: r.ID, At: second * 1000}
			if last != nil {
				block.Cells = append(block.Cells, fairlead.Cell{Second: last.Second, Epoch: last.Epoch, Complete: true})
			}
			last = &fairlead.Cell{Second: second, Epoch: r.Epoch}
			for range rate / 2 {
				answer(&last.Stable, rng, 0.1)
				answer(&last.Canary, rng, 0.2)
			}
			judged += rate
			block.Cells = append(block.Cells, *last)
			blocks = append(blocks, block)
		}
		if course.Feed(now, blocks, instances(course.Rollout().Weight)).State == corpus.RolledBack {
			return judged, true
		}
	}
	return judged, false
}

// answer adds a judged answer to an arm.
func answer(arm *fairlead.Arm, rng *rand.Rand, bad float64) {
	unit, value := rng.Uint64(), 1.0
	if rng.Float64() < bad {
		value = 0
	}
	arm.Requests++
	arm.Ended++
	arm.Units = append(arm.Units, unit)
	if arm.Reports == nil {
		arm.Reports = map[string]fairlead.Reports{}
	}
	arm.Reports["task-success"] = append(arm.Reports["task-success"], fairlead.Report{Unit: unit, Value: value})
}
