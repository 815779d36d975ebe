package judge

import (
	"math"
	"math/bits"
)

// forever is the end of an onset that is never given up.
const forever = math.MaxInt

// startMass is the share of a signal's evidence that stands on the rollout's start.
// It is more than that of [onsets]: what is reported is scarce, each factor in E costs
// answers to judge, and an answer that is worse is so from the first request.
const startMass = 0.75

// mixture is the evidence of harm of one signal over onsets, as [onsets] is for the
// signals of requests, with the same masses and ages: each onset has a test of type
// T that sees what came since it began.
type mixture[T interface{ log() float64 }] struct {
	fresh func() T
	alive []*aged[T]
	begun int     // onsets after the start so far; the number of the newest
	rest  float64 // mass not placed yet, and what the onsets given up have earned
}

// aged is an onset's test.
type aged[T any] struct {
	number int // 0 is the start
	mass   float64
	log    float64 // of mass
	ends   int     // it is given up when this onset begins
	test   T
}

func newMixture[T interface{ log() float64 }](fresh func() T) *mixture[T] {
	return &mixture[T]{fresh: fresh, alive: []*aged[T]{{mass: startMass, log: math.Log(startMass), ends: forever, test: fresh()}}, rest: 1 - startMass}
}

// begin adds an onset. With all, the ones before are given up, whatever their age:
// an e-process may be stopped at any time.
func (m *mixture[T]) begin(all bool) {
	m.begun++
	kept := m.alive[:0]
	for _, n := range m.alive {
		if !all && n.ends > m.begun {
			kept = append(kept, n)
			continue
		}
		m.rest += n.mass * capped(n.test.log())
	}
	n := &aged[T]{number: m.begun, mass: 2 * (1 - startMass) * onsetMass(m.begun), test: m.fresh()}
	n.log = math.Log(n.mass)
	n.ends = m.begun + 2<<bits.TrailingZeros(uint(m.begun))
	m.rest -= n.mass
	m.alive = append(kept, n)
}

// log returns the log of the e-value.
func (m *mixture[T]) log() float64 {
	sum := math.Log(max(m.rest, 1e-300))
	for _, n := range m.alive {
		sum = logAddExp(sum, n.log+n.test.log())
	}
	return sum
}

// remembered bounds the units that a signal remembers to count each once.
const remembered = 1 << 20

// once remembers in which onset a unit counted last. A unit counts once for each
// onset, so that one number for each unit serves them all.
type once struct{ roster }

// span is a range of onsets, from exclusive to inclusive, for which a unit counts.
type span struct{ after, until int32 }

func (s span) holds(onset int) bool { return int(s.after) < onset && onset <= int(s.until) }

// take returns for which onsets the unit counts now that onset is the newest one, and
// remembers that it did. Onsets beyond the 65,534th, after half a year, count for none
// that counted in that one.
func (o *once) take(unit uint64, onset int) span {
	last := o.swap(unit, min(onset+1, numberMost))
	return span{int32(last) - 1, int32(onset)}
}

// first reports whether the unit had not counted before in the rollout.
func (s span) first() bool { return s.after < 0 }

// full forgets all units if they are many, and reports that it did: then the onsets
// before must be given up.
func (o *once) full() bool {
	if o.used < remembered {
		return false
	}
	*o = once{}
	return true
}
