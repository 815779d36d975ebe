package judge

import (
	"math/rand/v2"

	"github.com/fairlead/fairlead"
)

// world is simulated traffic: one block a second of one gateway.
type world struct {
	rng    *rand.Rand
	salt   uint64  // of the sessions, so that each run assigns them anew
	rate   float64 // requests a second
	pool   int     // sessions that send them; 0: each request is a session of its own
	weight fairlead.Weight
	epoch  uint32
	// fails says how likely a request of a unit fails at once, or with slow by its
	// deadline, deadline seconds later.
	fails    func(w *world, arm int, unit uint64) float64
	slow     func(w *world, arm int, unit uint64) float64
	late     func(w *world, arm int, s fairlead.Signal) float64 // latency exceedances
	exceeds  func(w *world, arm int, unit uint64) uint8         // the same of a request, a bit for each signal
	deadline int64

	now     int64
	seq     uint64
	waiting map[int64]*fairlead.Cell // by second: outcomes to come at second + deadline
	began   map[int64]uint32         // epoch of those seconds
}

func newWorld(seed uint64, rate float64, weight fairlead.Weight) *world {
	never := func(*world, int, uint64) float64 { return 0 }
	return &world{
		rng: rand.New(rand.NewPCG(seed, 7)), salt: mix(seed+1, 3), rate: rate, weight: weight, epoch: 1, fails: never, slow: never, deadline: 30,
		now: 1_000_000, waiting: map[int64]*fairlead.Cell{}, began: map[int64]uint32{},
	}
}

// mix is a hash of a unit, for its assignment and its nature.
func mix(u, salt uint64) uint64 {
	u ^= salt * 0x9e3779b97f4a7c15
	u = (u ^ u>>30) * 0xbf58476d1ce4e5b9
	u = (u ^ u>>27) * 0x94d049bb133111eb
	return u ^ u>>31
}

func (w *world) poisson(mean float64) int {
	n := 0
	for t := w.rng.ExpFloat64(); t < mean; t += w.rng.ExpFloat64() {
		n++
	}
	return n
}

// block returns the next second's block: its requests, their quick outcomes, and
// the slow outcomes of the cell whose deadline passed.
func (w *world) block() fairlead.Block {
	w.now++
	w.seq++
	cell := fairlead.Cell{Second: w.now, Epoch: w.epoch}
	later := &fairlead.Cell{Second: w.now, Epoch: w.epoch, Complete: true}
	var told [2]map[uint64]uint8 // listed and hits, a bit each
	told[0], told[1] = map[uint64]uint8{}, map[uint64]uint8{}
	for range w.poisson(w.rate) {
		unit := w.rng.Uint64()
		if w.pool > 0 {
			unit = mix(uint64(w.rng.IntN(w.pool))+1, w.salt)
		}
		n := stable
		arm := &cell.Stable
		if fairlead.Weight(mix(unit, 1)%10000) < w.weight {
			n, arm = canary, &cell.Canary
		}
		arm.Requests++
		once := func(bit uint8, to *fairlead.Units) {
			if told[n][unit]&bit == 0 {
				told[n][unit] |= bit
				*to = append(*to, unit)
			}
		}
		once(128, &arm.Units)
		switch {
		case w.rng.Float64() < w.fails(w, n, unit):
			arm.Failed[fairlead.ServerError]++
			once(1, &arm.Hits[fairlead.Failures])
		case w.rng.Float64() < w.slow(w, n, unit):
			to := [2]*fairlead.Arm{&later.Stable, &later.Canary}[n]
			to.Failed[fairlead.Timeout]++
			once(1, &to.Hits[fairlead.Failures])
		}
		if w.late != nil {
			u := w.rng.Float64()
			for s := fairlead.SlowP50; s < fairlead.Signals; s++ {
				if u < w.late(w, n, s) {
					once(1<<s, &arm.Hits[s])
				}
			}
		}
		if w.exceeds != nil {
			mask := w.exceeds(w, n, unit)
			for s := fairlead.SlowP50; s < fairlead.Signals; s++ {
				if mask>>s&1 == 1 {
					once(1<<s, &arm.Hits[s])
				}
			}
		}
	}
	b := fairlead.Block{Gateway: "g1", Seq: w.seq, At: w.now*1000 + 999}
	if later.Stable.Hits[0] == nil && later.Canary.Hits[0] == nil {
		cell.Complete = true
	} else {
		w.waiting[w.now+w.deadline] = later
	}
	b.Cells = append(b.Cells, cell)
	if done := w.waiting[w.now]; done != nil {
		delete(w.waiting, w.now)
		b.Cells = append(b.Cells, *done)
	}
	return b
}

// risks returns a failure probability for each arm.
func risks(stable, canary float64) func(*world, int, uint64) float64 {
	return func(_ *world, arm int, _ uint64) float64 { return [2]float64{stable, canary}[arm] }
}

// frail makes every fiftieth session fail often: with the probability of its arm.
func frail(stable, canary float64) func(*world, int, uint64) float64 {
	return func(_ *world, arm int, unit uint64) float64 {
		if mix(unit, 5)%50 == 0 {
			return [2]float64{stable, canary}[arm]
		}
		return 0.001
	}
}

// lates gives latency exceedances: the canary's odds are so many times stable's.
func lates(times float64) func(*world, int, fairlead.Signal) float64 {
	return func(_ *world, arm int, s fairlead.Signal) float64 {
		p := [fairlead.Signals]float64{0, 0.5, 0.1, 0.01}[s]
		if arm == canary {
			odds := times * p / (1 - p)
			return odds / (1 + odds)
		}
		return p
	}
}

var defaults = Config{Alpha: 1.0 / 300, Beta: 1.0 / 20, Tolerance: 1, MarginRatio: 2, MarginAbsolute: 0.01}

// run lets a judge see n blocks, or fewer if it concludes, and returns the
// verdict and the number of blocks that it took.
func (w *world) run(j *Judge, n int) (fairlead.Verdict, int) {
	for i := 1; i <= n; i++ {
		j.Observe(w.block())
		if v := j.Verdict(); v.Finding != fairlead.Inconclusive {
			return v, i
		}
	}
	return j.Verdict(), n
}

// step begins a step in the world and the judge.
func (w *world) step(j *Judge, epoch uint32, weight fairlead.Weight) {
	w.epoch, w.weight = epoch, weight
	j.Step(epoch, weight, 0)
}
