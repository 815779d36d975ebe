package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"

	"golang.org/x/mod/sumdb/tlog"
	codes "modernc.org/sqlite/lib"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
)

const (
	maxBatch       = 512     // changes in one transaction
	checkpointSpan = 256     // sizes that share one kept checkpoint
	maxEnds        = 1 << 14 // streams remembered
)

// writer owns the only connection that writes. Its fields describe what is
// committed; it is used by one goroutine.
type writer struct {
	conn   *sql.Conn
	stmt   statements
	signer *ledger.Signer
	tree   ledger.Tree
	ends   map[string]end // of streams used lately
	broken error          // set for good when it is unknown what is on disk

	prepared []*sql.Stmt // all of stmt
}

type statements struct {
	entry, setRow, deleteRow, checkpoint, newStream, setStream, fact *sql.Stmt
}

func newWriter(ctx context.Context, db *sql.DB, signer *ledger.Signer, tree ledger.Tree) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{conn: conn, signer: signer, tree: tree, ends: map[string]end{}}
	for _, p := range []struct {
		stmt  **sql.Stmt
		query string
	}{
		{&w.stmt.entry, `INSERT INTO entries (seq, salt, hashes, body) VALUES (?, ?, ?, ?)`},
		{&w.stmt.setRow, `INSERT INTO rows (kind, key, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value`},
		{&w.stmt.deleteRow, `DELETE FROM rows WHERE kind = ? AND key = ?`},
		{&w.stmt.checkpoint, `INSERT OR REPLACE INTO checkpoints (span, size, note) VALUES (?, ?, ?)`},
		{&w.stmt.newStream, `INSERT INTO streams (name, n, digest) VALUES (?, ?, ?)`},
		{&w.stmt.setStream, `UPDATE streams SET n = ?, digest = ? WHERE id = ?`},
		{&w.stmt.fact, `INSERT INTO facts (stream, n, body) VALUES (?, ?, ?)`},
	} {
		if *p.stmt, err = conn.PrepareContext(ctx, p.query); err != nil {
			return nil, errors.Join(err, w.close())
		}
		w.prepared = append(w.prepared, *p.stmt)
	}
	return w, nil
}

// close gives the connection back. Its statements come first: SQLite keeps a
// connection that has any, and its write-ahead log, as long as they live.
func (w *writer) close() error {
	var errs []error
	for _, stmt := range w.prepared {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, w.conn.Close())...)
}

// write is the writer's goroutine. It ends when the store closes.
func (s *Store) write(w *writer) {
	defer close(s.stopped)
	defer func() { s.ended = w.close() }()
	for {
		select {
		case <-s.closing:
			return
		case first := <-s.requests:
			batch := gather(first, s.requests)
			w.commit(batch)
			s.publish(w.tree.Size())
			for _, r := range batch {
				close(r.done)
			}
		}
	}
}

