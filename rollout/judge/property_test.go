package judge

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead"
)

// Two test blocks whose failures come in one second, or in two: enumerated with all
// their outcomes at and below the tolerance.
func TestFailuresOfSecondsHaveMeanAtMostOneWithAndWithoutTheBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tolerance := rapid.SampledFrom([]float64{0.7, 1, 1.5, 3}).Draw(t, "tolerance")
		ratio := tolerance * rapid.SampledFrom([]float64{1, 0.9, 0.5, 0.01}).Draw(t, "of the tolerance")
		apart := rapid.Bool().Draw(t, "apart")
		margins := [2][3]int{}
		for i := range margins {
			nc, ns := rapid.IntRange(1, 6).Draw(t, "nc"), rapid.IntRange(1, 12).Draw(t, "ns")
			margins[i] = [3]int{nc, ns, rapid.IntRange(0, min(8, nc+ns)).Draw(t, "y")}
		}
		mean, most := 0.0, 0.0
		enumerate(margins[0][0], margins[0][1], margins[0][2], ratio, func(first table, p float64) {
			enumerate(margins[1][0], margins[1][1], margins[1][2], ratio, func(second table, q float64) {
				h := newSecondsHarm(tolerance)
				h.table(first, 1)
				if apart {
					h.next()
				}
				h.table(second, 1)
				mean += p * q * math.Exp(h.log())
				most = max(most, h.log())
			})
		})
		if mean > 1+1e-9 || !apart && most > secondMost+1e-9 {
			t.Fatalf("mean %v, at most %v", mean, math.Exp(most))
		}
	})
}

func TestTheShareHasMeanOneAtTheWeight(t *testing.T) {
	for _, weight := range []fairlead.Weight{1, 500, 1000, 5000, 9500, 9999} {
		for _, n := range []int{1, 10, 100} {
			mean, p := 0.0, float64(weight)/float64(fairlead.Whole)
			for k := range n + 1 {
				s := newAssignment(weight)
				s.units = [2]int{n - k, k}
				mean += math.Exp(logChoose(n, k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p) + s.logE())
			}
			if !near(mean, 1) {
				t.Errorf("%d units at a weight of %s: mean %v", n, weight, mean)
			}
		}
	}
}

func TestCountsAndBetsAndSharesAreFiniteAtNothingAndAtABillion(t *testing.T) {
	const big = 1_000_000_000
	finite := func(what string, logE float64) {
		t.Helper()
		if e := capped(logE); math.IsNaN(logE) || math.IsInf(logE, 1) || math.IsNaN(e) {
			t.Errorf("log e-value of %s is %v", what, logE)
		}
	}
	for _, events := range [][2]int{{0, 0}, {1, 0}, {0, 1}, {big, 0}, {0, big}, {big, big}} {
		for _, share := range []float64{0, 1e-9, 0.5, 1 - 1e-9, 1} {
			h := newHarm(1)
			h.counts(events, share)
			finite("restarts", h.log())
		}
		for _, weight := range []fairlead.Weight{0, 1, 5000, fairlead.Whole} {
			s := newAssignment(weight)
			s.units = events
			finite("units", s.logE())
		}
		one := table{n: [2]int{big, big}, y: events}
		b, f := newBets(1), newSecondsHarm(1)
		b.table(one)
		f.table(one, 1)
		finite("a bet", b.log())
		finite("failures", f.log())
	}
}

// held takes each second's outcomes out of a recording's blocks and sends them in
// parts with later ones, in any order.
func held(blocks []fairlead.Block, rng *rand.Rand, longest int) []fairlead.Block {
	out := make([]fairlead.Block, len(blocks))
	last := map[int64]int{} // block of a second's last part
	type part struct {
		to   int
		cell fairlead.Cell
	}
	var parts []part
	for i, b := range blocks {
		out[i] = b
		out[i].Cells = nil
		for _, c := range b.Cells {
			bare := c
			bare.Complete = false
			arms := [2]*fairlead.Arm{&bare.Stable, &bare.Canary}
			for arm, from := range [2]*fairlead.Arm{&c.Stable, &c.Canary} {
				for s := range from.Hits {
					for _, u := range from.Hits[s] {
						to := min(i+rng.IntN(longest), len(blocks)-1)
						one := fairlead.Cell{Second: c.Second, Epoch: c.Epoch}
						[2]*fairlead.Arm{&one.Stable, &one.Canary}[arm].Hits[s] = fairlead.Units{u}
						parts = append(parts, part{to, one})
						last[c.Second] = max(last[c.Second], to)
					}
					arms[arm].Hits[s] = nil
				}
			}
			last[c.Second] = max(last[c.Second], i)
			out[i].Cells = append(out[i].Cells, bare)
		}
	}
	rng.Shuffle(len(parts), func(i, k int) { parts[i], parts[k] = parts[k], parts[i] })
	for _, p := range parts {
		out[p.to].Cells = append(out[p.to].Cells, p.cell)
	}
	for second, to := range last {
		out[to].Cells = append(out[to].Cells, fairlead.Cell{Second: second, Epoch: 1, Complete: true})
	}
	return out
}

