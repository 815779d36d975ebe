package api

import "sync"

// memory keeps values by their keys, and forgets all of them when there are too many.
// The zero memory is empty. It is safe for concurrent use.
type memory[K comparable, V any] struct {
	mu   sync.Mutex
	kept map[K]V
}

func (m *memory[K, V]) recall(key K) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	value, ok := m.kept[key]
	return value, ok
}

// keep remembers a value among at most so many.
func (m *memory[K, V]) keep(key K, value V, most int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == nil || len(m.kept) >= most {
		m.kept = map[K]V{}
	}
	m.kept[key] = value
}
