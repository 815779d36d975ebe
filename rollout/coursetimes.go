package rollout

import (
	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout/judge"
)

// timings are how long an arm's requests took, of all that ended so far.
type timings struct {
	latency, first [len(fairlead.LatencyBuckets{})]uint64
}

func (t *timings) add(a *fairlead.Arm) {
	for i := range t.latency {
		t.latency[i] += uint64(a.Latency[i])
		t.first[i] += uint64(a.First[i])
	}
}

func (t *timings) show(s *ArmSample) {
	s.Latency, s.First = judge.Quantiles(&t.latency, shares), judge.Quantiles(&t.first, shares)
}
