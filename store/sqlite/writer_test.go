package sqlite

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
)

func openFor(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// harm runs a statement on a second connection, as a sick disk might.
func harm(t *testing.T, dir, statement string) {
	t.Helper()
	db, err := openFile(t.Context(), dir+"/fairlead.db", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func change(key, value string) fairlead.Change {
	quoted, _ := json.Marshal(value)
	return fairlead.Change{Entries: []fairlead.Entry{{
		Time: time.Unix(1, 0), Kind: "a", Principal: "system:test",
		Rows: []fairlead.Row{{Kind: "k", Key: key, Value: quoted}},
	}}}
}

func TestAChangeThatSQLiteRefusesFailsAlone(t *testing.T) {
	dir := t.TempDir()
	s := openFor(t, dir)
	harm(t, dir, `CREATE TRIGGER no BEFORE INSERT ON rows WHEN new.key = 'bad' BEGIN SELECT raise(ABORT, 'refused'); END`)
	var callers sync.WaitGroup
	for i := range 40 {
		callers.Go(func() {
			key := fmt.Sprint(i)
			if i%10 == 0 {
				key = "bad"
			}
			if _, err := s.Commit(t.Context(), change(key, "x")); (err == nil) != (key != "bad") {
				t.Errorf("%s: %v", key, err)
			}
		})
	}
	callers.Wait()
	rows, err := s.Rows(t.Context(), "k", "")
	if err != nil || len(rows) != 36 || s.Size() != 36 {
		t.Errorf("%d rows, size %d, %v", len(rows), s.Size(), err)
	}
	if _, err := s.view.head(t.Context(), s.verifier); err != nil {
		t.Error(err)
	}
}

// soloWriter is a writer without its goroutine over a new ledger in dir.
func soloWriter(t *testing.T, dir string) *writer {
	t.Helper()
	db, err := openFile(t.Context(), dir+"/fairlead.db", ledgerPragmas)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := migrate(t.Context(), db, ledgerSchema); err != nil {
		t.Fatal(err)
	}
	signer, _, err := signingKey(t.Context(), dir, db)
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWriter(t.Context(), db, signer, ledger.Tree{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.close() })
	return w
}

// write commits a change with a row of size bytes and a fact, and returns its error.
func write(t *testing.T, w *writer, n int, size int) error {
	t.Helper()
	c := change(fmt.Sprint(n), strings.Repeat("x", size))
	body, e, err := ledger.Encode(c.Entries[0])
	if err != nil {
		t.Fatal(err)
	}
	r := &request{
		ctx:    t.Context(),
		leaves: []leaf{{entry: e, body: body, hash: ledger.Commit(ledger.Salt{}, body).Hash()}},
		facts:  []fairlead.Fact{{Stream: "s", N: uint64(n + 1), Body: []byte("{}")}},
	}
	w.commit([]*request{r})
	return failed("commit", r.err)
}

// limit bounds the pages of the database, as the end of the disk does.
func limit(t *testing.T, w *writer, pages int) {
	t.Helper()
	if _, err := w.conn.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
		t.Fatal(err)
	}
}

func TestAFullDiskIsSaidAndNothingIsHalfDone(t *testing.T) {
	w := soloWriter(t, t.TempDir())
	limit(t, w, 60)
	var failure error
	done := 0
	for failure = write(t, w, 0, 5000); failure == nil; failure = write(t, w, done, 5000) {
		done++
	}
	if fairlead.CodeOf(failure) != fairlead.Unavailable || !strings.Contains(failure.Error(), "the disk is full") || fairlead.HintOf(failure) == "" {
		t.Errorf("%v (hint %q)", failure, fairlead.HintOf(failure))
	}
	v := view{w.conn}
	rows, err := v.rows(t.Context(), "k", "")
	if err != nil || len(rows) != done || done == 0 {
		t.Errorf("%d rows after %d changes, %v", len(rows), done, err)
	}
	if e, err := v.end(t.Context(), "s"); err != nil || e.n != uint64(done) {
		t.Errorf("%d facts after %d changes, %v", e.n, done, err)
	}
	limit(t, w, 1<<20)
	if err := write(t, w, done, 5000); err != nil {
		t.Errorf("with room again: %v", err)
	}
	signed, err := v.checkpoint(t.Context())
	if err != nil || !strings.Contains(string(signed), fmt.Sprintf("\n%d\n", done+1)) {
		t.Errorf("checkpoint %s, %v", signed, err)
	}
}

func TestAWriterOnAFailedDiskRefusesUntilItIsOpenedAgain(t *testing.T) {
	w := soloWriter(t, t.TempDir())
	if err := write(t, w, 0, 1); err != nil {
		t.Fatal(err)
	}
	// A deferred constraint fails at COMMIT, which is as near to a disk that fails
	// there as SQL can come.
	for _, s := range []string{
		`PRAGMA foreign_keys = ON`,
		`CREATE TABLE fussy (id INTEGER REFERENCES fussy (no) DEFERRABLE INITIALLY DEFERRED, no INTEGER UNIQUE)`,
		`CREATE TRIGGER no AFTER INSERT ON entries BEGIN INSERT INTO fussy VALUES (1, 2); END`,
	} {
		if _, err := w.conn.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		err := write(t, w, 1, 1)
		if fairlead.CodeOf(err) != fairlead.Unavailable || !strings.Contains(err.Error(), "is not known") || fairlead.HintOf(err) == "" {
			t.Errorf("%v", err)
		}
	}
	if w.tree.Size() != 1 {
		t.Errorf("the tree has %d leaves", w.tree.Size())
	}
}
