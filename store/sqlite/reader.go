package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/disk"
	"github.com/fairlead/fairlead/ledger"
	"github.com/fairlead/fairlead/ledger/verify"
)

// Reader reads one moment of a state directory without writing to it, also
// beside a running server: all its methods see the same moment, that of
// OpenReadOnly. It is a verify.Source. While it is open the server's log of
// writes cannot be folded into its database, so close it soon. It is safe for
// concurrent use, one query at a time.
type Reader struct {
	dir  string
	db   *sql.DB
	tx   *sql.Tx
	view view
}

var (
	_ verify.Source = (*Reader)(nil)
	_ verify.Keeper = (*Reader)(nil)
)

// OpenReadOnly opens the state directory dir for reading. The caller must Close
// the reader. Errors: not_found where there is none, unsupported and corrupt as Open.
func OpenReadOnly(dir string) (*Reader, error) {
	op := "read state directory " + dir
	path, err := filepath.Abs(filepath.Join(dir, "fairlead.db"))
	if err != nil {
		return nil, failed(op, err)
	}
	switch err := readable(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fairlead.Errorf(fairlead.NotFound, op, "%w", err).WithHint("name the state directory that fairlead up was started with")
	case errors.Is(err, fs.ErrPermission):
		return nil, fairlead.Errorf(fairlead.Forbidden, op, "%w", err).WithHint("run it as the user who runs fairlead up there")
	}
	// Without a log of writes nobody has it open. A read-only connection would then
	// make one and leave it; another one that may write, and does not, takes it away.
	mode := "ro"
	if _, err := os.Stat(path + "-wal"); errors.Is(err, fs.ErrNotExist) {
		mode = "rw"
	}
	db, err := sql.Open("sqlite", dsn(path, readPragmas)+"&_txlock=deferred&mode="+mode)
	if err != nil {
		return nil, failed(op, err)
	}
	db.SetMaxOpenConns(1)
	r := &Reader{dir: dir, db: db}
	if err := r.begin(context.Background()); err != nil {
		return nil, errors.Join(failed(op, err), r.Close())
	}
	return r, nil
}

// readable returns why this user may not read the file at path, or nil. It opens
// nothing: closing a descriptor of a file that SQLite has open in this process would
// drop its locks.
func readable(path string) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	if err := unix.Access(path, unix.R_OK); err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return nil
}

// begin pins the moment that r reads: SQLite does so at the first query.
func (r *Reader) begin(ctx context.Context) error {
	var err error
	if r.tx, err = r.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}); err != nil {
		return err
	}
	r.view = view{r.tx}
	version, err := schemaVersion(ctx, r.tx)
	if err != nil {
		return err
	}
	if version == 0 {
		return fairlead.Errorf(fairlead.NotFound, "", "no ledger was begun here").
			WithHint("name the state directory that fairlead up was started with")
	}
	return ledgerSchema.supports(version)
}

// Close ends the moment and closes the files.
func (r *Reader) Close() error {
	var err error
	if r.tx != nil {
		err = r.tx.Rollback()
	}
	return failed("close the reader", errors.Join(err, r.db.Close()))
}

// VerifierKey returns the key in dir/ledger.vkey. It comes from the place that
// is to be verified: who does not trust that place brings a copy from elsewhere.
func (r *Reader) VerifierKey() (string, error) {
	key, err := disk.ReadFile(disk.OS{}, filepath.Join(r.dir, "ledger.vkey"))
	return strings.TrimSpace(string(key)), failed("read the ledger's verifier key", err)
}

// Row is as Store.Row.
func (r *Reader) Row(ctx context.Context, kind, key string) (fairlead.Row, bool, error) {
	row, ok, err := r.view.row(ctx, kind, key)
	return row, ok, failed("read state", err)
}

// Rows is as Store.Rows.
func (r *Reader) Rows(ctx context.Context, kind, prefix string) ([]fairlead.Row, error) {
	list, err := r.view.rows(ctx, kind, prefix)
	return list, failed("read state", err)
}

// Entries is as Store.Entries.
func (r *Reader) Entries(ctx context.Context, from uint64, limit int) ([]fairlead.Entry, error) {
	list, err := r.view.entries(ctx, from, limit)
	return list, failed("read the ledger", err)
}

// FactsEnd is as Store.FactsEnd.
func (r *Reader) FactsEnd(ctx context.Context, stream string) (uint64, fairlead.Digest, error) {
	e, err := r.view.end(ctx, stream)
	return e.n, e.digest, failed("read facts of "+stream, err)
}

