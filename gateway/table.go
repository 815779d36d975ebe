package gateway

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway/trace"
)

// Defaults of routes that say nothing.
const (
	defaultTimeout  = 30 * time.Second
	defaultRunLimit = 30 * time.Second
)

// table is a snapshot made ready for use. It does not change once it is in force,
// but for choosing.
type table struct {
	hosts    map[string][]*route // by host; longest prefix first
	sites    map[fairlead.Site]*route
	choosing atomic.Int64 // requests that are choosing an instance now
}

// route is a Route made ready for use.
type route struct {
	site       fairlead.Site
	prefix     string
	assignment fairlead.Assignment
	unitHeader string // canonical name of the client header that is kept; may be empty
	timeout    time.Duration
	runLimit   time.Duration
	stable     *backend
	split      *split // nil without a rollout
	leaving    []*backend
	queue      bool
	book       *book
	runs       *runs
	line       *line
	up         *atomic.Int64 // see siteState
	mirrors    *atomic.Int64 // see siteState
}

// split is a Split in force.
type split struct {
	rollout string
	keys    *keyring
	epoch   uint32          // 0 after the lease ran out: not comparable
	weight  fairlead.Weight // the fallback after the lease ran out
	expired bool            // it had a weight when its lease ran out
	canary  *backend
	limits  limits
	traces  func() *trace.Key // made when a request first needs it
	mirror  *fairlead.Mirror  // nil without, and after the lease ran out
}

// backend is one release's instances.
type backend struct {
	release   int
	instances []*instance
}

// newTable makes a table of a valid snapshot. Sites in expired are on their
// fallback weights. Instances and sites keep their state from table to table.
func newTable(s *Snapshot, expired map[fairlead.Site]bool, reg *registry) *table {
	t := &table{hosts: map[string][]*route{}, sites: map[fairlead.Site]*route{}}
	for i := range s.Routes {
		r := newRoute(&s.Routes[i], expired[s.Routes[i].Site], reg)
		t.sites[r.site] = r
		t.hosts[s.Routes[i].Host] = append(t.hosts[s.Routes[i].Host], r)
	}
	for _, routes := range t.hosts {
		slices.SortStableFunc(routes, func(a, b *route) int { return len(b.prefix) - len(a.prefix) })
	}
	return t
}

func newRoute(c *Route, expired bool, reg *registry) *route {
	state := reg.site(c.Site)
	r := &route{
		site: c.Site, prefix: strings.TrimSuffix(c.PathPrefix, "/"), assignment: c.Assignment,
		unitHeader: http.CanonicalHeaderKey(unitHeader(c.Assignment)),
		timeout:    c.Timeout.D(), runLimit: c.RunLimit.D(),
		stable: newBackend(c.Stable, reg), book: state.book, runs: state.runs, up: &state.up,
		mirrors: &state.mirrors, queue: c.Queue, line: state.line,
	}
	if r.timeout <= 0 {
		r.timeout = defaultTimeout
	}
	if r.runLimit <= 0 {
		r.runLimit = defaultRunLimit
	}
	for _, b := range c.Leaving {
		r.leaving = append(r.leaving, newBackend(b, reg))
	}
	if s := c.Split; s != nil {
		r.split = &split{
			rollout: s.Rollout, keys: newKeyring(s.Salt), epoch: s.Epoch, weight: s.Weight,
			canary: newBackend(s.Canary, reg), limits: limits(slices.Concat(s.Thresholds[:], s.First[:])), mirror: s.Mirror,
			traces: sync.OnceValue(func() *trace.Key { return trace.NewKey(s.Salt) }),
		}
		if expired {
			r.split.epoch, r.split.weight, r.split.expired, r.split.mirror = 0, s.Lease.Fallback, s.Weight > 0, nil
		}
	}
	return r
}

func newBackend(c Backend, reg *registry) *backend {
	b := &backend{release: c.Release}
	for _, i := range c.Instances {
		b.instances = append(b.instances, reg.instance(i))
	}
	return b
}

// match returns the route of host and path, or nil: the exact host, then the
// longest prefix of whole segments.
func (t *table) match(host, path string) *route {
	for _, r := range t.hosts[bareHost(host)] {
		rest, ok := strings.CutPrefix(path, r.prefix)
		if ok && strings.HasPrefix(path, "/") && (rest == "" || rest[0] == '/') {
			return r
		}
	}
	return nil
}

// bareHost returns a Host header in lower case, without port and final dot.
func bareHost(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.IndexByte(host[i:], ']') < 0 {
		host = host[:i]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// backends are all backends of the route.
func (r *route) backends() []*backend {
	all := append([]*backend{r.stable}, r.leaving...)
	if r.split != nil {
		all = append(all, r.split.canary)
	}
	return all
}

// of returns the backend of a release, or nil when it is not in the route.
func (r *route) of(release int) *backend {
	if r.stable.release == release {
		return r.stable
	}
	if r.split != nil && r.split.canary.release == release {
		return r.split.canary
	}
	for _, b := range r.leaving {
		if b.release == release {
			return b
		}
	}
	return nil
}

// takesNew reports whether new units may go to release.
func (r *route) takesNew(release int) bool {
	return release == r.stable.release ||
		r.split != nil && r.split.weight > 0 && release == r.split.canary.release
}

// other returns the backend that serves when no instance of release can be
// reached, or nil: one that takes new units, or that took them until the lease ran
// out, because a fallback does not exceed what is ready to take it.
func (r *route) other(release int) *backend {
	if release != r.stable.release {
		return r.stable
	}
	if r.split != nil && (r.split.weight > 0 || r.split.expired) {
		return r.split.canary
	}
	return nil
}
