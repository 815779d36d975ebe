package sqlite

import (
	"context"
	"fmt"
	"iter"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
)

// Row returns the row of kind and key in force, and whether there is one.
func (s *Store) Row(ctx context.Context, kind, key string) (fairlead.Row, bool, error) {
	r, ok, err := s.view.row(ctx, kind, key)
	return r, ok, failed("read state", err)
}

// Rows returns the rows of kind whose keys begin with prefix, sorted by key in
// byte order. All of them are one moment's.
func (s *Store) Rows(ctx context.Context, kind, prefix string) ([]fairlead.Row, error) {
	list, err := s.view.rows(ctx, kind, prefix)
	return list, failed("read state", err)
}

// LastRows returns the last limit rows that Rows would return, the last first, and reads
// no others.
func (s *Store) LastRows(ctx context.Context, kind, prefix string, limit int) ([]fairlead.Row, error) {
	list, err := s.view.lastRows(ctx, kind, prefix, limit)
	return list, failed("read state", err)
}

// Entries returns up to limit entries from position from on, oldest first.
func (s *Store) Entries(ctx context.Context, from uint64, limit int) ([]fairlead.Entry, error) {
	list, err := s.view.entries(ctx, from, limit)
	return list, failed("read the ledger", err)
}

// Heads returns up to limit entries before position before, newest first, without
// their data and rows.
func (s *Store) Heads(ctx context.Context, before uint64, limit int) ([]fairlead.Entry, error) {
	list, err := s.view.heads(ctx, before, limit)
	return list, failed("look through the ledger", err)
}

// Size returns the number of entries: those of every Commit that has returned.
func (s *Store) Size() uint64 { return s.size.Load() }

// Wait returns nil as soon as the ledger has more than from entries, and an
// error of code unavailable when ctx ends or the store closes before.
func (s *Store) Wait(ctx context.Context, from uint64) error {
	for {
		s.mu.Lock()
		grown := s.grown
		s.mu.Unlock()
		if s.Size() > from {
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return failed("wait for the ledger", ctx.Err())
		case <-s.closing:
			return failed("wait for the ledger", errClosed())
		}
	}
}

// Facts yields the facts of stream from position from (counted from 1) on, up to
// the end that it finds, reading a page at a time. After an error it ends.
func (s *Store) Facts(ctx context.Context, stream string, from uint64) iter.Seq2[fairlead.Fact, error] {
	return described("read facts of "+stream, s.view.facts(ctx, stream, from))
}

// FactsEnd returns the number of facts in stream and the running digest after
// the last of them (ledger.FactsStart where there is none).
func (s *Store) FactsEnd(ctx context.Context, stream string) (uint64, fairlead.Digest, error) {
	e, err := s.view.end(ctx, stream)
	return e.n, e.digest, failed("read facts of "+stream, err)
}

// FactsDigest returns the running digest of stream after fact n, computed from
// the facts themselves. It reads all n; an error of code not_found says that
// there are fewer.
func (s *Store) FactsDigest(ctx context.Context, stream string, n uint64) (fairlead.Digest, error) {
	digest, next := ledger.FactsStart(stream), uint64(1)
	if n == 0 {
		return digest, nil
	}
	for f, err := range s.Facts(ctx, stream, 1) {
		if err != nil {
			return "", err
		}
		if f.N != next {
			break
		}
		digest = ledger.FactsNext(digest, f.Body)
		if f.N == n {
			return digest, nil
		}
		next++
	}
	return "", fairlead.Errorf(fairlead.NotFound, "read facts of "+stream, "fact %d is not there", next)
}

// Checkpoint returns the newest signed checkpoint, which covers every entry, or
// nil before the first entry.
func (s *Store) Checkpoint(ctx context.Context) ([]byte, error) {
	signed, err := s.view.checkpoint(ctx)
	return signed, failed("read the checkpoint", err)
}

// described gives the errors of a sequence their operation.
func described[T any](op string, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for item, err := range seq {
			if !yield(item, failed(op, err)) {
				return
			}
		}
	}
}

func errClosed() error {
	return fairlead.Errorf(fairlead.Unavailable, "", "the store is closed")
}

func opEntry(seq uint64) string { return fmt.Sprintf("prove entry %d", seq) }
