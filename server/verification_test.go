package server

import (
	"context"
	"database/sql"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/store/sqlite"
)

var operator = fairlead.Principal{ID: "system:test", Role: fairlead.Operator}

// kept is a ledger with entries, rows and a verifier over it, which runs.
type kept struct {
	dir      string
	store    *sqlite.Store
	verifier *verifier
	end      func()
	log      *strings.Builder
}

func newKept(t testing.TB, entries int) *kept {
	t.Helper()
	k := &kept{dir: t.TempDir(), log: &strings.Builder{}}
	var err error
	if k.store, err = sqlite.Open(k.dir, sqlite.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.store.Close() })
	k.write(t, entries)
	if k.verifier, err = newVerifier(t.Context(), k.dir, k.store, time.Now, slog.New(slog.NewTextHandler(k.log, nil))); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		k.verifier.run(ctx)
	}()
	k.end = func() {
		cancel()
		<-ended
	}
	t.Cleanup(k.end)
	return k
}

func (k *kept) write(t testing.TB, entries int) {
	t.Helper()
	for entries > 0 {
		var c fairlead.Change
		for range min(entries, 1000) {
			c.Entries = append(c.Entries, fairlead.Entry{
				Time: time.Now(), Kind: "test.written", Principal: "system:test",
				Rows: []fairlead.Row{{Kind: "test", Key: "row", Value: []byte(`{"weight":25}`)}},
			})
		}
		if _, err := k.store.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		entries -= len(c.Entries)
	}
}

func (k *kept) meddle(t *testing.T, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(k.dir, "fairlead.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// verified begins a verification and waits for its end.
func (k *kept) verified(t testing.TB) client.Verification {
	t.Helper()
	if _, err := k.verifier.Begin(operator); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if n := k.verifier.Newest(); n.State != client.VerifyRunning {
			return n
		}
	}
	t.Fatal("it does not end")
	return client.Verification{}
}

func TestTheServerVerifiesItsOwnLedgerWhenAsked(t *testing.T) {
	k := newKept(t, 700)
	if n := k.verifier.Newest(); n.State != client.VerifyNever {
		t.Errorf("before: %+v", n)
	}
	n := k.verified(t)
	if n.State != client.VerifyGood || n.Entries != 700 || n.Size != 700 || n.Rows != 1 || n.Root == "" || n.Checkpoints == 0 || n.Ended.Before(n.Began) || len(n.Findings) != 0 {
		t.Errorf("%+v", n)
	}
	k.write(t, 5)
	if n := k.verified(t); n.State != client.VerifyGood || n.Entries != 705 {
		t.Errorf("again: %+v", n)
	}
	if !strings.Contains(k.log.String(), "askedBy=system:test") {
		t.Errorf("the log does not say who asked: %s", k.log)
	}
}

func TestWhatWasChangedBehindTheServersBackIsFound(t *testing.T) {
	for name, c := range map[string]struct{ statement, says string }{
		"an entry":              {`UPDATE entries SET body = CAST(replace(body, '25', '99') AS BLOB) WHERE seq = 3`, "entry 3 was changed"},
		"a row of state":        {`UPDATE rows SET value = CAST('{"weight":99}' AS BLOB)`, `the table says {"weight":99}`},
		"the newest taken away": {`DELETE FROM entries WHERE seq >= 690`, "the newest entries are gone"},
		"a trigger":             {`CREATE TRIGGER t AFTER INSERT ON rows BEGIN DELETE FROM rows; END`, "a trigger t"},
		// All that is left fits together: only who remembers a checkpoint sees it.
		"an older moment put back": {`DELETE FROM checkpoints WHERE size > 511; DELETE FROM entries WHERE seq >= 511`, "the newest entries are gone: the witnessed checkpoint says 700"},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKept(t, 0)
			for range 7 {
				k.write(t, 73) // checkpoints are kept along the way
			}
			k.write(t, 189)
			if n := k.verified(t); n.State != client.VerifyGood {
				t.Fatalf("untouched: %+v", n)
			}
			k.meddle(t, c.statement)
			n := k.verified(t)
			if n.State != client.VerifyBad || !strings.Contains(strings.Join(n.Findings, "\n"), c.says) {
				t.Errorf("%+v", n)
			}
		})
	}
}

func TestOneVerificationRunsAtATimeAndEndsWithTheServer(t *testing.T) {
	k := newKept(t, 60_000)
	first, err := k.verifier.Begin(operator)
	if err != nil || first.State != client.VerifyRunning {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := k.verifier.Begin(operator)
	if err != nil || !again.Began.Equal(first.Began) {
		t.Errorf("asked twice: %+v, %v", again, err)
	}
	for deadline := time.Now().Add(time.Minute); k.verifier.Newest().Entries == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not say how far it is")
		}
	}
	k.end()
	if n := k.verifier.Newest(); n.State != client.VerifyFailed || !strings.Contains(n.Problem, "server ended") || n.Entries >= 60_000 {
		t.Errorf("%+v", n)
	}
}

func TestOnlyAnOperatorBeginsAVerification(t *testing.T) {
	k := newKept(t, 1)
	for _, role := range []fairlead.Role{fairlead.Viewer, fairlead.Reporter, ""} {
		if _, err := k.verifier.Begin(fairlead.Principal{ID: "system:test", Role: role}); fairlead.CodeOf(err) != fairlead.Forbidden {
			t.Errorf("%q: %v", role, err)
		}
	}
	if n := k.verifier.Newest(); n.State != client.VerifyNever {
		t.Errorf("%+v", n)
	}
}

// BenchmarkVerifyBeside measures a commit while nothing else runs, and while the ledger of
// a hundred thousand entries is verified beside it.
func BenchmarkVerifyBeside(b *testing.B) {
	k := newKept(b, 100_000)
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			k.write(b, 1)
		}
	})
	b.Run("beside", func(b *testing.B) {
		worst := time.Duration(0)
		for b.Loop() {
			if _, err := k.verifier.Begin(operator); err != nil {
				b.Fatal(err)
			}
			began := time.Now()
			k.write(b, 1)
			worst = max(worst, time.Since(began))
		}
		b.ReportMetric(float64(worst.Microseconds())/1000, "worst-ms")
	})
	b.Run("whole", func(b *testing.B) {
		for b.Loop() {
			if n := k.verified(b); n.State != client.VerifyGood {
				b.Fatalf("%+v", n)
			}
		}
	})
}
