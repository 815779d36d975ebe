package sqlite

import (
	"database/sql"
	"path/filepath"
	"testing"
)

// A commit is durable when it returns only if SQLite syncs at each. That a loss of
// power takes nothing cannot be shown in a test; that SQLite was told so can.
func TestEveryConnectionThatWritesSyncsEachCommit(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := openLedger(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer entries.Close()
	keys, err := openFile(t.Context(), filepath.Join(dir, "keys.db"), keysPragmas)
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	const full, extra = "2", "3" // https://www.sqlite.org/pragma.html#pragma_synchronous
	for _, want := range []struct {
		name, pragma, value string
		db                  *sql.DB
	}{
		{"the ledger", "synchronous", full, entries},
		{"the ledger", "journal_mode", "wal", entries},
		{"the keys", "synchronous", extra, keys},
		{"the keys", "journal_mode", "delete", keys},
		{"the keys", "secure_delete", "1", keys},
	} {
		var got string
		if err := want.db.QueryRowContext(t.Context(), "PRAGMA "+want.pragma).Scan(&got); err != nil || got != want.value {
			t.Errorf("%s has %s %s, %v; want %s", want.name, want.pragma, got, err, want.value)
		}
		if n := want.db.Stats().MaxOpenConnections; n != 1 {
			t.Errorf("%s may have %d connections, want one writer", want.name, n)
		}
	}
}
