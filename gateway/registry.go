package gateway

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fairlead/fairlead"
)

// registry holds what outlives a table: instances with requests in flight, and
// each site's book and runs. It is safe for concurrent use.
type registry struct {
	mu        sync.Mutex
	instances map[Instance]*instance
	sites     map[fairlead.Site]*siteState
	lines     lines
}

type siteState struct {
	book    *book
	runs    *runs
	line    *line
	mirrors atomic.Int64 // copies of its requests that are on their way
	up      atomic.Int64 // Unix nanoseconds of the newest connection to an instance, or of the start of a gateway that knew the site
}

func newRegistry() *registry {
	return &registry{instances: map[Instance]*instance{}, sites: map[fairlead.Site]*siteState{}}
}

// instance returns the state of c, new or known.
func (g *registry) instance(c Instance) *instance {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := g.instances[c]
	if i == nil {
		i = newInstance(c)
		g.instances[c] = i
	}
	return i
}

func (g *registry) site(s fairlead.Site) *siteState {
	g.mu.Lock()
	defer g.mu.Unlock()
	state := g.sites[s]
	if state == nil {
		state = &siteState{book: newBook(s), runs: newRuns(), line: &line{all: &g.lines}}
		g.sites[s] = state
	}
	return state
}

// states returns the state of every site there was, sorted by site.
func (g *registry) states() []*siteState {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []*siteState
	for _, state := range g.sites {
		all = append(all, state)
	}
	slices.SortFunc(all, func(a, b *siteState) int { return compareSites(a.book.site, b.book.site) })
	return all
}

// sweep forgets instances that t does not list and that have nothing in flight.
// t must be in force, with no request choosing in an earlier table.
func (g *registry) sweep(t *table) {
	listed := map[*instance]bool{}
	for _, r := range t.sites {
		for _, b := range r.backends() {
			for _, i := range b.instances {
				listed[i] = true
			}
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for key, i := range g.instances {
		if !listed[i] && i.inFlight.Load() == 0 {
			i.transport.CloseIdleConnections()
			delete(g.instances, key)
		}
	}
}

// inFlight returns the requests in flight by instance id, without zeroes, and
// the ids of ejected instances.
func (g *registry) inFlight() (requests map[string]int, ejected []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	requests = map[string]int{}
	for key, i := range g.instances {
		if n := i.inFlight.Load(); n != 0 {
			requests[key.ID] += int(n)
		}
		if i.ejected() {
			ejected = append(ejected, key.ID)
		}
	}
	slices.Sort(ejected)
	return requests, ejected
}

// waitCounts returns how many requests wait in the lines of sites.
func (g *registry) waitCounts() []WaitCount {
	var counts []WaitCount
	for _, state := range g.states() {
		if n := state.line.length.Load(); n > 0 {
			counts = append(counts, WaitCount{Site: state.book.site, Requests: int(n)})
		}
	}
	return counts
}

// runCounts returns how many runs have not ended, by site and release.
func (g *registry) runCounts() []RunCount {
	var counts []RunCount
	for _, state := range g.states() {
		for release, n := range state.runs.byRelease() {
			counts = append(counts, RunCount{Site: state.book.site, Release: release, Runs: n})
		}
	}
	slices.SortFunc(counts, func(a, b RunCount) int {
		return cmp.Or(compareSites(a.Site, b.Site), cmp.Compare(a.Release, b.Release))
	})
	return counts
}
