// Package sqlite keeps Fairlead's state and ledger in SQLite, and the keys of
// sealed texts in a second SQLite file. It is the only package that knows SQLite.
//
// A state directory holds:
//
//	fairlead.db   entries, state rows, facts, checkpoints
//	keys.db       subjects' keys, for erasure; keep it out of ordinary backups
//	ledger.key    the key that signs checkpoints
//	ledger.vkey   the key that checks them; give it to whoever verifies
//	lock          held while a Store is open
//
// Durability: when Commit, Record, Seal or Erase returns nil the result survives
// kill -9 and power loss, as far as the disk honours fdatasync (write-ahead log,
// synchronous FULL). A change is whole or absent after any crash.
//
// Concurrency: one goroutine writes. It gathers the changes of all callers that
// wait at the same time into one transaction, so the price of making them
// durable is shared. Readers never wait for it.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
)

// Options are what a Store may be told. The zero value is fine.
type Options struct {
	Log *slog.Logger // where remarks go; nil discards them
}

// Store is an open state directory. Its methods are safe for concurrent use.
type Store struct {
	lock     *os.File
	writes   *sql.DB // one connection, the writer's
	reads    *sql.DB
	view     view
	sealer   *Sealer
	verifier string

	requests chan *request
	closing  chan struct{} // closed by Close
	stopped  chan struct{} // closed when the writer has ended
	ended    error         // how the writer ended; read after stopped
	close    sync.Once

	size  atomic.Uint64
	mu    sync.Mutex
	grown chan struct{} // closed and replaced when size grows; guarded by mu
}

// Open opens the state directory dir, making it (mode 0700) and a new ledger
// where there is none. The caller must Close the store.
//
// Errors: conflict where another process has it open, corrupt where a file is
// not what was written, unsupported where a newer Fairlead wrote it, unavailable
// where the disk or the rights do not allow it. Each has a hint. Open reads
// O(log n) of the ledger, not all of it: ledger/verify does that.
func Open(dir string, o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	op := "open state directory " + dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fairlead.Errorf(fairlead.Unavailable, op, "%w", err).WithHint("choose a directory that this user may write")
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{
		lock:     lock,
		requests: make(chan *request),
		closing:  make(chan struct{}),
		stopped:  make(chan struct{}),
		grown:    make(chan struct{}),
	}
	if err := s.open(dir, o); err != nil {
		return nil, errors.Join(failed(op, err), s.release())
	}
	return s, nil
}

func (s *Store) open(dir string, o Options) error {
	ctx := context.Background()
	var err error
	if s.writes, err = openLedger(ctx, dir); err != nil {
		return fmt.Errorf("fairlead.db: %w", err)
	}
	s.reads, err = sql.Open("sqlite", dsn(filepath.Join(dir, "fairlead.db"), readPragmas))
	if err != nil {
		return err
	}
	s.reads.SetMaxOpenConns(4)
	s.reads.SetMaxIdleConns(4)
	s.view = view{s.reads}
	signer, verifier, err := signingKey(ctx, dir, s.writes)
	if err != nil {
		return err
	}
	s.verifier = verifier
	tree, err := s.view.head(ctx, verifier)
	if err != nil {
		return err
	}
	if s.sealer, err = openSealer(ctx, dir, tree.Size(), o.Log); err != nil {
		return fmt.Errorf("keys.db: %w", err)
	}
	w, err := newWriter(ctx, s.writes, signer, tree)
	if err != nil {
		return err
	}
	s.size.Store(tree.Size())
	go s.write(w)
	return nil
}

// openLedger opens fairlead.db at its newest schema, whole as far as a quick look
// can tell.
func openLedger(ctx context.Context, dir string) (*sql.DB, error) {
	path := filepath.Join(dir, "fairlead.db")
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := lost(dir, "missing"); err != nil {
			return nil, err
		}
	}
	db, err := openFile(ctx, path, ledgerPragmas)
	if err != nil {
		return nil, err
	}
	version, err := schemaVersion(ctx, db)
	if err == nil && version == 0 {
		err = lost(dir, "empty")
	}
	if err == nil {
		err = migrate(ctx, db, ledgerSchema)
	}
	if err == nil {
		err = quickCheck(ctx, db)
	}
	if err == nil {
		err = checkSchema(ctx, db, ledgerSchema)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// lost refuses to begin a new ledger beside the key of one: its database is missing
// or empty. The key is written only once the database has its tables.
func lost(dir, how string) error {
	for _, name := range []string{"ledger.key", "ledger.vkey"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
			return fairlead.Errorf(fairlead.Corrupt, "", "it is %s, but %s says that there was a ledger", how, name).
				WithHint("restore fairlead.db from the newest backup; to begin a new ledger choose another state directory")
		}
	}
	return nil
}

// Close ends the writer after the changes that it has already taken, and closes
// all files. Calls that come later fail with code unavailable.
func (s *Store) Close() error {
	var err error
	s.close.Do(func() {
		close(s.closing)
		<-s.stopped
		err = failed("close the store", errors.Join(s.ended, s.release()))
	})
	return err
}

// release closes what is open, the lock last.
func (s *Store) release() error {
	var errs []error
	if s.reads != nil {
		errs = append(errs, s.reads.Close())
	}
	if s.writes != nil {
		errs = append(errs, s.writes.Close())
	}
	if s.sealer != nil {
		errs = append(errs, s.sealer.db.Close())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}

// Sealer returns the sealer over this directory's keys. It lives as long as s.
func (s *Store) Sealer() *Sealer { return s.sealer }

// VerifierKey returns the key that the ledger's checkpoints are checked with.
func (s *Store) VerifierKey() string { return s.verifier }

var _ ledger.Sealer = (*Sealer)(nil)

// The settings of each connection. See https://www.sqlite.org/pragma.html.
var (
	ledgerPragmas = []string{"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "cache_size(-16384)", "journal_size_limit(67108864)"}
	keysPragmas   = []string{"busy_timeout(5000)", "secure_delete(ON)", "journal_mode(DELETE)", "synchronous(EXTRA)"}
	readPragmas   = []string{"busy_timeout(5000)", "query_only(ON)"}
)

func dsn(path string, pragmas []string) string {
	q := url.Values{"_pragma": pragmas, "_txlock": {"immediate"}, "_dqs": {"0"}}
	u := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	return u.String()
}

// openFile opens a database on a single connection, making a missing file
// readable by its owner alone.
func openFile(ctx context.Context, path string, pragmas []string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// Only a missing file is touched: closing a descriptor of a file that SQLite
	// has open in this process would drop its locks.
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	db, err := sql.Open("sqlite", dsn(path, pragmas))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}
