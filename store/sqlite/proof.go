package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
)

// Inclusion proves that entry seq stands in the ledger of the newest checkpoint.
// A seq that is not there yet is an error of code not_found.
func (s *Store) Inclusion(ctx context.Context, seq uint64) (ledger.Inclusion, error) {
	p, _, err := s.view.inclusion(ctx, s.verifier, seq)
	return p, failed(opEntry(seq), err)
}

// Consistency proves that the ledger of new entries begins with that of old.
// Sizes that the ledger does not have, or out of order, are an error of code
// invalid.
func (s *Store) Consistency(ctx context.Context, old, new uint64) (ledger.Consistency, error) {
	p := ledger.Consistency{Old: old, New: new}
	const op = "prove that the ledger only grew"
	if old > new || new > s.Size() {
		return p, fairlead.Errorf(fairlead.Invalid, op, "from %d to %d entries of %d", old, new, s.Size())
	}
	if old == 0 || old == new {
		return p, nil
	}
	var err error
	p.Path, err = tlog.ProveTree(int64(new), int64(old), s.view.hashes(ctx))
	return p, failed(op, err)
}

func (v view) inclusion(ctx context.Context, verifier string, seq uint64) (ledger.Inclusion, ledger.Leaf, error) {
	p, leaf := ledger.Inclusion{Seq: seq}, ledger.Leaf{Seq: seq}
	var salt []byte
	err := v.q.QueryRowContext(ctx, `SELECT salt, body FROM entries WHERE seq = ?`, clamp(seq)).Scan(&salt, &leaf.Body)
	if errors.Is(err, sql.ErrNoRows) {
		return p, leaf, fairlead.Errorf(fairlead.NotFound, "", "the ledger has no entry %d", seq)
	}
	if err != nil {
		return p, leaf, err
	}
	if len(salt) != len(leaf.Salt) {
		return p, leaf, fairlead.Errorf(fairlead.Corrupt, "", "its salt is malformed")
	}
	leaf.Salt = ledger.Salt(salt)
	p.Commitment = ledger.Commit(leaf.Salt, leaf.Body)
	if p.Checkpoint, err = v.checkpoint(ctx); err != nil {
		return p, leaf, err
	}
	c, err := ledger.OpenCheckpoint(p.Checkpoint, verifier)
	if err != nil {
		return p, leaf, err
	}
	p.Path, err = tlog.ProveRecord(int64(c.Size), int64(seq), v.hashes(ctx))
	return p, leaf, err
}