// What must not depend on how outcomes are portioned: all evidence of safety, and
// of harm by latency. Harm by failures takes outcomes as they come, so that its
// factors follow the portions; only its error does not.
func TestSafetyAndLatencyDoNotDependOnHowOutcomesAreDelivered(t *testing.T) {
	for seed := range uint64(3) {
		w := newWorld(seed, 40, 2500)
		w.pool, w.fails, w.slow, w.exceeds = 800, frail(0.3, 0.4), risks(0.01, 0.01), slowness(0.1, false)
		var blocks []fairlead.Block
		for range 120 {
			blocks = append(blocks, w.block())
		}
		var judges []*Judge
		for _, delivery := range [][]fairlead.Block{held(blocks, w.rng, 1), held(blocks, w.rng, 9), held(blocks, w.rng, 60)} {
			j := New(latencyOnly())
			j.Step(1, 2500, 0)
			for _, b := range delivery {
				j.Observe(b)
			}
			judges = append(judges, j)
		}
		for i, j := range judges[1:] {
			for s := range fairlead.Signals {
				if a, b := judges[0].safe[s].log(), j.safe[s].log(); a != b {
					t.Errorf("seed %d, delivery %d, %s: log E of safety is %v, and %v as it came", seed, i, s, b, a)
				}
				if a, b := judges[0].harm.log(int(s)), j.harm.log(int(s)); s != fairlead.Failures && a != b {
					t.Errorf("seed %d, delivery %d, %s: log E of harm is %v, and %v as it came", seed, i, s, b, a)
				}
			}
			if a, b := judges[0].assignment, j.assignment; a.logE() != b.logE() {
				t.Errorf("seed %d, delivery %d: the share", seed, i)
			}
		}
	}
}

func TestTheOrderOfUnitsInACellDoesNotMatter(t *testing.T) {
	w := newWorld(5, 60, 2500)
	w.pool, w.fails, w.slow, w.exceeds = 500, frail(0.3, 0.5), risks(0.01, 0.01), slowness(0.1, false)
	a, b := New(latencyOnly()), New(latencyOnly())
	a.Step(1, 2500, 0)
	b.Step(1, 2500, 0)
	for range 200 {
		block := w.block()
		a.Observe(block)
		for i := range block.Cells {
			for _, arm := range [2]*fairlead.Arm{&block.Cells[i].Stable, &block.Cells[i].Canary} {
				slices.Reverse(arm.Units)
				for s := range arm.Hits {
					slices.Reverse(arm.Hits[s])
				}
			}
		}
		b.Observe(block)
	}
	one, _ := json.Marshal(a.Report())
	two, _ := json.Marshal(b.Report())
	if string(one) != string(two) {
		t.Errorf("reports differ:\n%s\n%s", one, two)
	}
}

// strange makes a call of the judge out of bytes, of which any are as good as others.
func strange(j *Judge, next func() byte, seq *[3]uint64) {
	switch op := next(); {
	case op < 10:
		j.Step(uint32(next()%4), fairlead.Weight(next())*50, time.Duration(next()%8)*time.Second)
	case op < 16:
		j.Interrupt("a test")
	case op < 26:
		big := float64(next()) * math.Pow(10, float64(next()%20)-10)
		j.Restarts(Restarts{
			Stable: ArmRestarts{Restarts: int(next()) - 5, OOMKills: int(next()), ReplicaSeconds: big},
			Canary: ArmRestarts{Restarts: int(next()) - 5, ReplicaSeconds: float64(next()) - 3},
		})
	default:
		boot := next() % 3
		seq[boot] += uint64(1 + next()/200)
		b := fairlead.Block{Gateway: string('a' + rune(boot)), Seq: seq[boot], Final: next() > 250, At: int64(next()) * 700}
		for range next() % 4 {
			c := fairlead.Cell{Second: int64(next()%64) - 2, Epoch: uint32(next() % 4), Complete: next() > 100}
			for _, arm := range [2]*fairlead.Arm{&c.Stable, &c.Canary} {
				arm.Requests, arm.Failed[fairlead.Timeout] = uint32(next()), uint32(next())
				for range next() % 16 {
					arm.Units = append(arm.Units, uint64(next()))
				}
				for range next() % 8 {
					s := fairlead.Signal(next()) % fairlead.Signals
					arm.Hits[s] = append(arm.Hits[s], uint64(next()))
				}
			}
			b.Cells = append(b.Cells, c)
		}
		j.Observe(b)
	}
}

func FuzzObserve(f *testing.F) {
	f.Add([]byte{0, 1, 100, 0, 200, 0, 0, 0, 9, 1, 10, 1, 255, 20, 5, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1, 0, 1})
	f.Add([]byte{0, 1, 100, 3, 20, 9, 9, 9, 9, 9, 9, 12, 200, 1, 255, 255, 9, 2, 3, 1, 255})
	rng := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		long := make([]byte, 3000)
		for i := range long {
			long[i] = byte(rng.Uint32())
		}
		f.Add(append([]byte{0, 1, 100, 0}, long...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		config := defaults
		config.Latency, config.First = true, true
		j := New(config)
		var seq [3]uint64
		next := func() byte {
			if len(data) == 0 {
				return 0
			}
			b := data[0]
			data = data[1:]
			return b
		}
		for len(data) > 0 {
			strange(j, next, &seq)
			if v := j.Verdict(); math.IsNaN(v.E) || math.IsInf(v.E, 0) {
				t.Fatalf("verdict %+v", v)
			}
		}
		if _, err := json.Marshal(j.Report()); err != nil { // JSON has no infinite numbers
			t.Fatal(err)
		}
	})
}
