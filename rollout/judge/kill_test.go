package judge

import (
	"testing"

	"github.com/fairlead/fairlead"
)

// The canary's only instance is killed from outside: the requests that are in flight
// fail together, and those of the canary's units while it is away. That is no fault of
// the release.
func TestAKillFromOutsideThatIsOverInASecondRollsNothingBack(t *testing.T) {
	for _, c := range []struct {
		rate         float64
		weight       fairlead.Weight
		flight, away float64 // seconds of requests in flight, and until it is back
		allowed      bool    // to be rolled back: no way was found
	}{
		{10, 1000, 1, 0.3, false}, {100, 1000, 0.1, 0.2, false}, {100, 1000, 1, 0.5, false},
		{500, 2500, 0.05, 0.3, false}, {500, 2500, 1, 0.9, false}, {100, 1000, 1, 2, true}, {500, 2500, 0.5, 3, true},
	} {
		o := many(scaled(12), fairlead.Harmful, func(seed uint64) (fairlead.Verdict, int) {
			w := newWorld(seed, c.rate, c.weight)
			w.fails, w.exceeds = risks(0.005, 0.005), slowness(0, false)
			j := New(latencyOnly())
			j.Step(1, c.weight, 0)
			w.run(j, 60+w.rng.IntN(60))
			killed := w.now + 2
			w.fails = func(w *world, arm int, _ uint64) float64 {
				at := w.rng.Float64() + float64(w.now-killed)
				if arm == canary && at > -c.flight && at < c.away {
					return 1
				}
				return 0.005
			}
			j.Observe(hold(w.block(), w)) // failures of requests in flight come with the kill
			return w.run(j, 60)
		})
		t.Logf("%g rps, %s, %g s in flight, %g s away: %d of %d rolled back", c.rate, c.weight, c.flight, c.away, o.reached, o.runs)
		if !c.allowed && o.reached > 1+o.runs/20 {
			t.Errorf("%+v: %+v", c, o)
		}
	}
}

// hold takes the canary's failures out of a block and lets the world send them with
// its next one.
func hold(b fairlead.Block, w *world) fairlead.Block {
	cell := &b.Cells[0]
	late := &fairlead.Cell{Second: cell.Second, Epoch: cell.Epoch, Complete: true}
	late.Canary.Hits[fairlead.Failures], late.Canary.Failed = cell.Canary.Hits[fairlead.Failures], cell.Canary.Failed
	cell.Canary.Hits[fairlead.Failures], cell.Canary.Failed, cell.Complete = nil, [fairlead.Classes]uint32{}, false
	w.waiting[w.now+1] = late
	return b
}
