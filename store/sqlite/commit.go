package sqlite

import (
	"context"
	"encoding/json"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
)

// leaf is an entry ready to be appended: all but its position.
type leaf struct {
	entry fairlead.Entry
	salt  ledger.Salt
	body  []byte
	hash  tlog.Hash
}

// request is a change on its way to the writer and back. The caller owns it
// until it is sent, the writer until done is closed.
type request struct {
	ctx    context.Context // looked at before the writer begins, not after
	leaves []leaf
	facts  []fairlead.Fact
	size   uint64 // of the ledger before this change; set by the writer
	err    error  // set by the writer
	done   chan struct{}
}

// Commit makes c durable, whole or not at all: its rows, entries, hashes and
// facts, and a signed checkpoint that covers them, are one transaction. It
// returns the entries as the ledger has them, with their positions. Changes of
// concurrent callers are ordered one after the other, and a wrong one fails alone.
//
// Errors: invalid where c has no entries or one that ledger.Encode refuses,
// conflict where a fact is not its stream's next, unavailable where the disk is
// full or fails or the store is closed. After an error the change is absent; the
// one exception, a disk that fails while the transaction is sealed, says so.
func (s *Store) Commit(ctx context.Context, c fairlead.Change) ([]fairlead.Entry, error) {
	const op = "commit a change"
	if len(c.Entries) == 0 {
		return nil, fairlead.Errorf(fairlead.Invalid, op, "it has no entries: no record, no change")
	}
	r := &request{ctx: ctx, facts: c.Facts, leaves: make([]leaf, len(c.Entries))}
	for i, e := range c.Entries {
		body, entry, err := ledger.Encode(e)
		if err != nil {
			return nil, failed(op, err)
		}
		salt := ledger.NewSalt()
		r.leaves[i] = leaf{entry, salt, body, ledger.Commit(salt, body).Hash()}
	}
	if err := s.send(r); err != nil {
		return nil, failed(op, err)
	}
	entries := make([]fairlead.Entry, len(r.leaves))
	for i, l := range r.leaves {
		entries[i] = l.entry
		entries[i].Seq = r.size + uint64(i)
	}
	return entries, nil
}

// Record makes facts durable, all or none, without an entry: one that decides on
// them commits to them by their digest. The N of each must be its stream's last
// plus one, else the error has code conflict.
func (s *Store) Record(ctx context.Context, facts []fairlead.Fact) error {
	if len(facts) == 0 {
		return nil
	}
	return failed("record facts", s.send(&request{ctx: ctx, facts: facts}))
}

// send hands r to the writer and waits for its result. Once the writer has taken
// it, only the disk decides: a caller never takes a change for lost that is not.
func (s *Store) send(r *request) error {
	for _, f := range r.facts {
		if err := checkFact(f); err != nil {
			return fairlead.Errorf(fairlead.Invalid, "", "fact %d of %q: %w", f.N, f.Stream, err)
		}
	}
	r.done = make(chan struct{})
	select {
	case <-s.closing:
		return errClosed()
	default:
	}
	select {
	case s.requests <- r:
	case <-r.ctx.Done():
		return r.ctx.Err()
	case <-s.closing:
		return errClosed()
	}
	<-r.done
	return r.err
}

func checkFact(f fairlead.Fact) error {
	switch {
	case len(f.Body) > ledger.MaxBody:
		return fmt.Errorf("%d bytes are over the limit of %d", len(f.Body), ledger.MaxBody)
	case !json.Valid(f.Body):
		return fmt.Errorf("its body is not JSON")
	}
	return ledger.CheckName("the stream's name", f.Stream)
}
