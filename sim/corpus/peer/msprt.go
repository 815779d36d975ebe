package peer

import (
	"fmt"
	"math"
	"time"

	"github.com/fairlead/fairlead/sim/corpus"
)

// msprtSettings are those of a mixture sequential probability ratio test.
type msprtSettings struct {
	weight  float64
	horizon time.Duration // after it, without a finding, the new release gets all traffic
	alpha   float64       // over all signs
	mixing  float64       // standard deviation of the effects that are mixed over
	events  float64       // fewer than this many events of a sign are not judged
}

// msprt is the mixture sequential probability ratio test of Johari, Koomen, Pekelis &
// Walsh ("Always Valid Inference: Continuous Monitoring of A/B Tests", Operations
// Research 70, 2022, section 5 and 6; "Peeking at A/B Tests", KDD 2017): for two
// Bernoulli streams in the normal approximation, effects mixed by N(0, tau^2),
//
//	L = sqrt(v / (v + tau^2)) exp(tau^2 d^2 / (2 v (v + tau^2)))
//
// with d the difference of both shares and v its estimated variance. It is two-sided,
// as documented; the null falls when L >= 1/alpha, and the release is rolled back if
// the new one is then worse. The paper pairs equal streams, v = V/n; with unequal ones
// v is the sum of both variances.
//
// Each sign has alpha divided by the number of signs. It counts requests and looks at
// every scrape. The approximation is wild while there are few events, so that nothing
// is judged before 10 (5 is the usual rule of thumb for one proportion), which is
// better for the method than the paper's. The paper has no rule to promote: at the
// horizon, without a finding, the new release is shipped, as experiment platforms do.
//
// The usual settings: 10 % for an hour, alpha 0.05, tau 1 point.
type msprt struct {
	course
	set     msprtSettings
	metrics *scrapes
	signs   sign
}

// Second implements [corpus.Judge].
func (m *msprt) Second(s *corpus.Second) corpus.Decision {
	if m.over() {
		return m.Decision
	}
	if m.unready(s) {
		return m.Decision
	}
	m.goOn(m.set.weight)
	m.metrics.observe(s)
	if m.metrics.scraped(s.Now) {
		m.judge()
	}
	if !m.over() && s.Now >= m.set.horizon {
		m.finish("the horizon passed without a finding")
	}
	return m.Decision
}

func (m *msprt) judge() {
	now := m.metrics.newest()
	stable, canary := now[corpus.Stable], now[corpus.Canary]
	for i := range m.signs {
		y, x := canary.signs[i], stable.signs[i]
		if x+y < m.set.events || stable.total == 0 || canary.total == 0 {
			continue
		}
		ratio := mixtureRatio(y, canary.total, x, stable.total, m.set.mixing)
		if worse := y/canary.total > x/stable.total; worse && ratio >= float64(m.signs)/m.set.alpha {
			m.back("likelihood ratio of %s is %.0f", i, ratio)
			return
		}
	}
}

// mixtureRatio returns L for y of n against x of m events.
func mixtureRatio(y, n, x, m, tau float64) float64 {
	p, q := y/n, x/m
	v := p*(1-p)/n + q*(1-q)/m
	if v == 0 {
		return 1
	}
	d, t := p-q, tau*tau
	return math.Sqrt(v/(v+t)) * math.Exp(t*d*d/(2*v*(v+t)))
}

func msprtRule(name string, set msprtSettings) corpus.Rule {
	return corpus.Rule{
		Name: "msprt/" + name, Version: "1",
		Source: "Johari, Koomen, Pekelis & Walsh, Always Valid Inference (Operations Research 70, 2022)",
		New: func(start corpus.Start) corpus.Judge {
			return &msprt{set: set, metrics: newScrapes(start, ownBounds(start)), signs: signsOf(start)}
		},
	}
}

func msprtPeer() Peer {
	usual := msprtSettings{weight: 0.1, horizon: time.Hour, alpha: 0.05, mixing: 0.01, events: 10}
	p := Peer{Name: "msprt", Rules: []corpus.Rule{msprtRule("usual", usual)}}
	for _, horizon := range []time.Duration{time.Hour, 3 * time.Hour} {
		for _, alpha := range []float64{0.05, 0.01} {
			for _, mixing := range []float64{0.005, 0.02} {
				for _, events := range []float64{5, 20} {
					set := usual
					set.horizon, set.alpha, set.mixing, set.events = horizon, alpha, mixing, events
					name := fmt.Sprintf("horizon=%v,alpha=%v,tau=%v,events=%v", horizon, alpha, mixing, events)
					p.Grid = append(p.Grid, msprtRule(name, set))
				}
			}
		}
	}
	return p
}
