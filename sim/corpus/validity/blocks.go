package validity

import (
	"math"
	"math/rand/v2"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/sim/corpus"
)

// source draws the blocks of one rollout, one a second. A second's requests end in
// it; its cell is complete in the next block.
type source struct {
	cell  *Cell
	rng   *rand.Rand
	salt  uint64
	seq   uint64
	last  *fairlead.Cell // not complete yet
	pool  []uint64
	phase [2][corpus.Replicas]int64 // of stalls, in seconds
}

func newSource(c *Cell, seed uint64) *source {
	s := &source{cell: c, rng: rand.New(rand.NewPCG(seed, 11))}
	s.salt = s.rng.Uint64()
	for range c.Pool {
		s.pool = append(s.pool, s.rng.Uint64())
	}
	for arm := range s.phase {
		for i := range s.phase[arm] {
			s.phase[arm][i] = s.rng.Int64N(stallPeriod)
		}
	}
	return s
}

const stallPeriod = 30 // seconds

// block returns the block of the second that begins at the given Unix second, at the
// weight of r.
func (s *source) block(second, since int64, r rollout.Rollout) fairlead.Block {
	s.seq++
	b := fairlead.Block{Gateway: "g", Seq: s.seq, Site: r.Site, Rollout: r.ID, At: second*1000 + 999}
	if s.last != nil {
		b.Cells = append(b.Cells, fairlead.Cell{Second: s.last.Second, Epoch: s.last.Epoch, Complete: true})
	}
	c := fairlead.Cell{Second: second, Epoch: r.Epoch}
	seen := map[uint64]uint8{}
	for range s.poisson(s.cell.Rate) {
		s.request(&c, float64(r.Weight)/float64(fairlead.Whole), since, seen)
	}
	b.Cells = append(b.Cells, c)
	s.last = &c
	return b
}

// request draws one request into its arm.
func (s *source) request(c *fairlead.Cell, weight float64, since int64, seen map[uint64]uint8) {
	unit := s.rng.Uint64()
	if len(s.pool) > 0 {
		unit = s.pool[s.rng.IntN(len(s.pool))]
	}
	n, arm := corpus.Stable, &c.Stable
	if s.cell.Mismatch {
		weight = min(1.3*weight, 1-0.7*(1-weight))
	}
	if float64(scramble(unit, s.salt)>>11)/(1<<53) < weight {
		n, arm = corpus.Canary, &c.Canary
	}
	arm.Requests++
	arm.Ended++
	once := func(bit uint8, to *fairlead.Units) {
		if seen[unit]&bit == 0 {
			seen[unit] |= bit
			*to = append(*to, unit)
		}
	}
	once(1<<7, &arm.Units)
	if s.rng.Float64() < s.fails(n, unit, since) {
		arm.Failed[fairlead.ServerError]++
		once(1, &arm.Hits[fairlead.Failures])
	}
	s.slow(n, since, func(i int) { // an answer comes at once, so that its first byte is as late as its last
		once(2<<i, &arm.Hits[int(fairlead.SlowP50)+i])
		once(16<<i, &arm.Hits[int(fairlead.FirstP50)+i])
	})
}

// slow calls passed for each quantile that the request's latency is beyond.
func (s *source) slow(arm int, since int64, passed func(quantile int)) {
	limits := [3]float64{beyondP50, beyondP90, s.cell.Slow[arm]}
	u := s.rng.Float64()
	if s.cell.Stalls && (since+s.phase[arm][s.rng.IntN(corpus.Replicas)])%stallPeriod == 0 {
		u = 0
	}
	for i, limit := range limits {
		if u < limit {
			passed(i)
		}
	}
}

// fails is the chance that a request fails.
func (s *source) fails(arm int, unit uint64, since int64) float64 {
	p := s.cell.Fail[arm]
	switch {
	case s.cell.Outage && since >= 60 && since < 360:
		return 0.3
	case s.cell.Frail && scramble(unit, s.salt+1)%50 == 0:
		return 0.3
	case s.cell.Drift: // in odds, so that their ratio stays
		w := math.Pow(3, math.Sin(2*math.Pi*float64(since)/600))
		return odds(p, w)
	}
	return p
}

func (s *source) poisson(mean float64) int {
	n := 0
	for t := s.rng.ExpFloat64(); t < mean; t += s.rng.ExpFloat64() {
		n++
	}
	return n
}

// scramble is a hash of a unit.
func scramble(u, salt uint64) uint64 {
	u ^= salt
	u = (u ^ u>>30) * 0xbf58476d1ce4e5b9
	u = (u ^ u>>27) * 0x94d049bb133111eb
	return u ^ u>>31
}
