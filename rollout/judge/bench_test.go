package judge

import (
	"fmt"
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
