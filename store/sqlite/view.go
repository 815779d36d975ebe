package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
)

// view reads one database, or one snapshot of it: all queries stand here, for
// Store and Reader alike. Long lists are read a page at a time, so that a slow
// consumer holds no transaction open.
type view struct {
	q querier
}

const page = 256

// all collects the rows of a query.
func all[T any](ctx context.Context, q querier, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err has what matters
	var list []T
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	return list, rows.Err()
}

// paged yields pages until one is not full.
func paged[T any](next func() ([]T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			list, err := next()
			for _, item := range list {
				if !yield(item, nil) {
					return
				}
			}
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			if len(list) < page {
				return
			}
		}
	}
}

func scanRow(rows *sql.Rows) (r fairlead.Row, err error) {
	var value []byte
	err = rows.Scan(&r.Kind, &r.Key, &value)
	r.Value = value
	return r, err
}

func (v view) row(ctx context.Context, kind, key string) (fairlead.Row, bool, error) {
	list, err := all(ctx, v.q, scanRow, `SELECT kind, key, value FROM rows WHERE kind = ? AND key = ?`, kind, key)
	if err != nil || len(list) == 0 {
		return fairlead.Row{}, false, err
	}
	return list[0], true, nil
}

func (v view) rows(ctx context.Context, kind, prefix string) ([]fairlead.Row, error) {
	if prefix == "" {
		return all(ctx, v.q, scanRow, `SELECT kind, key, value FROM rows WHERE kind = ? ORDER BY key`, kind)
	}
	// Keys are UTF-8, so no key that begins with prefix has a byte 0xff after it.
	return all(ctx, v.q, scanRow,
		`SELECT kind, key, value FROM rows WHERE kind = ? AND key >= ? AND key < CAST(? AS TEXT) ORDER BY key`,
		kind, prefix, append([]byte(prefix), 0xff))
}

func (v view) lastRows(ctx context.Context, kind, prefix string, limit int) ([]fairlead.Row, error) {
	return all(ctx, v.q, scanRow,
		`SELECT kind, key, value FROM rows WHERE kind = ? AND key >= ? AND key < CAST(? AS TEXT) ORDER BY key DESC LIMIT ?`,
		kind, prefix, append([]byte(prefix), 0xff), max(limit, 0))
}

// state yields every row, ordered by kind and key.
func (v view) state(ctx context.Context) iter.Seq2[fairlead.Row, error] {
	var last fairlead.Row
	return paged(func() ([]fairlead.Row, error) {
		list, err := all(ctx, v.q, scanRow,
			`SELECT kind, key, value FROM rows WHERE (kind, key) > (?, ?) ORDER BY kind, key LIMIT ?`, last.Kind, last.Key, page)
		if len(list) > 0 {
			last = list[len(list)-1]
		}
		return list, err
	})
}

func (v view) entries(ctx context.Context, from uint64, limit int) ([]fairlead.Entry, error) {
	return all(ctx, v.q, func(rows *sql.Rows) (fairlead.Entry, error) {
		var seq uint64
		var body []byte
		if err := rows.Scan(&seq, &body); err != nil {
			return fairlead.Entry{}, err
		}
		return ledger.Decode(seq, body)
	}, `SELECT seq, body FROM entries WHERE seq >= ? ORDER BY seq LIMIT ?`, clamp(from), max(limit, 0))
}

// headBytes is how much of a body is read for its head. One with a longer head, such
// as of a very long name, is read whole.
const headBytes = 1 << 10

func (v view) heads(ctx context.Context, before uint64, limit int) ([]fairlead.Entry, error) {
	begun, err := all(ctx, v.q, func(rows *sql.Rows) (l ledger.Leaf, err error) {
		return l, rows.Scan(&l.Seq, &l.Body)
	}, `SELECT seq, substr(body, 1, ?) FROM entries WHERE seq < ? ORDER BY seq DESC LIMIT ?`, headBytes, clamp(before), max(limit, 0))
	if err != nil {
		return nil, err
	}
	heads := make([]fairlead.Entry, len(begun))
	for i, l := range begun {
		head, err := ledger.DecodeHead(l.Seq, l.Body)
		if err != nil && len(l.Body) == headBytes {
			var whole []byte
			if err = v.q.QueryRowContext(ctx, `SELECT body FROM entries WHERE seq = ?`, clamp(l.Seq)).Scan(&whole); err == nil {
				head, err = ledger.DecodeHead(l.Seq, whole)
			}
		}
		if err != nil {
			return nil, err
		}
		heads[i] = head
	}
	return heads, nil
}

