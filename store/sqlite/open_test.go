package sqlite_test

import (
	"database/sql"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/store/sqlite"
)

// harm is something that happened to a state directory, and what is said of it.
type harm struct {
	harm func(t *testing.T, dir string)
	code fairlead.Code
	says string
}

func harmsOfDatabases() map[string]harm {
	return map[string]harm{
		"a newer schema": {
			func(t *testing.T, dir string) { tamper(t, dir, `INSERT INTO schema VALUES (99, 'later')`) },
			fairlead.Unsupported, "version 99",
		},
		"a database of something else": {
			func(t *testing.T, dir string) { tamper(t, dir, `DROP TABLE schema`) },
			fairlead.Corrupt, "not Fairlead's",
		},
		"a file that is no database": {
			func(t *testing.T, dir string) { overwrite(t, dir, "fairlead.db", 0, "this is no database at all") },
			fairlead.Corrupt, "not a database",
		},
		"a trigger that someone added": {
			func(t *testing.T, dir string) {
				tamper(t, dir, `CREATE TRIGGER t AFTER INSERT ON rows BEGIN DELETE FROM rows; END`)
			},
			fairlead.Corrupt, "fairlead.db: the database has a trigger t, which Fairlead did not make",
		},
		"a database without a byte": {
			func(t *testing.T, dir string) { truncate(t, dir, "fairlead.db", 0) },
			fairlead.Corrupt, "fairlead.db: it is empty, but ledger.key says that there was a ledger",
		},
		"a database that is gone": {
			func(t *testing.T, dir string) { remove(t, dir, "fairlead.db") },
			fairlead.Corrupt, "fairlead.db: it is missing, but ledger.key says",
		},
		"a database that was cut off": {
			func(t *testing.T, dir string) { truncate(t, dir, "fairlead.db", 3*4096+100) },
			fairlead.Corrupt, "fairlead.db: ",
		},
		"a flipped byte in the header": {
			func(t *testing.T, dir string) { overwrite(t, dir, "fairlead.db", 3, "\xff") },
			fairlead.Corrupt, "fairlead.db: file is not a database",
		},
		"a newer kind of file": { // the write version of SQLite's format
			func(t *testing.T, dir string) { overwrite(t, dir, "fairlead.db", 18, "\x09\x09") },
			fairlead.Corrupt, "fairlead.db: ",
		},
		"a damaged page of state": {
			func(t *testing.T, dir string) {
				overwrite(t, dir, "fairlead.db", 4096*rootPage(t, dir, "rows"), strings.Repeat("\xa5", 4096))
			},
			fairlead.Corrupt, "",
		},
		"keys.db damaged": {
			func(t *testing.T, dir string) { overwrite(t, dir, "keys.db", 0, strings.Repeat("\xa5", 4096)) },
			fairlead.Corrupt, "keys.db: file is not a database",
		},
		"a newer keys.db": {
			func(t *testing.T, dir string) {
				db, err := sql.Open("sqlite", filepath.Join(dir, "keys.db"))
				if err == nil {
					_, err = db.ExecContext(t.Context(), `INSERT INTO schema VALUES (99, 'later')`)
				}
				if err := errors.Join(err, db.Close()); err != nil {
					t.Fatal(err)
				}
			},
			fairlead.Unsupported, "keys.db: its schema has version 99",
		},
	}
}

func harmsOfKeys() map[string]harm {
	return map[string]harm{
		"the signing key missing": {
			func(t *testing.T, dir string) { remove(t, dir, "ledger.key") },
			fairlead.Corrupt, "ledger.key is missing",
		},
		"another ledger's signing key": {
			func(t *testing.T, dir string) {
				other := t.TempDir()
				open(t, other)
				key, err := os.ReadFile(filepath.Join(other, "ledger.key"))
				if err != nil {
					t.Fatal(err)
				}
				remove(t, dir, "ledger.key")
				overwrite(t, dir, "ledger.key", 0, string(key))
			},
			fairlead.Corrupt, "the ledger is another",
		},
		"a signing key that others may read": {
			func(t *testing.T, dir string) {
				if err := os.Chmod(filepath.Join(dir, "ledger.key"), 0o644); err != nil {
					t.Fatal(err)
				}
			},
			fairlead.Forbidden, "others may read it",
		},
		"a malformed signing key": {
			func(t *testing.T, dir string) { overwrite(t, dir, "ledger.key", 0, "nonsense") },
			fairlead.Corrupt, "signing key",
		},
	}
}

