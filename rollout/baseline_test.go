package rollout

import (
	"testing"

	"github.com/fairlead/fairlead"
)

func TestABaselineIsFrozenWithSlackAndOnlyOfEnoughRequests(t *testing.T) {
	site := fairlead.Site{App: "triage", Env: "production"}
	states := []State{{Live: Live{Site: site, Stable: 1}}}
	all := baselines{}
	learn := func(bucket int, requests uint32) {
		cell := fairlead.Cell{Second: 60}
		cell.Stable.Latency[bucket] = requests
		all.learn(states, []fairlead.Block{{Site: site, Cells: []fairlead.Cell{cell}}})
	}
	learn(4, 900)
	if got := all.frozen(armKey{site, 1}); got != [3]float64{} {
		t.Errorf("frozen after 900 requests: %v, want nothing", got)
	}
	learn(10, 85)
	learn(20, 15)
	want := [3]float64{fairlead.BucketBound(4) + 2, fairlead.BucketBound(4) + 2, fairlead.BucketBound(20) + 2}
	if got := all.frozen(armKey{site, 1}); got != want {
		t.Errorf("frozen: %v, want %v", got, want)
	}
}