// end is where a stream of facts stands.
type end struct {
	id     int64 // 0 while the stream is not stored
	n      uint64
	digest fairlead.Digest
}

func (v view) end(ctx context.Context, stream string) (end, error) {
	e := end{digest: ledger.FactsStart(stream)}
	err := v.q.QueryRowContext(ctx, `SELECT id, n, digest FROM streams WHERE name = ?`, stream).Scan(&e.id, &e.n, &e.digest)
	if errors.Is(err, sql.ErrNoRows) {
		return e, nil
	}
	return e, err
}

func (v view) facts(ctx context.Context, stream string, from uint64) iter.Seq2[fairlead.Fact, error] {
	return paged(func() ([]fairlead.Fact, error) {
		list, err := all(ctx, v.q, func(rows *sql.Rows) (fairlead.Fact, error) {
			f := fairlead.Fact{Stream: stream}
			return f, rows.Scan(&f.N, &f.Body)
		}, `SELECT n, body FROM facts WHERE stream = (SELECT id FROM streams WHERE name = ?) AND n >= ? ORDER BY n LIMIT ?`,
			stream, clamp(from), page)
		if len(list) > 0 {
			from = list[len(list)-1].N + 1
		}
		return list, err
	})
}

// checkpoint returns the newest signed checkpoint, or nil before the first entry.
func (v view) checkpoint(ctx context.Context) ([]byte, error) {
	var signed []byte
	err := v.q.QueryRowContext(ctx, `SELECT note FROM checkpoints ORDER BY span DESC LIMIT 1`).Scan(&signed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return signed, err
}

// count returns how many entries there are if none is missing.
func (v view) count(ctx context.Context) (size uint64, err error) {
	err = v.q.QueryRowContext(ctx, `SELECT coalesce(max(seq) + 1, 0) FROM entries`).Scan(&size)
	return size, err
}

// head reads the edge of the tree and compares it with the newest checkpoint.
func (v view) head(ctx context.Context, verifier string) (ledger.Tree, error) {
	size, err := v.count(ctx)
	if err != nil {
		return ledger.Tree{}, err
	}
	tree, err := ledger.LoadTree(size, v.hashes(ctx))
	if err != nil {
		return tree, err
	}
	signed, err := v.checkpoint(ctx)
	if err != nil || signed == nil && size == 0 {
		return tree, err
	}
	c, err := ledger.OpenCheckpoint(signed, verifier)
	if err == nil && c.Size != size {
		err = fairlead.Errorf(fairlead.Corrupt, "", "the ledger has %d entries, its newest checkpoint says %d", size, c.Size)
	}
	if err == nil && c.Root != tree.Root() {
		err = fairlead.Errorf(fairlead.Corrupt, "", "the ledger's tree is not the one of its newest checkpoint")
	}
	if err != nil {
		return tree, fairlead.Errorf(fairlead.Corrupt, "", "%w", err).
			WithHint("run fairlead ledger verify, which says what was changed; keep a copy, and restore the newest backup")
	}
	return tree, nil
}

// hashes reads stored hashes of the tree for tlog.
func (v view) hashes(ctx context.Context) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		list := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			seq, level := ledger.Holder(index)
			var hash []byte
			err := v.q.QueryRowContext(ctx, `SELECT substr(hashes, ?, ?) FROM entries WHERE seq = ?`,
				level*tlog.HashSize+1, tlog.HashSize, int64(seq)).Scan(&hash)
			if errors.Is(err, sql.ErrNoRows) || err == nil && len(hash) != tlog.HashSize {
				return nil, fairlead.Errorf(fairlead.Corrupt, "", "hash %d of entry %d is missing", level, seq).
					WithHint("run fairlead ledger verify, which says what was changed")
			}
			if err != nil {
				return nil, fmt.Errorf("read hash %d of entry %d: %w", level, seq, err)
			}
			list[i] = tlog.Hash(hash)
		}
		return list, nil
	})
}

// clamp fits n into SQLite's signed integers: no position is larger.
func clamp(n uint64) int64 { return int64(min(n, 1<<62)) }
