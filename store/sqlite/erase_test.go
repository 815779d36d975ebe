package sqlite_test

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
)

// subjectKeys reads the keys of keys.db as a thief would.
func subjectKeys(t *testing.T, dir string) [][]byte {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "keys.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(t.Context(), `SELECT key, lookup FROM subjects`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var keys [][]byte
	for rows.Next() {
		var key, lookup []byte
		if err := rows.Scan(&key, &lookup); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key, lookup)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return keys
}

// filesWith returns the files of dir that hold text anywhere.
func filesWith(t *testing.T, dir string, text []byte) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, text) {
			found = append(found, filepath.Base(f))
		}
	}
	return found
}

func TestAnErasedPersonIsInNoFileAndTheLedgerStillVerifies(t *testing.T) {
	const person = "ada.lovelace@example.com"
	dir := t.TempDir()
	s := open(t, dir)
	sealed, err := s.Sealer().Seal(t.Context(), person, person)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 { // so that keys.db has neighbours on several pages
		if _, err := s.Sealer().Seal(t.Context(), string(rune('a'+i)), "other"); err != nil {
			t.Fatal(err)
		}
	}
	e := entry("release.created", row("release", "x@1", `{"by":"`+string(sealed)+`"}`))
	e.Principal = sealed
	commit(t, s, e)
	// A handle of the files closes locks that SQLite holds, so the files are read
	// only while the store is closed.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before := subjectKeys(t, dir)

	s = open(t, dir)
	if err := s.Sealer().Erase(t.Context(), person); err != nil {
		t.Fatal(err)
	}
	commit(t, s, entry("subject.erased"))
	if files := filesWith(t, dir, []byte(person)); len(files) > 0 {
		t.Errorf("the plain text is in %v", files)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	after := map[string]bool{}
	for _, key := range subjectKeys(t, dir) {
		after[string(key)] = true
	}
	gone := 0
	for _, key := range before {
		files := filesWith(t, dir, key)
		if !after[string(key)] {
			gone++
			if len(files) > 0 {
				t.Errorf("a destroyed key is still in %v", files)
			}
		} else if len(files) == 0 {
			t.Error("a living key is in no file: the search finds nothing")
		}
	}
	if gone != 2 {
		t.Errorf("%d of the subject's key and lookup are gone, want 2", gone)
	}
	if r := verified(t, dir); !r.OK() {
		t.Error(r.Findings)
	}
	s = open(t, dir)
	if text, err := s.Sealer().Open(t.Context(), sealed); err != nil || text != ledger.Erased {
		t.Errorf("opened %q, %v", text, err)
	}
}

func TestALedgerWithoutItsKeysReadsAsErased(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	sealed, err := s.Sealer().Seal(t.Context(), "ada", "Ada")
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, fairlead.Entry{Time: noon, Kind: "a", Principal: sealed})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "keys.db")); err != nil {
		t.Fatal(err)
	}
	if text, err := open(t, dir).Sealer().Open(t.Context(), sealed); err != nil || text != ledger.Erased {
		t.Errorf("opened %q, %v", text, err)
	}
	if r := verified(t, dir); !r.OK() {
		t.Error(r.Findings)
	}
}