// gather returns first and all that wait to be sent right now.
func gather(first *request, waiting <-chan *request) []*request {
	batch := []*request{first}
	for len(batch) < maxBatch {
		select {
		case r := <-waiting:
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

// publish makes a new size known and wakes those who wait for it.
func (s *Store) publish(size uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if size == s.size.Load() {
		return
	}
	s.size.Store(size)
	close(s.grown)
	s.grown = make(chan struct{})
}

// commit sets the result of each request of batch. Where a batch fails for a
// reason that is not one change's own, each change is tried alone, so that one
// that SQLite will not take does not fail the others.
func (w *writer) commit(batch []*request) {
	for _, r := range batch {
		r.err = r.ctx.Err()
	}
	err := w.transact(batch)
	if err == nil {
		return
	}
	for _, r := range batch {
		switch {
		case r.err != nil: // its own fault, or nobody waits for it any more
		case w.broken != nil || len(batch) == 1:
			r.err = err
		default:
			w.commit([]*request{r})
		}
	}
}

// transact writes the requests that have no error yet in one transaction, and
// sets the error of those that do not fit what is now. On an error nothing was
// written, unless w.broken says that nobody knows.
func (w *writer) transact(batch []*request) error {
	if w.broken != nil {
		return w.broken
	}
	ctx := context.Background() // a transaction in flight is not abandoned
	if _, err := w.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	t := transaction{w: w, tree: w.tree, ends: map[string]end{}}
	if err := t.writeAll(ctx, batch); err != nil {
		_, _ = w.conn.ExecContext(ctx, "ROLLBACK") // SQLite may have rolled back already
		return err
	}
	if _, err := w.conn.ExecContext(ctx, "COMMIT"); err != nil {
		_, _ = w.conn.ExecContext(ctx, "ROLLBACK")
		if primary(err) != codes.SQLITE_FULL {
			w.broken = fairlead.Errorf(fairlead.Unavailable, "", "the disk failed while a change was sealed; whether it is there is not known: %w", err).
				WithHint("look at the disk, then restart: what is in the ledger then has happened")
			return w.broken
		}
		return err
	}
	w.tree = t.tree
	if len(w.ends)+len(t.ends) > maxEnds {
		w.ends = map[string]end{}
	}
	maps.Copy(w.ends, t.ends)
	return nil
}

// transaction is the writer's state as it will be once committed.
type transaction struct {
	w    *writer
	tree ledger.Tree
	ends map[string]end
}

func (t *transaction) writeAll(ctx context.Context, batch []*request) error {
	before := t.tree.Size()
	for _, r := range batch {
		if r.err != nil {
			continue
		}
		ends, err := t.follow(ctx, r.facts)
		if fairlead.CodeOf(err) == fairlead.Conflict {
			r.err = err
			continue
		}
		if err == nil {
			err = t.writeOne(ctx, r, ends)
		}
		if err != nil {
			return err
		}
	}
	if t.tree.Size() == before {
		return nil
	}
	signed, err := t.w.signer.Sign(&t.tree)
	if err != nil {
		return err
	}
	size := int64(t.tree.Size())
	_, err = t.w.stmt.checkpoint.ExecContext(ctx, size/checkpointSpan, size, signed)
	return err
}

// follow returns where the streams of facts will stand after them, or an error
// of code conflict if one is not its stream's next. It writes nothing.
func (t *transaction) follow(ctx context.Context, facts []fairlead.Fact) (map[string]end, error) {
	ends := map[string]end{}
	for _, f := range facts {
		e, ok := ends[f.Stream]
		if !ok {
			var err error
			if e, err = t.end(ctx, f.Stream); err != nil {
				return nil, err
			}
		}
		if f.N != e.n+1 {
			return nil, fairlead.Errorf(fairlead.Conflict, "", "fact %d of %q does not follow fact %d", f.N, f.Stream, e.n).
				WithHint("read where the stream ends and go on from there")
		}
		ends[f.Stream] = end{e.id, f.N, ledger.FactsNext(e.digest, f.Body)}
	}
	return ends, nil
}

func (t *transaction) end(ctx context.Context, stream string) (end, error) {
	if e, ok := t.ends[stream]; ok {
		return e, nil
	}
	if e, ok := t.w.ends[stream]; ok {
		return e, nil
	}
	return view{t.w.conn}.end(ctx, stream)
}

func (t *transaction) writeOne(ctx context.Context, r *request, ends map[string]end) error {
	r.size = t.tree.Size()
	for _, l := range r.leaves {
		if err := t.writeLeaf(ctx, l); err != nil {
			return fmt.Errorf("entry %s: %w", l.entry.Kind, err)
		}
	}
	for stream, e := range ends {
		if err := t.writeEnd(ctx, stream, e); err != nil {
			return fmt.Errorf("stream %q: %w", stream, err)
		}
	}
	for _, f := range r.facts {
		if _, err := t.w.stmt.fact.ExecContext(ctx, t.ends[f.Stream].id, int64(f.N), f.Body); err != nil {
			return fmt.Errorf("fact %d of %q: %w", f.N, f.Stream, err)
		}
	}
	return nil
}

func (t *transaction) writeLeaf(ctx context.Context, l leaf) error {
	seq := int64(t.tree.Size())
	hashes := t.tree.Append(l.hash)
	flat := make([]byte, 0, len(hashes)*tlog.HashSize)
	for _, h := range hashes {
		flat = append(flat, h[:]...)
	}
	if _, err := t.w.stmt.entry.ExecContext(ctx, seq, l.salt[:], flat, l.body); err != nil {
		return err
	}
	for _, row := range l.entry.Rows {
		var err error
		if row.Value == nil {
			_, err = t.w.stmt.deleteRow.ExecContext(ctx, row.Kind, row.Key)
		} else {
			_, err = t.w.stmt.setRow.ExecContext(ctx, row.Kind, row.Key, []byte(row.Value))
		}
		if err != nil {
			return fmt.Errorf("row %s %q: %w", row.Kind, row.Key, err)
		}
	}
	return nil
}

func (t *transaction) writeEnd(ctx context.Context, stream string, e end) error {
	if e.id != 0 {
		t.ends[stream] = e
		_, err := t.w.stmt.setStream.ExecContext(ctx, int64(e.n), string(e.digest), e.id)
		return err
	}
	done, err := t.w.stmt.newStream.ExecContext(ctx, stream, int64(e.n), string(e.digest))
	if err != nil {
		return err
	}
	e.id, err = done.LastInsertId()
	t.ends[stream] = e
	return err
}
