package validity

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/sim/corpus"
	"github.com/fairlead/fairlead/sim/corpus/live"
)

// Run plays the rollouts of a cell, several at the same time, and returns in how many
// the error was made.
func Run(ctx context.Context, c Cell, rollouts int) (wrong int, err error) {
	beginnings, err := live.Begin()
	if err != nil {
		return 0, err
	}
	var next, seen atomic.Int64
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for ctx.Err() == nil {
				n := int(next.Add(1)) - 1
				if n >= rollouts {
					return
				}
				if play(&c, beginnings, uint64(n)) {
					seen.Add(1)
				}
			}
		})
	}
	all.Wait()
	return int(seen.Load()), ctx.Err()
}

// play plays one rollout and reports whether it ended in the error.
func play(c *Cell, b live.Beginnings, seed uint64) bool {
	frozen := [3]float64{100, 200, 400} // milliseconds; any will do, since hits are drawn
	course := b.NewCourse(false, rollout.Input{Frozen: frozen, First: frozen})
	from := newSource(c, seed)
	began := live.Epoch().Unix()
	for now := time.Second; now <= c.Most; now += time.Second {
		r := course.Rollout()
		var blocks []fairlead.Block
		if !r.FirstTraffic.IsZero() {
			since := int64(now/time.Second) - 1
			blocks = append(blocks, from.block(began+since, since, r))
		}
		d := course.Feed(now, blocks, instances(r.Weight))
		switch {
		case d.State == corpus.RolledBack:
			return !c.Margin
		case d.State == corpus.Finished || d.State == corpus.Promoted && !c.Watch:
			return c.Margin
		case c.Margin && course.Rollout().Step > 1:
			return true // called safe at the first step
		}
	}
	return false
}

// instances are all up.
func instances(w fairlead.Weight) [2]corpus.Instances {
	n := max(1, (int(w)*corpus.Replicas+int(fairlead.Whole)-1)/int(fairlead.Whole))
	return [2]corpus.Instances{
		corpus.Stable: {Wanted: corpus.Replicas, Ready: corpus.Replicas}, corpus.Canary: {Wanted: n, Ready: n},
	}
}
