package release

import (
	"slices"
	"sync"
)

// The bounds of what is kept of results: 8 MiB of each kind.
const (
	keptResults = 8
	keptBytes   = 1 << 20 // of a result; a larger one is made anew each time
)

// memory holds the results that were asked for newest, each under a key that says all that
// it depends on. The zero value is ready. It is safe for concurrent use; who asks for the
// same at the same time may have it made twice.
type memory[V interface{ bytes() int }] struct {
	mu      sync.Mutex
	results []result[V] // the one that was asked for newest is last
}

type result[V any] struct {
	key   string
	value V
}

// of returns what is kept under a key, or else what make makes. It is shared: nobody may
// change it.
func (m *memory[V]) of(key string, make func() (V, error)) (V, error) {
	if value, ok := m.find(key); ok {
		return value, nil
	}
	value, err := make()
	if err != nil || value.bytes() > keptBytes {
		return value, err
	}
	m.keep(key, value)
	return value, nil
}

func (m *memory[V]) find(key string) (value V, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := slices.IndexFunc(m.results, func(r result[V]) bool { return r.key == key })
	if at < 0 {
		return value, false
	}
	found := m.results[at]
	m.results = append(slices.Delete(m.results, at, at+1), found)
	return found.value, true
}

func (m *memory[V]) keep(key string, value V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.results = slices.DeleteFunc(m.results, func(r result[V]) bool { return r.key == key })
	if len(m.results) == keptResults {
		m.results = slices.Delete(m.results, 0, 1)
	}
	m.results = append(m.results, result[V]{key, value})
}

// What one of these takes beside its texts.
const (
	fileChangeBytes  = 200
	valueChangeBytes = 100
	listedBytes      = 200
)

func (d Difference) bytes() int {
	n := 0
	for _, p := range d.Parts {
		for _, f := range p.Files {
			n += fileChangeBytes + len(f.Path) + len(f.Was) + len(f.Note) + len(f.Diff) + len(f.NoDiff)
		}
		for _, v := range p.Values {
			n += valueChangeBytes + len(v.Name) + len(v.Before) + len(v.After)
		}
	}
	return n
}

func (l Listing) bytes() int {
	n := 0
	for _, f := range l.Files {
		n += listedBytes + len(f.Path) + len(f.Link)
	}
	return n
}
