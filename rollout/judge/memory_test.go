package judge

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/fairlead/fairlead"
)

func TestAMemoryKnowsWhatItWasTold(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	want := map[uint64]map[fairlead.Signal]int{}
	var m memory
	units := []uint64{0, 1, 2, 1 << 63, math.MaxUint64}
	for range 5000 {
		units = append(units, rng.Uint64())
	}
	for range 20_000 {
		u, s, rank := units[rng.IntN(len(units)/2)], fairlead.Signal(rng.IntN(int(fairlead.Signals))), 1+rng.IntN(rankMost)
		m.set(u, s, rank)
		if want[u] == nil {
			want[u] = map[fairlead.Signal]int{}
		}
		want[u][s] = rank
	}
	for _, u := range units {
		for s := range fairlead.Signals {
			if got := m.ranks(u).of(s); got != want[u][s] {
				t.Fatalf("unit %x, %s: rank %d, want %d", u, s, got, want[u][s])
			}
		}
	}
	if m.used != len(want) {
		t.Errorf("%d units, want %d", m.used, len(want))
	}
}

// The onsets share one memory. Here each keeps a set of its own, as they are
// defined, and both ways must give the same evidence.
func TestOneMemoryIsAsGoodAsASetForEachOnset(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	o := newOnsets(1)
	type shadow struct {
		hit  map[uint64]bool
		harm *harm
	}
	shadows := map[*onset]*shadow{}
	older := []*group{}
	for number := range 400 {
		if number%7 == 6 {
			o.begin(number, number)
		}
		g := newGroup(number, 1, timings)
		for arm := range uint8(2) {
			for range 20 {
				g.add(arm, fairlead.Units{uint64(rng.IntN(200)<<1) | uint64(arm)})
			}
		}
		older = append(older, g)
		for _, g := range older[max(0, len(older)-3-rng.IntN(20)):] { // late outcomes too
			g.hits = g.hits[:0]
			for arm := range g.units {
				for _, u := range g.units[arm] {
					if rng.IntN(8) == 0 {
						g.hits = append(g.hits, hit{u, fairlead.Failures})
					}
				}
			}
			for _, n := range o.alive {
				if shadows[n] == nil {
					shadows[n] = &shadow{map[uint64]bool{}, newHarm(1)}
				}
				if g.number < n.group {
					continue
				}
				var want table
				for arm := range g.units {
					for _, u := range g.units[arm] {
						if !shadows[n].hit[u] {
							want.n[arm]++
						}
					}
				}
				for _, h := range g.hits {
					if arm, _ := g.armOf(h.unit); !shadows[n].hit[h.unit] {
						shadows[n].hit[h.unit] = true
						want.y[arm]++
					}
				}
				shadows[n].harm.table(want)
			}
			g.came = 1000 // no bound
			o.group(g)
			for i, n := range o.alive {
				if !near(n.failures.log(), shadows[n].harm.log()) {
					t.Fatalf("block %d, onset %d of %d: log E %v, want %v", number, i, len(o.alive), n.failures.log(), shadows[n].harm.log())
				}
			}
		}
	}
	if len(o.alive) < 5 {
		t.Errorf("only %d onsets are alive", len(o.alive))
	}
}

func TestPolynomialsAreTheLikelihoodUpToAConstant(t *testing.T) {
	for nc := range 9 {
		for ns := range 30 {
			for y := range nc + ns + 1 {
				for yc := max(0, y-ns); yc <= min(nc, y); yc++ {
					one := table{n: [2]int{ns, nc}, y: [2]int{y - yc, yc}}
					if !one.informs() {
						continue
					}
					p := polynomialOf(one)
					if p.n == 0 {
						t.Fatalf("%v has no polynomial", one)
					}
					for _, w := range []float64{1.0 / 64, 0.7, 2, 64} {
						got := p.at(one, w, math.Log(w)) - p.at(one, 1, 0)
						if want := one.logLikelihood(w) - one.logLikelihood(1); !near(got, want) {
							t.Fatalf("%v at %g: %v, want %v", one, w, got, want)
						}
					}
				}
			}
		}
	}
}

func TestTheShareOfManyUnitsIsTestedInBoundedMemory(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for weight, mismatch := range map[fairlead.Weight]bool{2500: false, 2700: true} {
		s := newAssignment(weight)
		for range 400_000 {
			arm := stable
			if rng.IntN(4) == 0 {
				arm = canary
			}
			s.add(arm, fairlead.Units{rng.Uint64()})
		}
		s.test()
		if s.mismatch != mismatch || s.seen.used > assignmentMost || len(s.seen.words) > 2*assignmentMost {
			t.Errorf("a quarter at a weight of %s: mismatch %v (E %g), %d units of %v remembered",
				weight, s.mismatch, capped(s.logE()), s.seen.used, s.units)
		}
	}
}
