package images

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload/container"
)

// making names images while releases are made of them. So one whose deploy comes to
// nothing leaves the engine with it, unless a release, another deploy or a person has a
// name for it. It is safe for concurrent use, and must not be copied.
type making struct {
	root  string // the directory of the runtime, whose owner is in the names
	mu    sync.Mutex
	names map[fairlead.Site]string
}

// makingName is the name of what is made for a site, where one deploy is made at a time.
func makingName(site fairlead.Site, owner string) string {
	return prefix + site.App + ":making-" + site.Env + suffix(owner)
}

// hold names an image that was made for a site, unless it is among those that had been
// in the engine without a name before: these are not ours.
func (m *making) hold(ctx context.Context, engine *container.Engine, site fairlead.Site, id fairlead.Digest, nameless map[fairlead.Digest]bool) error {
	if nameless[id] {
		return nil
	}
	owner, err := container.Owner(m.root)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	name := makingName(site, owner)
	m.names[site] = name
	return engine.Tag(ctx, id, name)
}

// end takes the name of what was made for a site, if there is one.
func (m *making) end(ctx context.Context, engine *container.Engine, site fairlead.Site) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	name, held := m.names[site]
	if !held {
		return nil
	}
	delete(m.names, site)
	return engine.Untag(ctx, name)
}

// has reports whether a name is in use.
func (m *making) has(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Contains(slices.Collect(maps.Values(m.names)), name)
}
