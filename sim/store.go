package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
	"github.com/fairlead/fairlead/ledger/verify"
)

// store is a database that is whole before and after each change. What it holds is
// durable: it outlives every process. before and after are the points around a
// write at which the writer may die; before may also refuse the write.
type store struct {
	chance  *world
	before  func(what string) error
	after   func(what string)
	changed func(c fairlead.Change) // looks at what was committed
	breaks  func(promise, format string, args ...any)
	real    Database // holds the same, if there is one

	rows    map[rowKey]json.RawMessage
	entries []fairlead.Entry
	leaves  []ledger.Leaf
	tree    ledger.Tree
	signed  [][]byte // checkpoints
	facts   map[string][]fairlead.Fact
	digests map[string]fairlead.Digest
}

type rowKey struct{ kind, key string }

func newStore(w *world) *store {
	return &store{
		chance: w, rows: map[rowKey]json.RawMessage{}, facts: map[string][]fairlead.Fact{}, digests: map[string]fairlead.Digest{},
	}
}

// Commit implements rollout.Store.
func (s *store) Commit(_ context.Context, c fairlead.Change) ([]fairlead.Entry, error) {
	if len(c.Entries) == 0 {
		return nil, fairlead.Errorf(fairlead.Invalid, "commit a change", "no record, no change")
	}
	if err := s.before(c.Entries[0].Kind); err != nil {
		return nil, err
	}
	if err := s.inOrder(c.Facts); err != nil {
		return nil, err
	}
	encoded := make([]fairlead.Entry, len(c.Entries))
	bodies := make([][]byte, len(c.Entries))
	for i, e := range c.Entries {
		var err error
		if bodies[i], encoded[i], err = ledger.Encode(e); err != nil {
			return nil, err
		}
	}
	for i, e := range encoded {
		encoded[i].Seq = uint64(len(s.entries))
		s.appendLeaf(bodies[i])
		s.entries = append(s.entries, encoded[i])
		for _, r := range e.Rows {
			s.set(r)
		}
	}
	s.appendFacts(c.Facts)
	s.mirrorCommit(c, encoded)
	s.changed(fairlead.Change{Entries: encoded, Facts: c.Facts})
	s.after(c.Entries[0].Kind)
	return encoded, nil
}

// Record implements rollout.Store.
func (s *store) Record(_ context.Context, facts []fairlead.Fact) error {
	if err := s.before("facts"); err != nil {
		return err
	}
	if err := s.inOrder(facts); err != nil {
		return err
	}
	s.appendFacts(facts)
	s.mirrorRecord(facts)
	s.changed(fairlead.Change{Facts: facts})
	s.after("facts")
	return nil
}

func (s *store) inOrder(facts []fairlead.Fact) error {
	for _, f := range facts {
		if want := uint64(len(s.facts[f.Stream])) + 1; f.N != want {
			return fairlead.Errorf(fairlead.Conflict, "record facts", "fact %d of %s is not the next, %d", f.N, f.Stream, want)
		}
	}
	return nil
}

func (s *store) appendFacts(facts []fairlead.Fact) {
	for _, f := range facts {
		f.Body = bytes.Clone(f.Body)
		if s.digests[f.Stream] == "" {
			s.digests[f.Stream] = ledger.FactsStart(f.Stream)
		}
		s.facts[f.Stream] = append(s.facts[f.Stream], f)
		s.digests[f.Stream] = ledger.FactsNext(s.digests[f.Stream], f.Body)
	}
}

func (s *store) appendLeaf(body []byte) {
	leaf := ledger.Leaf{Seq: uint64(len(s.leaves)), Body: body}
	_, _ = s.chance.Read(leaf.Salt[:])
	hash := ledger.Commit(leaf.Salt, body).Hash()
	leaf.Hashes = s.tree.Append(hash)
	s.leaves = append(s.leaves, leaf)
}

func (s *store) set(r fairlead.Row) {
	key := rowKey{r.Kind, r.Key}
	if len(r.Value) == 0 || string(r.Value) == "null" {
		delete(s.rows, key)
		return
	}
	s.rows[key] = r.Value
}

// Rows implements rollout.Store.
func (s *store) Rows(_ context.Context, kind, prefix string) ([]fairlead.Row, error) {
	var rows []fairlead.Row
	for k, value := range s.rows {
		if k.kind == kind && strings.HasPrefix(k.key, prefix) {
			rows = append(rows, fairlead.Row{Kind: k.kind, Key: k.key, Value: value})
		}
	}
	slices.SortFunc(rows, func(a, b fairlead.Row) int { return strings.Compare(a.Key, b.Key) })
	s.mirrorRows(kind, prefix, rows)
	return rows, nil
}

// row decodes one row and reports whether it is there.
func row[T any](s *store, kind, key string) (value T, ok bool) {
	data, ok := s.rows[rowKey{kind, key}]
	if ok {
		if err := json.Unmarshal(data, &value); err != nil {
			panic(fmt.Sprintf("row %s %s: %v", kind, key, err)) // it was written from a value of its type
		}
	}
	return value, ok
}

// Entries implements rollout.Records.
func (s *store) Entries(_ context.Context, from uint64, limit int) ([]fairlead.Entry, error) {
	rest := s.entries[min(from, uint64(len(s.entries))):]
	return rest[:min(limit, len(rest))], nil
}

// Facts implements rollout.Store.
func (s *store) Facts(_ context.Context, stream string, from uint64) iter.Seq2[fairlead.Fact, error] {
	s.mirrorFacts(stream, s.facts[stream])
	return func(yield func(fairlead.Fact, error) bool) {
		for _, f := range s.facts[stream] {
			if f.N >= from && !yield(f, nil) {
				return
			}
		}
	}
}

// The methods below implement verify.Source.

var _ verify.Source = (*store)(nil)

// Leaves yields every entry.
func (s *store) Leaves(context.Context) iter.Seq2[ledger.Leaf, error] {
	return func(yield func(ledger.Leaf, error) bool) {
		for _, l := range s.leaves {
			if !yield(l, nil) {
				return
			}
		}
	}
}

// Checkpoints yields the signed notes.
func (s *store) Checkpoints(context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, note := range s.signed {
			if !yield(note, nil) {
				return
			}
		}
	}
}

// State yields every row.
func (s *store) State(context.Context) iter.Seq2[fairlead.Row, error] {
	return func(yield func(fairlead.Row, error) bool) {
		for k, value := range s.rows {
			if !yield(fairlead.Row{Kind: k.kind, Key: k.key, Value: value}, nil) {
				return
			}
		}
	}
}

// Streams yields where every stream of facts ends.
func (s *store) Streams(context.Context) iter.Seq2[ledger.FactsRef, error] {
	return func(yield func(ledger.FactsRef, error) bool) {
		for stream, facts := range s.facts {
			if !yield(ledger.FactsRef{Stream: stream, N: uint64(len(facts)), Digest: s.digests[stream]}, nil) {
				return
			}
		}
	}
}