func TestOpenSaysWhatIsWrongWithADirectory(t *testing.T) {
	all := harmsOfDatabases()
	maps.Copy(all, harmsOfKeys())
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			dir, _ := written(t)
			c.harm(t, dir)
			_, err := sqlite.Open(dir, sqlite.Options{})
			if fairlead.CodeOf(err) != c.code || err == nil || !strings.Contains(err.Error(), c.says) || fairlead.HintOf(err) == "" {
				t.Errorf("%v (code %s, hint %q)", err, fairlead.CodeOf(err), fairlead.HintOf(err))
			}
			if err != nil && strings.Contains(err.Error(), "PRIVATE") {
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
}

func TestARefusedDirectoryIsLeftAsItIs(t *testing.T) {
	dir, _ := written(t)
	truncate(t, dir, "fairlead.db", 3*4096+100)
	before := contents(t, dir)
	for range 2 {
		if _, err := sqlite.Open(dir, sqlite.Options{}); err == nil {
			t.Fatal("it was opened")
		}
	}
	delete(before, "lock") // it holds the pid of the last who tried
	after := contents(t, dir)
	delete(after, "lock")
	if !maps.Equal(before, after) {
		t.Error("opening changed a file")
	}
}

// contents returns the files of a directory by name.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(data)
	}
	return files
}

func TestALostVerifierKeyIsWrittenAgain(t *testing.T) {
	dir, _ := written(t)
	remove(t, dir, "ledger.vkey")
	s := open(t, dir)
	data, err := os.ReadFile(filepath.Join(dir, "ledger.vkey"))
	if err != nil || strings.TrimSpace(string(data)) != s.VerifierKey() {
		t.Errorf("%q, %v; want %q", data, err, s.VerifierKey())
	}
}

func TestCheckFindsDamageThatOpenDoesNotLookFor(t *testing.T) {
	dir, _ := written(t)
	s := open(t, dir)
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	overwrite(t, dir, "fairlead.db", 4096*rootPage(t, dir, "facts"), strings.Repeat("\xa5", 4096))
	s = open(t, dir)
	if err := s.Check(t.Context()); fairlead.CodeOf(err) != fairlead.Corrupt || fairlead.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
}

func TestAReaderSeesOneMomentBesideARunningStore(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	commit(t, s, entry("a", row("k", "1", "1")))
	r, err := sqlite.OpenReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	commit(t, s, entry("b", row("k", "1", "2")))
	got, ok, err := r.Row(t.Context(), "k", "1")
	if err != nil || !ok || string(got.Value) != "1" {
		t.Errorf("the reader sees %s, %v, %v", got.Value, ok, err)
	}
	if result := verified(t, dir); !result.OK() || result.Entries != 2 {
		t.Errorf("a later reader: %+v", result)
	}
}

func TestReadingWhatIsNotThereIsNotFound(t *testing.T) {
	dir := t.TempDir()
	_, err := sqlite.OpenReadOnly(dir)
	if fairlead.CodeOf(err) != fairlead.NotFound || fairlead.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) > 0 {
		t.Errorf("reading made %v", files)
	}
	dir, _ = written(t)
	tamper(t, dir, `INSERT INTO schema VALUES (99, 'later')`)
	if _, err := sqlite.OpenReadOnly(dir); fairlead.CodeOf(err) != fairlead.Unsupported {
		t.Errorf("%v", err)
	}
}

func truncate(t *testing.T, dir, name string, size int64) {
	t.Helper()
	if err := os.Truncate(filepath.Join(dir, name), size); err != nil {
		t.Fatal(err)
	}
}

func rootPage(t *testing.T, dir, table string) int64 {
	t.Helper()
	var page int64
	query(t, dir, &page, `SELECT rootpage - 1 FROM sqlite_master WHERE name = ?`, table)
	return page
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, dir, name string, offset int64, data string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte(data), offset); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestReadingAStoppedLedgerChangesNoFile(t *testing.T) {
	dir, _ := written(t)
	before := contents(t, dir)
	if r := verified(t, dir); !r.OK() {
		t.Error(r.Findings)
	}
	if after := contents(t, dir); !maps.Equal(before, after) {
		t.Errorf("before %d files, after %d", len(before), len(after))
	}
}
