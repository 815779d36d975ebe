package judge

import (
	"fmt"
	"testing"

	"github.com/fairlead/fairlead"
)

// BenchmarkReports is the cost of a second of 30 answers, a tenth of them of the
// canary, each of which reports at once so many signals of a kind.
func BenchmarkReports(b *testing.B) {
	for _, kind := range []string{fairlead.KindFailure, fairlead.KindScore, fairlead.KindAmount} {
		for _, signals := range []int{1, 6} {
			b.Run(fmt.Sprintf("%s/signals=%d", kind, signals), func(b *testing.B) {
				g := newGrading(1, 30, 1000)
				g.value = failing(0.1, 0.1)
				c := qualityJudge(Config{Alpha: 1e-250, Beta: 1e-250, Tolerance: 1, MarginRatio: 2, MarginAbsolute: 0.01}, kind, true)
				for i := 1; i < signals; i++ {
					c.Reported = append(c.Reported, c.Reported[0])
					c.Reported[i].Name = fmt.Sprint("quality", i)
				}
				j := New(c)
				g.step(j, 1, 1000)
				blocks := make([]fairlead.Block, 0, b.N+60)
				for range b.N + 60 {
					block, _ := g.second()
					for _, arm := range []*fairlead.Arm{&block.Cells[0].Stable, &block.Cells[0].Canary} {
						for i := 1; i < signals && arm.Reports != nil; i++ {
							arm.Reports[fmt.Sprint("quality", i)] = arm.Reports["quality"]
						}
					}
					blocks = append(blocks, block)
				}
				for _, block := range blocks[:60] {
					j.Observe(block)
				}
				b.ReportAllocs()
				b.ResetTimer()
				for _, block := range blocks[60:] {
					j.Observe(block)
				}
			})
		}
	}
}
