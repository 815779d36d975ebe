package judge

import (
	"math"

	"github.com/fairlead/fairlead"
)

// pairOdds are the odds of a loss among discordant pairs against which harm is
// tested: a chance of 0.55, 0.60 and so on to 0.90.
func pairOdds() []float64 {
	var odds []float64
	for percent := 55.0; percent <= 90; percent += 5 {
		odds = append(odds, percent/(100-percent))
	}
	return odds
}

// newPairHarm returns the e-process for "of two answers to one request, the new
// release's is the worse one more often than the tolerance allows". Given that one is
// worse, it is the new one's with a chance of w0/(1+w0) at most if the release is no
// worse, a half for a tolerance of 1; so this is [harm] for counts with a half of the
// exposure. The factor of a pair for an alternative theta is 2 theta for a loss and
// 2 (1-theta) for a win.
func newPairHarm(tolerance float64) *harm { return newHarmAgainst(tolerance, pairOdds()) }

// discordant takes a pair of which the arm worse had the worse answer.
func (h *harm) discordant(worse int) {
	var events [2]int
	events[worse] = 1
	h.counts(events, 0.5)
}

// pairSafety is the evidence of a step that the new release does not lose more often
// than the margins allow: the mean of two e-processes, as [safety] is. Ratio: the
// odds of a loss among discordant pairs are at least the margin. Absolute: how much
// worse the new answer is, on average over mirrored units, is at least the margin; it
// is left out for preferences and amounts, whose differences have no scale of harm.
type pairSafety struct {
	ratio    *ratioSafety
	absolute *marginBets
}

func newPairSafety(ratio, absolute float64, differs bool) *pairSafety {
	s := &pairSafety{ratio: newRatioSafety(ratio)}
	if differs {
		s.absolute = newMarginBets(absolute)
	}
	return s
}

// discordant takes a pair of which the arm worse had the worse answer.
func (r *ratioSafety) discordant(worse int) {
	for i, w := range r.ratios {
		if worse == canary {
			r.logE[i] += math.Log(w / r.margin)
		}
		r.logE[i] += math.Log((1 + r.margin) / (1 + w))
	}
}

// differs takes how much worse the new answer of a unit is, between -1 and 1.
func (s *pairSafety) differs(worse float64) {
	if s.absolute != nil {
		s.absolute.take(worse)
	}
}

// log returns the log of the e-value.
func (s *pairSafety) log() float64 {
	if s.absolute == nil {
		return s.ratio.log()
	}
	return logMeanExp([]float64{s.ratio.log(), s.absolute.log()})
}

// margins is harm that must be excluded.
type margins struct{ ratio, absolute float64 }

// pairs is the evidence of one signal of mirrored requests. A unit counts once: its
// first discordant pair, and for the mean difference its first pair.
type pairs struct {
	name, kind string
	worse      func(stable, canary float64) float64 // how much worse the new answer is; 0 for neither
	differs    bool                                 // worse is between -1 and 1, and means something
	always     bool                                 // each step must prove it, not only one without traffic
	never      bool                                 // no step must
	margins    margins

	once  once
	harm  *mixture[*harm]
	odds  estimate
	pairs int    // compared
	lost  [2]int // units by the arm that was worse

	queue            settled
	safe             *pairSafety
	paired, decisive roster // units of the step: with a pair, with a discordant one
}

func newPairs(name, kind string, tolerance float64, m margins) *pairs {
	p := &pairs{name: name, kind: kind, margins: m, queue: newSettled(0)}
	p.harm = newMixture(func() *harm { return newPairHarm(tolerance) })
	read := badness(Reported{Kind: kind})
	p.worse = func(stable, canary float64) float64 { return read(canary) - read(stable) }
	p.differs = kind != fairlead.KindAmount && kind != fairlead.KindPreference
	p.afresh()
	return p
}

// take takes how much worse a mirrored request's new answer is.
func (p *pairs) take(m moment, unit uint64, worse float64) {
	p.pairs++
	if worse != 0 {
		p.discordant(unit, loser(worse))
	}
	p.queue.delay(m.now - m.second) // the old answer's cell may be complete before the new one came
	if m.safe {
		p.queue.add(m.second, record{unit: unit, value: worse})
	}
}

// loser returns the arm with the worse answer.
func loser(worse float64) int {
	if worse > 0 {
		return canary
	}
	return stable
}

func (p *pairs) discordant(unit uint64, arm int) {
	s := p.once.take(unit, p.harm.begun)
	for _, n := range p.harm.alive {
		if s.holds(n.number) {
			n.test.discordant(arm)
		}
	}
	if s.first() {
		p.lost[arm]++
		p.odds.discordant(arm)
	}
}

// settle takes what is settled now as evidence of safety.
func (p *pairs) settle(ended, now int64) {
	for _, r := range p.queue.next(ended, now) {
		if p.paired.add(r.unit) {
			p.safe.differs(r.value)
		}
		if r.value != 0 && p.decisive.add(r.unit) {
			p.safe.ratio.discordant(loser(r.value))
		}
	}
}

// afresh forgets all evidence of safety.
func (p *pairs) afresh() {
	p.queue.afresh()
	p.safe = newPairSafety(p.margins.ratio, p.margins.absolute, p.differs)
	p.paired, p.decisive = roster{}, roster{}
}

// begin begins an onset.
func (p *pairs) begin() { p.harm.begin(p.once.full()) }

// discordant takes a pair of which the arm worse had the worse answer: the ratio is
// the odds that it is the canary.
func (e *estimate) discordant(worse int) {
	e.known = true
	for i := range e.logL {
		w := estimateRatio(i)
		if worse == canary {
			e.logL[i] += math.Log(w)
		}
		e.logL[i] -= math.Log1p(w)
	}
}

// preferred returns the share of discordant pairs in which the new answer is better.
func (e *estimate) preferred() *Interval {
	v := e.ratio()
	if v == nil {
		return nil
	}
	share := func(odds float64) float64 { return 1 / (1 + odds) }
	return &Interval{
		Estimate: share(v.Estimate), Low: share(v.High), High: share(v.Low), LowOpen: v.HighOpen, HighOpen: v.LowOpen, Error: v.Error,
	}
}
