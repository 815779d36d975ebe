// Package gateway is the data plane: it takes requests, finds their route,
// assigns their unit to a release, forwards them to a ready instance, and counts
// what happened in observation blocks.
//
// A gateway is told everything by [Snapshot]s, which it keeps on disk, so that it
// starts and goes on without a control plane. What it decides alone (ejection,
// lease expiry) goes to its own journal first. See [Client] for the control
// protocol.
package gateway

import (
	"slices"
	"time"

	"github.com/fairlead/fairlead"
)

// Formats of snapshots. A gateway passes over fields that it does not know, and
// refuses formats that it does not know: what an older gateway must not pass over
// needs a new format, which a control plane writes only where it is needed.
const (
	formatKeep   = 2 // has Keep
	formatFirst  = 3 // has Split.First: limits that are passed over have no hits, which would look like safety
	formatNewest = 3
)

// Snapshot is the gateway's whole configuration. A newer one replaces it at once
// for new requests; requests in flight end as they began.
type Snapshot struct {
	Format int             `json:"format"` // see NewSnapshot
	Order  fairlead.Order  `json:"order"`
	Routes []Route         `json:"routes"`
	Keep   []fairlead.Site `json:"keep,omitempty"` // sites whose route stays as it is in force
}

// NewSnapshot returns a snapshot of routes, in the oldest format that can say it. A
// route that no gateway would take does not hold up the others: its site keeps the
// one that it has.
func NewSnapshot(routes []Route) (Snapshot, []RefusedRoute) {
	s := Snapshot{Format: 1, Routes: []Route{}}
	good, refused := usable(routes)
	s.Routes = append(s.Routes, good...)
	for _, r := range refused {
		s.Format = formatKeep
		if !slices.ContainsFunc(good, func(g Route) bool { return g.Site == r.Site }) && !slices.Contains(s.Keep, r.Site) {
			s.Keep = append(s.Keep, r.Site)
		}
	}
	if slices.ContainsFunc(good, Route.limitsFirst) {
		s.Format = formatFirst
	}
	return s, refused
}

// Route is one app in one environment.
type Route struct {
	Site       fairlead.Site       `json:"site"`
	Host       string              `json:"host"`       // exact, lower case, without port
	PathPrefix string              `json:"pathPrefix"` // whole segments; the longest match wins
	Assignment fairlead.Assignment `json:"assignment"`
	Timeout    fairlead.Duration   `json:"timeout"`  // of the first byte
	RunLimit   fairlead.Duration   `json:"runLimit"` // longest that a stream or run keeps a release that left the route
	Stable     Backend             `json:"stable"`
	Split      *Split              `json:"split,omitempty"`   // while a rollout has or had traffic
	Leaving    []Backend           `json:"leaving,omitempty"` // take no new units; streams and runs that began there stay until they end or RunLimit
	Queue      bool                `json:"hold,omitempty"`    // new units wait, though Stable may have instances: runs that began there go on. A gateway that passes over it has them wait as for any instance, for less time
}

// Backends are all backends of the route.
func (r Route) Backends() []Backend {
	all := append([]Backend{r.Stable}, r.Leaving...)
	if r.Split != nil {
		all = append(all, r.Split.Canary)
	}
	return all
}

// limitsFirst reports whether the time to the first byte is judged.
func (r Route) limitsFirst() bool { return r.Split != nil && r.Split.First != [3]float64{} }

// Backend is one release's instances.
type Backend struct {
	Release   int             `json:"release"`
	Digest    fairlead.Digest `json:"digest"`
	Instances []Instance      `json:"instances"` // those that may take traffic
}

// Instance is where requests go.
type Instance struct {
	ID      string `json:"id"`
	Address string `json:"address"` // "tcp:127.0.0.1:8080", or "pass:/path/of/socket": see internal/dialpass
}

// Split shares a route's units between its stable backend and a canary.
type Split struct {
	Rollout    string          `json:"rollout"`
	Salt       []byte          `json:"salt"`   // 32 random bytes of the rollout: keys the assignment hash and the unit hashes
	Epoch      uint32          `json:"epoch"`  // grows with each change of weight
	Weight     fairlead.Weight `json:"weight"` // a unit is on the canary iff hash(salt, unit) < weight
	Canary     Backend         `json:"canary"`
	Thresholds [3]float64      `json:"thresholds"` // stable's frozen p50, p90, p99 in milliseconds; 0 when not known yet
	Lease      Lease           `json:"lease"`

	First  [3]float64       `json:"first,omitzero"`   // likewise, of the time to the first byte
	Mirror *fairlead.Mirror `json:"mirror,omitempty"` // copies of stable's requests for the canary
}

// Lease is what becomes of a partial split when nobody attends it.
type Lease struct {
	TTL      fairlead.Duration `json:"ttl"`      // from the newest renewal; 0 means that the split needs no lease
	Fallback fairlead.Weight   `json:"fallback"` // the canary's weight after expiry
}

// Status is what a gateway says of itself.
type Status struct {
	Boot     string            `json:"boot"`
	Pid      int               `json:"pid"`
	Started  time.Time         `json:"started"`
	Applied  fairlead.Order    `json:"applied"`            // of the snapshot in force
	InFlight map[string]int    `json:"inFlight"`           // requests in flight by instance id, those of older snapshots too; zeroes are left out
	Runs     []RunCount        `json:"runs,omitempty"`     // agents' runs that have not ended, by release
	Expired  []fairlead.Site   `json:"expired,omitempty"`  // sites on fallback weights
	Fallback []fairlead.Weight `json:"fallback,omitempty"` // those weights, site by site
	Ejected  []string          `json:"ejected,omitempty"`  // instance ids out of balance after failed connections
	Requests uint64            `json:"requests"`           // since the start
	Refused  uint64            `json:"refused"`            // answered by the gateway itself: no route, nothing ready
	Waiting  []WaitCount       `json:"waiting,omitempty"`  // requests that wait in the lines of sites; zeroes are left out
}

// RunCount counts the runs that began on a release of a site and have not ended.
type RunCount struct {
	Site    fairlead.Site `json:"site"`
	Release int           `json:"release"`
	Runs    int           `json:"runs"`
}

// WaitCount counts the requests of a site that wait until it is served again.
type WaitCount struct {
	Site     fairlead.Site `json:"site"`
	Requests int           `json:"requests"`
}

// Event is something that a gateway did alone, in its fsynced journal.
type Event struct {
	N    uint64        `json:"n"` // counts from 1 for ever
	Time time.Time     `json:"time"`
	Kind string        `json:"kind"` // "started", "leaseExpired", "ejected", "restored", "spoolFull", "stateLost"
	Site fairlead.Site `json:"site"`
	Text string        `json:"text"`
}

// Ack tells a gateway that all blocks of a boot and site up to Seq are stored.
type Ack struct {
	Term    uint64        `json:"term"` // of the control plane that stored them
	Gateway string        `json:"gateway"`
	Site    fairlead.Site `json:"site"`
	Seq     uint64        `json:"seq"`
}
