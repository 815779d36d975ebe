package api

import (
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/rollout"
)

// traffic is what the gateway saw of a site in the newest minute.
func traffic(l rollout.Lately) *client.Traffic {
	t := &client.Traffic{OverSecs: l.Over.Seconds(), PerSecond: float64(l.Requests) / l.Over.Seconds(), P50: l.P50, P99: l.P99}
	if l.Ended > 0 {
		t.Failed = min(1, float64(l.Failed)/float64(l.Ended))
	}
	return t
}
