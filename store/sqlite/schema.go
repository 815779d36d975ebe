package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/fairlead/fairlead"
)

// A schema is the list of all migrations of one file, oldest first. One that was
// released is never edited; a new one is added at the end.
type schema []string

// ledgerSchema is fairlead.db's.
//
// entries.hashes are the stored hashes that the entry completes (tlog.StoredHashes),
// 32 bytes each, its own leaf first. checkpoints keeps the newest of each span of
// checkpointSpan sizes. streams.digest is the running digest after fact n.
var ledgerSchema = schema{`
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE entries (seq INTEGER PRIMARY KEY, salt BLOB NOT NULL, hashes BLOB NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE rows (kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, key)) STRICT, WITHOUT ROWID;
CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, n INTEGER NOT NULL, digest TEXT NOT NULL) STRICT;
CREATE TABLE facts (stream INTEGER NOT NULL, n INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (stream, n)) STRICT, WITHOUT ROWID;
CREATE TABLE checkpoints (span INTEGER PRIMARY KEY, size INTEGER NOT NULL, note BLOB NOT NULL) STRICT;
`, factsOfReports}

// factsOfReports changes no table: inputs of decisions hold reported signals, guards,
// mirrored requests and declared errors since, which a program of version 1 would pass
// over, and commit to what it understood of them as if that were the record.
const factsOfReports = `SELECT 1`

// keysSchema is keys.db's.
var keysSchema = schema{`
CREATE TABLE lookup (id INTEGER PRIMARY KEY CHECK (id = 1), key BLOB NOT NULL) STRICT;
CREATE TABLE subjects (id TEXT PRIMARY KEY, lookup BLOB NOT NULL UNIQUE, key BLOB NOT NULL) STRICT, WITHOUT ROWID;
`}

// migrate brings db to the newest version, each step in a transaction of its own.
// A version that this program does not know is an error of code unsupported.
func migrate(ctx context.Context, db *sql.DB, s schema) error {
	version, err := schemaVersion(ctx, db)
	if err != nil {
		return err
	}
	if err := s.supports(version); err != nil {
		return err
	}
	for v := version; v < len(s); v++ {
		if err := apply(ctx, db, v+1, s[v]); err != nil {
			return fmt.Errorf("migrate to version %d: %w", v+1, err)
		}
	}
	return nil
}

// supports returns an error of code unsupported unless version is known.
func (s schema) supports(version int) error {
	if version <= len(s) {
		return nil
	}
	return fairlead.Errorf(fairlead.Unsupported, "", "its schema has version %d, this program knows up to %d", version, len(s)).
		WithHint("run the newer Fairlead that wrote it")
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// schemaVersion returns 0 for an empty database, and an error of code corrupt
// for one that is not Fairlead's.
func schemaVersion(ctx context.Context, q querier) (int, error) {
	var tables, versioned int
	err := q.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (WHERE name = 'schema') FROM sqlite_master WHERE type = 'table'`).
		Scan(&tables, &versioned)
	if err != nil || tables == 0 {
		return 0, err
	}
	if versioned == 0 {
		return 0, fairlead.Errorf(fairlead.Corrupt, "", "it is a database, but not Fairlead's").WithHint("choose another state directory")
	}
	var version int
	err = q.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM schema`).Scan(&version)
	return version, err
}

func apply(ctx context.Context, db *sql.DB, version int, script string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	if version == 1 {
		script = `CREATE TABLE schema (version INTEGER PRIMARY KEY, applied TEXT NOT NULL) STRICT;` + script
	}
	if _, err := tx.ExecContext(ctx, script); err != nil {
		return err
	}
	applied := time.Now().UTC().Format(time.RFC3339) // for people; no decision reads it
	if _, err := tx.ExecContext(ctx, `INSERT INTO schema (version, applied) VALUES (?, ?)`, version, applied); err != nil {
		return err
	}
	return tx.Commit()
}
