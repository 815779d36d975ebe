package sim

import (
	"bytes"
	"context"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout"
)

// Database is a real store, which a world can hold beside the simulated one: it is
// given the same changes, and must answer alike.
type Database interface {
	rollout.Store
	rollout.Records
}

// unlike is why a real database is not like the simulated one.
const unlike = "both stores are alike"

// mirrorCommit gives the real database a change, if there is one.
func (s *store) mirrorCommit(c fairlead.Change, entries []fairlead.Entry) {
	if s.real == nil {
		return
	}
	same, err := s.real.Commit(context.Background(), c)
	if err != nil || len(same) != len(entries) {
		s.breaks(unlike, "the real one does not take %s: %v", c.Entries[0].Kind, err)
	}
	for i := range same {
		if same[i].Seq != entries[i].Seq || !same[i].Time.Equal(entries[i].Time) {
			s.breaks(unlike, "entry %d of %s is entry %d of %s", entries[i].Seq, entries[i].Time, same[i].Seq, same[i].Time)
		}
	}
}

// mirrorRecord gives the real database facts.
func (s *store) mirrorRecord(facts []fairlead.Fact) {
	if s.real == nil {
		return
	}
	if err := s.real.Record(context.Background(), facts); err != nil {
		s.breaks(unlike, "the real one does not take facts: %v", err)
	}
}

// mirrorRows compares rows with those of the real database.
func (s *store) mirrorRows(kind, prefix string, rows []fairlead.Row) {
	if s.real == nil {
		return
	}
	same, err := s.real.Rows(context.Background(), kind, prefix)
	if err != nil || len(same) != len(rows) {
		s.breaks(unlike, "%d rows of %s %q instead of %d: %v", len(same), kind, prefix, len(rows), err)
	}
	for i := range same {
		if same[i].Key != rows[i].Key || !bytes.Equal(same[i].Value, rows[i].Value) {
			s.breaks(unlike, "row %s %s is %s instead of %s", kind, same[i].Key, same[i].Value, rows[i].Value)
		}
	}
}

// mirrorFact compares a fact with that of the real database.
func (s *store) mirrorFacts(stream string, facts []fairlead.Fact) {
	if s.real == nil {
		return
	}
	n := 0
	for f, err := range s.real.Facts(context.Background(), stream, 1) {
		if err != nil || n >= len(facts) || f.N != facts[n].N || !bytes.Equal(f.Body, facts[n].Body) {
			s.breaks(unlike, "fact %d of %s is not alike: %v", n+1, stream, err)
		}
		n++
	}
	if n != len(facts) {
		s.breaks(unlike, "%s has %d facts instead of %d", stream, n, len(facts))
	}
}
