package peer

import (
	"fmt"
	"sync"
	"time"

	"github.com/fairlead/fairlead/sim/corpus"
)

// sequentialSettings are a group-sequential design.
type sequentialSettings struct {
	weight float64
	length time.Duration // of the comparison; after it the new release gets all traffic
	looks  int
	alpha  float64 // one-sided, over all looks and signs
	spend  spending
}

// sequential is a group-sequential test of two proportions, as clinical trials use it:
// a fixed number of looks at equal intervals, critical values by alpha spending, and
// the z of the stratified comparison of both releases. Alpha is divided equally among
// the signs: failures, latency over the old release's median and 99th percentile, and
// all that the application reports of its answers. A bound crossed at a look rolls back;
// none crossed at the last one promotes.
//
// The documented design: 10 % for 30 minutes, 5 looks, O'Brien-Fleming spending,
// one-sided alpha 0.025. It counts requests, and takes them as independent.
//
// Sources: Lan & DeMets, Biometrika 70 (1983); Jennison & Turnbull, Group Sequential
// Methods (2000), chapters 2 and 7 (five looks and 0.025 are their usual example).
type sequential struct {
	course
	set     sequentialSettings
	metrics *scrapes
	strata  strata
	signs   sign
	bounds  []float64
	look    int
}

// Second implements [corpus.Judge].
func (g *sequential) Second(s *corpus.Second) corpus.Decision {
	if g.over() {
		return g.Decision
	}
	if g.unready(s) {
		return g.Decision
	}
	g.goOn(g.set.weight)
	g.metrics.observe(s)
	if g.metrics.scraped(s.Now) {
		g.strata.add(g.metrics.newest())
	}
	if s.Now >= g.set.length*time.Duration(g.look+1)/time.Duration(g.set.looks) {
		g.judge()
		g.look++
	}
	return g.Decision
}

func (g *sequential) judge() {
	for i := range g.signs {
		if z := g.strata.z(i); z > g.bounds[g.look] {
			g.back("look %d: z of %s is %.2f, above %.2f", g.look+1, i, z, g.bounds[g.look])
			return
		}
	}
	if g.look == g.set.looks-1 {
		g.finish("no bound was crossed")
	}
}

func sequentialRule(name string, set sequentialSettings) corpus.Rule {
	// The bounds take a moment to compute, and depend only on the number of signs.
	bounds := map[sign]func() []float64{}
	for _, signs := range []sign{signFirst, allSigns} {
		bounds[signs] = sync.OnceValue(func() []float64 {
			return spendingBounds(set.spend, set.alpha/float64(signs), set.looks)
		})
	}
	return corpus.Rule{
		Name: "group-sequential/" + name, Version: "1",
		Source: "Lan & DeMets, Biometrika 70 (1983); Jennison & Turnbull, Group Sequential Methods (2000)",
		New: func(start corpus.Start) corpus.Judge {
			signs := signsOf(start)
			return &sequential{set: set, metrics: newScrapes(start, ownBounds(start)), signs: signs, bounds: bounds[signs]()}
		},
	}
}

func groupSequential() Peer {
	usual := sequentialSettings{weight: 0.1, length: 30 * time.Minute, looks: 5, alpha: 0.025, spend: obrienFleming}
	p := Peer{Name: "group-sequential", Rules: []corpus.Rule{sequentialRule("obrien-fleming", usual)}}
	for _, length := range []time.Duration{30 * time.Minute, 2 * time.Hour} {
		for _, looks := range []int{5, 30} {
			for _, alpha := range []float64{0.025, 0.005, 0.001} {
				set := usual
				set.length, set.looks, set.alpha = length, looks, alpha
				p.Grid = append(p.Grid, sequentialRule(fmt.Sprintf("obrien-fleming,length=%v,looks=%d,alpha=%v", length, looks, alpha), set))
				set.spend = pocock
				p.Grid = append(p.Grid, sequentialRule(fmt.Sprintf("pocock,length=%v,looks=%d,alpha=%v", length, looks, alpha), set))
			}
		}
	}
	return p
}
