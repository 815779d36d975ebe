package rollout

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
)

// pushed is the snapshot that the gateway has in force, as far as known.
type pushed struct {
	order   fairlead.Order
	routes  []byte
	epochs  map[string]uint32 // by rollout
	names   map[string]bool   // instances in it
	keeps   []fairlead.Site   // whose route is an earlier one: what it lists is not known here
	renewed time.Time
}

// unattended reports whether the loop may not have attended the gateway all the
// time: it has just started, or it could not renew the leases. A gateway that
// restarted while it was attended reports its leases as expired too, but needs
// only its snapshot again.
func (p pushed) unattended(now time.Time) bool {
	return p.order == (fairlead.Order{}) || now.Sub(p.renewed) > leaseTTL
}

// push gives the gateway a snapshot when it differs from the one in force, and
// otherwise renews the leases.
func (l *Loop) push(ctx context.Context, s scene, states []State) error {
	snapshot, encoded, err := l.snapshot(ctx, s, states)
	if err != nil {
		return err
	}
	same := bytes.Equal(encoded, l.pushed.routes) && s.gateway.Applied == l.pushed.order &&
		!slices.ContainsFunc(s.gateway.Expired, func(site fairlead.Site) bool { return !slices.Contains(l.pushed.keeps, site) })
	switch {
	case !same:
		snapshot.Order = l.nextOrder()
		if err := l.Traffic.Apply(ctx, snapshot); err != nil {
			return fmt.Errorf("apply snapshot %s: %w", snapshot.Order, err)
		}
		l.pushed = describe(snapshot, encoded, s.now)
		l.poke()
	case s.now.Sub(l.pushed.renewed) > freshFor:
		if err := l.Traffic.Renew(ctx, l.nextOrder()); err != nil {
			return fmt.Errorf("renew leases: %w", err)
		}
		l.pushed.renewed = s.now
	}
	return l.actions.closeShifts(ctx, l.pushed.epochs)
}

// snapshot returns what the gateway is to have, and a form of it to compare. A route
// that no gateway would take does not hold up the others: its site keeps what it has.
func (l *Loop) snapshot(ctx context.Context, s scene, states []State) (gateway.Snapshot, []byte, error) {
	var routes []gateway.Route
	for _, state := range states {
		here := at(s.have, state.Live.Site)
		releases, err := l.releases.of(ctx, state, here)
		if err != nil {
			return gateway.Snapshot{}, nil, err
		}
		if route, ok := RouteOf(state, releases, here, l.departures.unlisted); ok {
			routes = append(routes, route)
		}
	}
	snapshot, refused := gateway.NewSnapshot(routes)
	l.complain(refused)
	encoded, err := json.Marshal(snapshot)
	return snapshot, encoded, err
}

// complain logs the routes that cannot be given to the gateway, when they change.
func (l *Loop) complain(refused []gateway.RefusedRoute) {
	said := fmt.Sprint(refused)
	if said != l.refused && len(refused) > 0 {
		for _, r := range refused {
			l.Log.Error("a route cannot be given to the gateway; its app keeps the route that it has, if it has one",
				"site", r.Site.String(), "error", r.Err)
		}
	}
	l.refused = said
}

func describe(s gateway.Snapshot, encoded []byte, now time.Time) pushed {
	p := pushed{order: s.Order, routes: encoded, epochs: map[string]uint32{}, names: map[string]bool{}, keeps: s.Keep, renewed: now}
	for _, route := range s.Routes {
		if route.Split != nil {
			p.epochs[route.Split.Rollout] = route.Split.Epoch
		}
		for _, b := range route.Backends() {
			for _, i := range b.Instances {
				p.names[i.ID] = true
			}
		}
	}
	return p
}
