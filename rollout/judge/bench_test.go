package judge

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"

	"github.com/fairlead/fairlead"
)

// BenchmarkObserve is the cost of a second of traffic at steady state: a good
// release at a quarter of the traffic, latency judged, some slow timeouts.
func BenchmarkObserve(b *testing.B) {
	for _, rate := range []float64{10, 500, 5000} {
		for _, pool := range []int{0, 4000} {
			b.Run(fmt.Sprintf("rps=%g/sessions=%d", rate, pool), func(b *testing.B) {
				w := newWorld(1, rate, 2500)
				w.pool, w.fails, w.slow, w.late = pool, risks(0.004, 0.004), risks(0.001, 0.001), lates(1)
				config := defaults
				config.Latency, config.Beta = true, 1e-250
				j := New(config)
				j.Step(1, 2500, 0)
				var blocks []fairlead.Block
				for range 60 {
					j.Observe(w.block())
				}
				for range b.N {
					blocks = append(blocks, w.block())
				}
				b.ReportAllocs()
				b.ResetTimer()
				for i := range blocks {
					j.Observe(blocks[i])
				}
			})
		}
	}
}

// BenchmarkTenThousandRollouts is the cost of a second of one of very many
// rollouts that are judged in turn, so that each finds the processor's caches full
// of the others' evidence: 27 units of the old release and 3 of the new one, six
// signals, 4000 sessions that return or new ones, after 10 minutes or an hour; each
// answer reports so many signals more.
// "core" is the part of a processor that 10,000 such rollouts take.
func BenchmarkTenThousandRollouts(b *testing.B) {
	for _, c := range []struct{ seconds, pool, judges, reported int }{
		{600, 4000, 300, 0}, {3600, 4000, 300, 0}, {3600, 0, 40, 0}, {600, 4000, 300, 1}, {3600, 4000, 300, 1}, {3600, 0, 40, 1}, {600, 4000, 300, 6},
	} {
		b.Run(fmt.Sprintf("after=%ds/sessions=%d/reported=%d", c.seconds, c.pool, c.reported), func(b *testing.B) {
			w := newWorld(1, 30, 1000)
			w.pool, w.fails, w.slow, w.late = c.pool, risks(0.004, 0.004), risks(0.001, 0.001), lates(1)
			var before, after runtime.MemStats
			var blocks []fairlead.Block
			for range c.seconds + 20 {
				blocks = append(blocks, w.reporting(w.block(), c.reported))
			}
			runtime.GC()
			runtime.ReadMemStats(&before)
			judges := make([]*Judge, c.judges)
			for i := range judges {
				judges[i] = newBusyJudge(c.reported)
				for _, block := range blocks[:c.seconds] {
					judges[i].Observe(block)
				}
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			bytes := float64(after.HeapAlloc-before.HeapAlloc) / float64(c.judges)
			b.ReportAllocs()
			b.ResetTimer()
			began := processorTime(b)
			for i := range b.N {
				j := judges[i%c.judges]
				block := blocks[c.seconds+i/c.judges%20]
				block.Seq, block.At = j.streams.next["g1"], block.At+int64(i/c.judges/20)*20_000
				cells := [2]fairlead.Cell{}
				block.Cells = append(cells[:0], block.Cells...)
				for k := range block.Cells {
					block.Cells[k].Second += int64(i/c.judges/20) * 20
				}
				j.Observe(block)
				j.Verdict()
			}
			perBlock := float64(processorTime(b)-began) / float64(b.N) // a busy machine adds nothing to it
			b.ReportMetric(perBlock, "cpu-ns/block")
			b.ReportMetric(perBlock*10_000/1e9, "core")
			b.ReportMetric(bytes, "B/judge")
			runtime.KeepAlive(blocks)
		})
	}
}

// processorTime returns the nanoseconds of processors that this process has used.
func processorTime(b *testing.B) int64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}

// reporting lets each unit of a block report so many signals, of which one in ten is bad.
func (w *world) reporting(b fairlead.Block, signals int) fairlead.Block {
	for i := range b.Cells {
		for _, arm := range []*fairlead.Arm{&b.Cells[i].Stable, &b.Cells[i].Canary} {
			if signals == 0 || len(arm.Units) == 0 {
				continue
			}
			arm.Reports = map[string]fairlead.Reports{}
			for n := range signals {
				var all fairlead.Reports
				for _, u := range arm.Units {
					all = append(all, fairlead.Report{Unit: u, Value: float64(w.rng.IntN(10) / 9)})
				}
				arm.Reports[fmt.Sprint("bad", n)] = all
			}
		}
	}
	return b
}

func newBusyJudge(reported int) *Judge {
	config := defaults
	config.Latency, config.Beta, config.Alpha = true, 1e-250, 1e-250
	for n := range reported {
		config.Reported = append(config.Reported, Reported{Name: fmt.Sprint("bad", n), Kind: fairlead.KindFailure, Protected: true, MarginRatio: 2, MarginAbsolute: 0.01})
	}
	j := New(config)
	j.Step(1, 1000, 0)
	return j
}
