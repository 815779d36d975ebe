package judge

import (
	"fmt"
	"sort"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
)

func TestExplore(t *testing.T) {
	c := defaults
	show := func(name string, runs, n int, mk func(seed uint64) (*world, *Judge)) {
		start := time.Now()
		count := map[fairlead.Finding]int{}
		var took []int
		for s := range runs {
			w, j := mk(uint64(s))
			v, k := w.run(j, n)
			count[v.Finding]++
			if v.Finding != fairlead.Inconclusive {
				took = append(took, k)
			}
		}
		sort.Ints(took)
		med := 0
		if len(took) > 0 {
			med = took[len(took)/2]
		}
		fmt.Println(name, count, "median", med, time.Since(start))
	}
	for _, rate := range []float64{1, 10, 100} {
		show(fmt.Sprint("0.5->5 rps ", rate), 100, 4000, func(seed uint64) (*world, *Judge) {
			w := newWorld(seed, rate, 1000)
			w.fails = risks(.005, .05)
			j := New(c)
			j.Step(1, 1000, 0)
			return w, j
		})
	}
	lat := c
	lat.Latency = true
	for _, weight := range []fairlead.Weight{2500, 5000} {
		show(fmt.Sprint("good 500 rps ", weight), 40, 400, func(seed uint64) (*world, *Judge) {
			w := newWorld(seed, 500, weight)
			w.fails = risks(.005, .005)
			w.late = lates(1)
			j := New(lat)
			j.Step(1, weight, 0)
			return w, j
		})
	}
	show("v3 500 rps 25 lat", 40, 400, func(seed uint64) (*world, *Judge) {
		w := newWorld(seed, 500, 2500)
		w.fails = risks(.005, .05)
		w.late = lates(1)
		j := New(lat)
		j.Step(1, 2500, 0)
		return w, j
	})
	for _, p := range []float64{.3, .2, .15, .1} {
		show(fmt.Sprint("frail improved pool ", p), 200, 300, func(seed uint64) (*world, *Judge) {
			w := newWorld(seed, 200, 2500)
			w.pool = 4000
			w.fails = frail(.3, p)
			cc := c
			cc.Beta = 1e-250
			cc.Alpha = 1.0 / 20
			j := New(cc)
			j.Step(1, 2500, 0)
			return w, j
		})
	}
}