// Checkpoint is as Store.Checkpoint.
func (r *Reader) Checkpoint(ctx context.Context) ([]byte, error) {
	signed, err := r.view.checkpoint(ctx)
	return signed, failed("read the checkpoint", err)
}

// Facts is as Store.Facts, and part of verify.Source.
func (r *Reader) Facts(ctx context.Context, stream string, from uint64) iter.Seq2[fairlead.Fact, error] {
	return described("read facts of "+stream, r.view.facts(ctx, stream, from))
}

// State implements verify.Source.
func (r *Reader) State(ctx context.Context) iter.Seq2[fairlead.Row, error] {
	return described("read state", r.view.state(ctx))
}

// Leaves implements verify.Source.
func (r *Reader) Leaves(ctx context.Context) iter.Seq2[ledger.Leaf, error] {
	return described("read the ledger", r.view.leaves(ctx))
}

// Checkpoints implements verify.Source.
func (r *Reader) Checkpoints(ctx context.Context) iter.Seq2[[]byte, error] {
	return described("read the checkpoints", r.view.checkpoints(ctx))
}

// Streams implements verify.Source.
func (r *Reader) Streams(ctx context.Context) iter.Seq2[ledger.FactsRef, error] {
	return described("read the streams of facts", r.view.streams(ctx))
}

// beforeAll is before every place in a table: what was moved to a negative place
// by a stranger is to be seen too.
const beforeAll int64 = -1 << 62

func (v view) leaves(ctx context.Context) iter.Seq2[ledger.Leaf, error] {
	next := beforeAll
	return paged(func() ([]ledger.Leaf, error) {
		list, err := all(ctx, v.q, func(rows *sql.Rows) (ledger.Leaf, error) {
			var seq int64
			var salt, hashes, body []byte
			if err := rows.Scan(&seq, &salt, &hashes, &body); err != nil {
				return ledger.Leaf{}, err
			}
			next = seq + 1
			return newLeaf(seq, salt, hashes, body)
		}, `SELECT seq, salt, hashes, body FROM entries WHERE seq >= ? ORDER BY seq LIMIT ?`, next, page)
		return list, err
	})
}

// newLeaf builds a leaf from columns that may have been tampered with.
func newLeaf(seq int64, salt, hashes, body []byte) (ledger.Leaf, error) {
	if seq < 0 || len(salt) != len(ledger.Salt{}) || len(hashes)%tlog.HashSize != 0 {
		return ledger.Leaf{}, fairlead.Errorf(fairlead.Corrupt, "", "entry %d has a malformed place, salt or hash", seq)
	}
	l := ledger.Leaf{Seq: uint64(seq), Salt: ledger.Salt(salt), Body: body}
	for ; len(hashes) > 0; hashes = hashes[tlog.HashSize:] {
		l.Hashes = append(l.Hashes, tlog.Hash(hashes[:tlog.HashSize]))
	}
	return l, nil
}

func (v view) checkpoints(ctx context.Context) iter.Seq2[[]byte, error] {
	last := beforeAll
	return paged(func() ([][]byte, error) {
		return all(ctx, v.q, func(rows *sql.Rows) (signed []byte, err error) {
			return signed, rows.Scan(&last, &signed)
		}, `SELECT span, note FROM checkpoints WHERE span > ? ORDER BY span LIMIT ?`, last, page)
	})
}

func (v view) streams(ctx context.Context) iter.Seq2[ledger.FactsRef, error] {
	last := beforeAll
	return paged(func() ([]ledger.FactsRef, error) {
		return all(ctx, v.q, func(rows *sql.Rows) (r ledger.FactsRef, err error) {
			return r, rows.Scan(&last, &r.Stream, &r.N, &r.Digest)
		}, `SELECT id, name, n, digest FROM streams WHERE id > ? ORDER BY id LIMIT ?`, last, page)
	})
}

// Inclusion is as Store.Inclusion, under the key in the directory. It returns also the
// entry as it is kept, with the salt that opens its commitment.
func (r *Reader) Inclusion(ctx context.Context, seq uint64) (ledger.Inclusion, ledger.Leaf, error) {
	key, err := r.VerifierKey()
	if err != nil {
		return ledger.Inclusion{}, ledger.Leaf{}, err
	}
	p, leaf, err := r.view.inclusion(ctx, key, seq)
	return p, leaf, failed(opEntry(seq), err)
}
