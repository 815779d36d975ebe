package judge

import (
	"fmt"
	"math"

	"github.com/fairlead/fairlead"
)

const (
	mismatchError   = 1.0 / 1000 // highest probability of a false mismatch in an epoch
	assignmentPrior = 100        // units' worth of belief in the weight
	assignmentMost  = 1 << 13    // units that are remembered; of more, a part is counted
)

// assignment tests whether the canary has the share of an epoch's units that its
// weight says: the likelihood of a beta-binomial mixture about the weight over
// that of the weight itself, which is an e-process (Lindon & Malek, NeurIPS
// 2022). A mismatch means that units were lost, kept or assigned unevenly, so
// that the arms may not be alike.
//
// Distinct units are counted, so they are remembered. To bound that, of new units
// from then on only half are counted when assignmentMost are remembered, then a
// quarter, and so on, chosen by their hash, which does not decide their arm.
type assignment struct {
	weight    float64
	seen      memory // units that were counted and could come again
	without   uint64 // units whose keys have any of these bits are not counted
	units     [2]int // counted, by arm
	changed   bool   // since the last test
	mismatch  bool   // once it is found it stays, until the next epoch or until it is explained
	explained bool
}

func newAssignment(w fairlead.Weight) *assignment {
	return &assignment{weight: float64(w) / float64(fairlead.Whole)}
}

// add takes units of the epoch, new ones and known ones.
func (s *assignment) add(arm int, units fairlead.Units) {
	for _, u := range units {
		if keyOf(u)&s.without != 0 || s.seen.hit(u, 0) {
			continue
		}
		s.seen.set(u, 0, 1)
		s.units[arm]++
		s.changed = true
		if s.seen.used >= assignmentMost {
			s.without = s.without<<1 | 1<<ranksBits
			s.seen.thin(s.without)
		}
	}
}

// test looks again.
func (s *assignment) test() {
	if s.changed && !s.explained {
		s.mismatch = s.mismatch || s.logE() >= -math.Log(mismatchError)
	}
	s.mismatch, s.changed = s.mismatch && !s.explained, false
}

// logE returns the log e-value against the weight. A weight of nothing or all
// allows no unit on the other arm.
func (s *assignment) logE() float64 {
	n, k := float64(s.units[stable]+s.units[canary]), float64(s.units[canary])
	if s.weight <= 0 || s.weight >= 1 {
		if s.weight <= 0 && k > 0 || s.weight >= 1 && k < n {
			return logMost
		}
		return 0
	}
	a, b := assignmentPrior*s.weight, assignmentPrior*(1-s.weight)
	logBeta := func(a, b float64) float64 { return logGamma(a) + logGamma(b) - logGamma(a+b) }
	return logBeta(a+k, b+n-k) - logBeta(a, b) - k*math.Log(s.weight) - (n-k)*math.Log1p(-s.weight)
}

// Mismatch says how the assignment of this epoch is not as the weight says; "" where
// it is, or a person has explained it.
func (j *Judge) Mismatch() string {
	if j.assignment == nil || !j.assignment.mismatch {
		return ""
	}
	return fmt.Sprintf("the canary has %d of %d units at a weight of %s: the assignment is not as it should be",
		j.assignment.units[canary], j.assignment.units[canary]+j.assignment.units[stable], j.weight)
}

// Explain takes it that a person knows why the shares of this epoch do not match and
// that the releases can be compared all the same. Evidence of safety starts afresh.
func (j *Judge) Explain() {
	if j.assignment == nil {
		return
	}
	j.assignment.explained, j.assignment.mismatch = true, false
	j.Interrupt("the mismatch of shares was explained")
}
