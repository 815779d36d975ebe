package server

import (
	"context"

	"github.com/fairlead/fairlead/gateway"
	"github.com/fairlead/fairlead/telemetry"
	"github.com/fairlead/fairlead/workload"
)

// metrics are those of the instances, which are found, and of the gateway.
type metrics struct {
	*telemetry.Finder
	traffic *gateway.Client
}

func (s *control) newMetrics() metrics {
	return metrics{traffic: s.traffic, Finder: &telemetry.Finder{Now: s.clock.Now, Log: s.Log, List: func(ctx context.Context) ([]telemetry.Instance, error) {
		all, err := s.runtime.List(ctx)
		return servers(all), err
	}}}
}

// Gateway implements api.Metrics.
func (m metrics) Gateway(ctx context.Context) ([]byte, error) { return m.traffic.Metrics(ctx) }

// servers are the instances that may serve metrics.
func servers(all []workload.Status) []telemetry.Instance {
	var some []telemetry.Instance
	for _, s := range all {
		if !s.State.Over() {
			some = append(some, telemetry.Instance{ID: s.ID, Site: s.Site, Release: s.Release, Address: s.Address, Ready: s.State == workload.Ready})
		}
	}
	return some
}
