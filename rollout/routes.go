package rollout

import (
	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
	"github.com/fairlead/fairlead/workload"
)

// RouteOf returns what the gateway is told of a site, and false while no release
// has traffic there. It is pure.
func RouteOf(s State, releases map[int]fairlead.Release, have []workload.Status, leaving func(id string) bool) (gateway.Route, bool) {
	stable, canary := arms(s)
	content, known := releases[stable]
	if !known {
		return gateway.Route{}, false
	}
	backend := func(number int) gateway.Backend {
		return gateway.Backend{Release: number, Digest: releases[number].Digest, Instances: ready(number, have, leaving)}
	}
	route := gateway.Route{
		Site: s.Live.Site, Host: s.Live.Route.Host, PathPrefix: s.Live.Route.PathPrefix,
		Assignment: content.Content.Assignment, Timeout: content.Content.Timeout, RunLimit: content.Content.RunLimit,
		Stable: backend(stable),
	}
	if s.Rollout != nil {
		route.Queue = s.Rollout.Queues()
	}
	if canary > 0 {
		route.Split = split(*s.Rollout, backend(canary), len(route.Stable.Instances))
	}
	for _, number := range others(have, stable, canary) {
		route.Leaving = append(route.Leaving, backend(number))
	}
	return route, true
}

// arms returns the release that has a site's traffic and the one that shares it.
func arms(s State) (stable, canary int) {
	r := s.Rollout
	if r == nil || r.Phase == Ended || r.From == 0 {
		return s.Live.Stable, 0
	}
	if r.Weight == fairlead.Whole && r.Outcome == Promoted {
		return r.To, 0
	}
	if r.FirstTraffic.IsZero() || r.Exclusive {
		return r.From, 0
	}
	return r.From, r.To
}

func split(r Rollout, canary gateway.Backend, oldReady int) *gateway.Split {
	s := &gateway.Split{
		Rollout: r.ID, Salt: r.Salt, Epoch: r.Epoch, Weight: r.Weight, Canary: canary,
		Thresholds: r.Thresholds, First: r.First,
	}
	if r.Mirroring() {
		s.Mirror = r.Strategy.Mirror
	}
	if partial(r) || s.Mirror != nil { // copies that nobody attends end too
		s.Lease = gateway.Lease{TTL: fairlead.Duration(leaseTTL), Fallback: Fallback(r, oldReady, len(canary.Instances))}
	}
	return s
}

func ready(number int, have []workload.Status, leaving func(id string) bool) []gateway.Instance {
	instances := []gateway.Instance{}
	for _, s := range have {
		if s.Release == number && s.State == workload.Ready && !leaving(s.ID) {
			instances = append(instances, gateway.Instance{ID: s.ID, Address: s.Address})
		}
	}
	return instances
}

// others returns the releases that still have instances but no new units.
func others(have []workload.Status, stable, canary int) []int {
	var numbers []int
	seen := map[int]bool{stable: true, canary: true}
	for _, s := range have {
		if !seen[s.Release] && s.State == workload.Ready {
			seen[s.Release] = true
			numbers = append(numbers, s.Release)
		}
	}
	return numbers
}
