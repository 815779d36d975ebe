package sqlite_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
	"github.com/fairlead/fairlead/ledger/verify"
	"github.com/fairlead/fairlead/store/sqlite"
)

// written is a ledger with entries, rows, facts and a decision that rests on them.
func written(t *testing.T) (dir string, witnessed [][]byte) {
	t.Helper()
	dir = t.TempDir()
	s := open(t, dir)
	for i := range 5 {
		commit(t, s, entry("release.created", row("release", fmt.Sprintf("x@%d", i), fmt.Sprintf(`{"number":%d}`, i))))
	}
	var facts []fairlead.Fact
	for n := range uint64(4) {
		facts = append(facts, fairlead.Fact{Stream: "rollout-1", N: n + 1, Body: fmt.Appendf(nil, `{"y":%d}`, n)})
	}
	if err := s.Record(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	n, digest, err := s.FactsEnd(t.Context(), "rollout-1")
	if err != nil {
		t.Fatal(err)
	}
	decision := entry("rollout.decided", row("rollout", "x/prod", `{"weight":2500}`), fairlead.Row{Kind: "release", Key: "x@0"})
	decision.Data = fmt.Appendf(nil, `{"facts":{"stream":"rollout-1","n":%d,"digest":%q}}`, n, digest)
	commit(t, s, decision)
	signed, err := s.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Record(t.Context(), []fairlead.Fact{{Stream: "rollout-1", N: 5, Body: []byte(`{"y":9}`)}}); err != nil {
		t.Fatal(err)
	}
	var many []fairlead.Entry
	for i := range 300 {
		many = append(many, entry("instance.ready", row("instance", "a", fmt.Sprint(i))))
	}
	commit(t, s, many[:249]...) // up to the last size of a checkpoint span
	commit(t, s, many[249:]...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, [][]byte{signed}
}

// tamper runs statements against the database as a stranger would.
func tamper(t *testing.T, dir string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "fairlead.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func verified(t *testing.T, dir string, witnessed ...[]byte) verify.Result {
	t.Helper()
	r, err := sqlite.OpenReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	key, err := r.VerifierKey()
	if err != nil {
		t.Fatal(err)
	}
	result, err := verify.Check(t.Context(), r, verify.Options{VerifierKey: key, Witnessed: witnessed})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestAnUntouchedLedgerVerifies(t *testing.T) {
	dir, witnessed := written(t)
	r := verified(t, dir, witnessed...)
	if !r.OK() {
		t.Error(r.Findings)
	}
	if r.Entries != 306 || r.Rows != 6 || r.Streams != 1 || r.Facts != 5 || r.Commitments != 1 || r.Checkpoints != 3 || r.Witnessed != 1 {
		t.Errorf("%+v", r)
	}
}

func TestTamperingIsFound(t *testing.T) {
	const swap = `
		CREATE TEMP TABLE two AS SELECT * FROM entries WHERE seq IN (2, 3);
		UPDATE entries SET (salt, body%[1]s) = (SELECT salt, body%[1]s FROM two WHERE two.seq = 5 - entries.seq) WHERE seq IN (2, 3);`
	for name, c := range map[string]struct {
		sql  string
		want []string
	}{
		"a changed body": {
			`UPDATE entries SET body = CAST(replace(body, '"number":1', '"number":7') AS BLOB) WHERE seq = 1`,
			[]string{"entry: entry 1 was changed", `state: row release "x@1": the ledger says {"number":7}, the table says {"number":1}`},
		},
		"a changed body with its row": {
			`UPDATE entries SET body = CAST(replace(body, '"number":1', '"number":7') AS BLOB) WHERE seq = 1; UPDATE rows SET value = CAST('{"number":7}' AS BLOB) WHERE key = 'x@1'`,
			[]string{"entry: entry 1 was changed"},
		},
		"a deleted newest entry":              {`DELETE FROM entries WHERE seq = 305`, []string{"checkpoint: the newest entries are gone: the checkpoint says 306, the ledger has 305"}},
		"a deleted entry in the middle":       {`DELETE FROM entries WHERE seq = 3`, []string{"entry: entries 3 to 3 are missing"}},
		"a deleted first entry":               {`DELETE FROM entries WHERE seq = 0`, []string{"entry: entries 0 to 0 are missing"}},
		"an entry without a checkpoint":       {`INSERT INTO entries SELECT 306, salt, hashes, body FROM entries WHERE seq = 305`, []string{"tree: the stored hashes of entry 306", "checkpoint: 1 entries after entry 306 are in no checkpoint"}},
		"deleted checkpoints":                 {`DELETE FROM checkpoints`, []string{"checkpoint: 306 entries after entry 0 are in no checkpoint"}},
		"a changed checkpoint":                {`UPDATE checkpoints SET note = CAST(replace(note, '306', '307') AS BLOB)`, []string{"checkpoint: the checkpoint number 2 does not hold"}},
		"a changed hash":                      {`UPDATE entries SET hashes = CAST(substr(hashes, 1, 32) || zeroblob(32) AS BLOB) WHERE seq = 1`, []string{"tree: the stored hashes of entry 1"}},
		"a changed state row":                 {`UPDATE rows SET value = CAST('{"weight":10000}' AS BLOB) WHERE kind = 'rollout'`, []string{`state: row rollout "x/prod": the ledger says {"weight":2500}, the table says {"weight":10000}`}},
		"a deleted state row":                 {`DELETE FROM rows WHERE kind = 'rollout'`, []string{`state: row rollout "x/prod": the ledger says {"weight":2500}, the table says that it does not exist`}},
		"a state row from nowhere":            {`INSERT INTO rows VALUES ('token', 'mine', CAST('{}' AS BLOB))`, []string{`state: row token "mine": the ledger says that it does not exist, the table says {}`}},
		"a deleted row put back":              {`INSERT INTO rows VALUES ('release', 'x@0', CAST('{"number":0}' AS BLOB))`, []string{`state: row release "x@0": the ledger says that it does not exist`}},
		"a removed fact":                      {`DELETE FROM facts WHERE n = 2`, []string{`facts: facts 2 to 2 of "rollout-1" are missing`}},
		"a removed newest fact":               {`DELETE FROM facts WHERE n = 5`, []string{`facts: "rollout-1" has 4 facts, its stored end says 5`}},
		"a changed fact":                      {`UPDATE facts SET body = CAST('{"y":0}' AS BLOB) WHERE n = 3`, []string{"facts: entry 5 rests on other facts", `facts: the facts of "rollout-1" are not those whose digest is stored`}},
		"a removed stream":                    {`DELETE FROM streams`, []string{`facts: entry 5 rests on 4 facts of "rollout-1", of which only 0 are there`}},
		"swapped entries":                     {fmt.Sprintf(swap, ""), []string{"entry: entry 2 was changed", "entry: entry 3 was changed"}},
		"swapped entries with their hashes":   {fmt.Sprintf(swap, ", hashes"), []string{"tree: the stored hashes of entry 2", "checkpoint: the first 255 entries are not those that the checkpoint signed"}},
		"swapped entries with leaf hashes":    {fmt.Sprintf(swap, "") + `UPDATE entries SET hashes = CAST((SELECT substr(two.hashes, 1, 32) FROM two WHERE two.seq = 5 - entries.seq) || substr(hashes, 33) AS BLOB) WHERE seq IN (2, 3)`, []string{"checkpoint: the first 255 entries are not those that the checkpoint signed"}},
		"a fact of no known stream":           {`INSERT INTO facts VALUES (99, 1, CAST('{}' AS BLOB))`, []string{"storage: 1 facts are of a stream 99 that is not known"}},
		"a checkpoint's changed size":         {`UPDATE checkpoints SET size = 7 WHERE size = 306`, []string{"storage: the checkpoint of 306 entries is kept as one of 7, at place 1"}},
		"a checkpoint moved to another place": {`UPDATE checkpoints SET span = 9 WHERE size = 306`, []string{"storage: the checkpoint of 306 entries is kept as one of 306, at place 9"}},
		"another verifier key":                {`UPDATE meta SET value = 'mine'`, []string{"storage: the database names another verifier key than ledger.vkey"}},
		"a setting":                           {`INSERT INTO meta VALUES ('x', 'y')`, []string{`storage: the database has a setting "x"`}},
		"a trigger":                           {`CREATE TRIGGER t AFTER INSERT ON rows BEGIN DELETE FROM rows WHERE kind = 'gate'; END`, []string{"storage: the database has a trigger t"}},
		"a view":                              {`CREATE VIEW v AS SELECT * FROM rows`, []string{"storage: the database has a view v"}},
		"a changed table":                     {`ALTER TABLE rows ADD COLUMN more TEXT`, []string{"storage: the table rows is not as Fairlead made it"}},
		"a table that is gone":                {`DROP TABLE checkpoints; CREATE TABLE checkpoints (span INTEGER PRIMARY KEY, size INTEGER, note BLOB)`, []string{"storage: the table checkpoints is not as"}},
		"a body that is no entry":             {`UPDATE entries SET body = CAST('{"rows":1}' AS BLOB) WHERE seq = 4`, []string{"entry: entry 4 was changed", "entry: entry 4 cannot be read"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := written(t)
			tamper(t, dir, c.sql)
			found := verified(t, dir).Findings
			for _, want := range c.want {
				if !has(found, want) {
					t.Errorf("no finding %q in %v", want, found)
				}
			}
		})
	}
}

func has(found []verify.Finding, prefix string) bool {
	for _, f := range found {
		if strings.HasPrefix(f.String(), prefix) {
			return true
		}
	}
	return false
}

// rollBack takes the newest entries away without leaving a trace inside: down to
// a checkpoint that is kept, with state and facts to match.
func rollBack(t *testing.T, dir string) {
	t.Helper()
	tamper(t, dir, `
		DELETE FROM checkpoints WHERE size > 255;
		DELETE FROM entries WHERE seq >= 255;
		UPDATE rows SET value = CAST('248' AS BLOB) WHERE kind = 'instance'`)
}

func TestARolledBackLedgerIsFoundOnlyAgainstAWitness(t *testing.T) {
	dir, _ := written(t)
	s := open(t, dir)
	witnessed, err := s.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	rollBack(t, dir)
	if r := verified(t, dir); !r.OK() {
		t.Errorf("everything left fits together, yet: %v", r.Findings)
	}
	want := "checkpoint: the newest entries are gone: the witnessed checkpoint says 306, the ledger has 255"
	if found := verified(t, dir, witnessed).Findings; !has(found, want) {
		t.Errorf("no finding %q in %v", want, found)
	}
}

func TestALedgerRewrittenWithItsOwnKeyIsFoundAgainstAWitness(t *testing.T) {
	dir, witnessed := written(t)
	tamper(t, dir, `DELETE FROM checkpoints; DELETE FROM entries; DELETE FROM rows; DELETE FROM streams; DELETE FROM facts`)
	s := open(t, dir)
	for range 306 {
		commit(t, s, entry("a"))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if r := verified(t, dir); !r.OK() {
		t.Errorf("it was signed anew, yet: %v", r.Findings)
	}
	want := "checkpoint: the first 6 entries are not those that the witnessed checkpoint signed"
	if found := verified(t, dir, witnessed...).Findings; !has(found, want) {
		t.Errorf("no finding %q in %v", want, found)
	}
}

func TestAForeignKeyVerifiesNothing(t *testing.T) {
	dir, _ := written(t)
	_, stranger, err := ledger.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	r, err := sqlite.OpenReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	result, err := verify.Check(t.Context(), r, verify.Options{VerifierKey: stranger, MaxFindings: 2})
	if err != nil || len(result.Findings) != 2 || result.More != 1 {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestOpenRefusesALedgerWhoseEndWasCutOff(t *testing.T) {
	dir, _ := written(t)
	tamper(t, dir, `DELETE FROM entries WHERE seq = 305`)
	_, err := sqlite.Open(dir, sqlite.Options{})
	if fairlead.CodeOf(err) != fairlead.Corrupt || !strings.Contains(err.Error(), "305 entries, its newest checkpoint says 306") || fairlead.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
}

// query reads one value of the database as a stranger would.
func query(t *testing.T, dir string, into any, q string, args ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "fairlead.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.QueryRowContext(t.Context(), q, args...).Scan(into); err != nil {
		t.Fatal(err)
	}
}
