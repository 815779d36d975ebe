package crashdisk

import (
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
)

// node is a file or a directory: as it is now, as it is durably, and what was
// done to it since.
type node struct {
	dir  bool
	mode fs.FileMode

	now, durable []byte // content of a file
	writes       []write

	entries, names map[string]*node // of a directory: now, and durably
	changes        []entry
}

// write is one change of a file's content that is not synced: a cut to size at,
// or data written at it.
type write struct {
	at   int64
	data []byte
	cut  bool
}

// entry is one change of a directory: a new name, a name that is gone, or both at
// once, which is a rename.
type entry struct {
	name string
	node *node
	gone string
}

func newDir(mode fs.FileMode) *node {
	return &node{dir: true, mode: mode, entries: map[string]*node{}, names: map[string]*node{}}
}

func (n *node) write(p []byte, off int64) {
	w := write{at: off, data: slices.Clone(p)}
	n.writes = append(n.writes, w)
	n.now = w.onto(n.now)
}

func (n *node) truncate(size int64) {
	w := write{at: size, cut: true}
	n.writes = append(n.writes, w)
	n.now = w.onto(n.now)
}

func (n *node) enter(e entry) {
	n.changes = append(n.changes, e)
	e.onto(n.entries)
}

// sync makes the node as it is now durable.
func (n *node) sync() {
	for _, w := range n.writes {
		n.durable = w.onto(n.durable)
	}
	for _, e := range n.changes {
		e.onto(n.names)
	}
	n.writes, n.changes = nil, nil
}

// crash keeps what is durable and some of the rest, here and below.
func (n *node) crash(chance *rand.Rand) {
	keeps := survivors(chance, max(len(n.writes), len(n.changes)))
	if !n.dir {
		for i, w := range n.writes {
			whole, kept := keeps(i)
			if !kept {
				continue
			}
			if !whole && !w.cut {
				w.data = w.data[:chance.IntN(len(w.data)+1)]
			}
			n.durable = w.onto(n.durable)
		}
		n.now, n.writes = slices.Clone(n.durable), nil
		return
	}
	for i, e := range n.changes {
		if _, kept := keeps(i); kept {
			e.onto(n.names)
		}
	}
	n.entries, n.changes = maps.Clone(n.names), nil
	for _, name := range slices.Sorted(maps.Keys(n.entries)) {
		n.entries[name].crash(chance) // a file with two names has nothing left to lose the second time
	}
}

// survivors returns which of count changes, in order, a crash keeps: half of the
// time the first few, the last of them torn, as after writes in order; else any,
// whole or torn.
func survivors(chance *rand.Rand, count int) func(i int) (whole, kept bool) {
	if chance.IntN(2) == 0 {
		first := chance.IntN(count + 1)
		return func(i int) (whole, kept bool) { return i < first, i <= first }
	}
	return func(int) (whole, kept bool) { return chance.IntN(2) == 0, chance.IntN(2) == 0 }
}

// onto returns content after w.
func (w write) onto(content []byte) []byte {
	end := w.at + int64(len(w.data))
	if grow := end - int64(len(content)); grow > 0 {
		content = append(content, make([]byte, grow)...)
	}
	if w.cut {
		return content[:w.at]
	}
	copy(content[w.at:], w.data)
	return content
}

// onto makes the change e to the names of a directory.
func (e entry) onto(names map[string]*node) {
	if e.gone != "" {
		delete(names, e.gone)
	}
	if e.name != "" {
		names[e.name] = e.node
	}
}
