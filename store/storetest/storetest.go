// Package storetest is the suite that every store of Fairlead passes. A store's
// own test calls Run; what the suite asks of a store is its Store interface and
// the sentences that its tests are named by.
package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
)

// Store is what the parts of Fairlead together ask of a store.
type Store interface {
	Commit(ctx context.Context, c fairlead.Change) ([]fairlead.Entry, error)
	Record(ctx context.Context, facts []fairlead.Fact) error
	Row(ctx context.Context, kind, key string) (fairlead.Row, bool, error)
	Rows(ctx context.Context, kind, prefix string) ([]fairlead.Row, error)
	LastRows(ctx context.Context, kind, prefix string, limit int) ([]fairlead.Row, error)
	Entries(ctx context.Context, from uint64, limit int) ([]fairlead.Entry, error)
	Size() uint64
	Wait(ctx context.Context, from uint64) error
	Facts(ctx context.Context, stream string, from uint64) iter.Seq2[fairlead.Fact, error]
	FactsEnd(ctx context.Context, stream string) (uint64, fairlead.Digest, error)
	FactsDigest(ctx context.Context, stream string, n uint64) (fairlead.Digest, error)
	Checkpoint(ctx context.Context) ([]byte, error)
	Inclusion(ctx context.Context, seq uint64) (ledger.Inclusion, error)
	Consistency(ctx context.Context, old, new uint64) (ledger.Consistency, error)
	VerifierKey() string
	Close() error
}

// Opener opens the store whose data is dir's, making it where there is none. It
// may be called again for the same dir after Close, or after the process died.
type Opener func(dir string) (Store, error)

// Run runs the suite. It starts the test binary again, as a child that it kills,
// so it must be called from a top-level test and not after other work there.
func Run(t *testing.T, open Opener) {
	if dir := os.Getenv(childDir); dir != "" {
		commitUntilKilled(t, open, dir)
		return
	}
	for _, c := range []struct {
		sentence string
		test     func(t *testing.T, s Store)
	}{
		{"a change is read back as it was written", readBack},
		{"a change without entries is refused", refusesNoEntries},
		{"a wrong entry leaves nothing", wrongEntryLeavesNothing},
		{"a wrong fact leaves nothing", wrongFactLeavesNothing},
		{"a canceled change leaves nothing", canceledLeavesNothing},
		{"the newest row is in force and null deletes it", newestRowInForce},
		{"rows are found by prefix in byte order", rowsByPrefix},
		{"the last rows are those at the end, the last first", lastRows},
		{"entries are read in pages", entriesInPages},
		{"concurrent changes stay whole and in order and none is lost", concurrentChanges},
		{"a wrong change fails alone among concurrent ones", wrongFailsAlone},
		{"waiting ends with the next entry", waitWakes},
		{"facts follow each other without a gap", factsFollow},
		{"facts are read from anywhere to the end", factsRead},
		{"the running digest commits to every fact", factsDigest},
		{"every entry and every growth is proved", proofs},
		{"a closed store refuses", closedRefuses},
	} {
		t.Run(c.sentence, func(t *testing.T) { c.test(t, opened(t, open, t.TempDir())) })
	}
	t.Run("what was said to be durable survives kill -9", func(t *testing.T) { survivesKill(t, open) })
}

// opened opens a store that is closed at the test's end.
func opened(t *testing.T, open Opener, dir string) Store {
	t.Helper()
	s, err := open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

func entry(kind string, rows ...fairlead.Row) fairlead.Entry {
	return fairlead.Entry{Time: noon, Kind: kind, Site: fairlead.Site{App: "triage", Env: "prod"}, Principal: "system:test", Rows: rows}
}

func row(kind, key, value string) fairlead.Row {
	return fairlead.Row{Kind: kind, Key: key, Value: json.RawMessage(value)}
}

// facts returns facts from to to of stream, each with a body of its own.
func facts(stream string, from, to uint64) []fairlead.Fact {
	var list []fairlead.Fact
	for n := from; n <= to; n++ {
		list = append(list, fairlead.Fact{Stream: stream, N: n, Body: fmt.Appendf(nil, `{"n":%d}`, n)})
	}
	return list
}

func commit(t *testing.T, s Store, entries ...fairlead.Entry) []fairlead.Entry {
	t.Helper()
	list, err := s.Commit(t.Context(), fairlead.Change{Entries: entries})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// wantNothing checks that s holds no entry, no row "k", and no fact of "s".
func wantNothing(t *testing.T, s Store) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	entries, err := s.Entries(ctx, 0, 10)
	if err != nil || len(entries) != 0 || s.Size() != 0 {
		t.Errorf("entries are %v, %v (size %d)", entries, err, s.Size())
	}
	rows, err := s.Rows(ctx, "k", "")
	if err != nil || len(rows) != 0 {
		t.Errorf("rows are %v, %v", rows, err)
	}
	n, digest, err := s.FactsEnd(ctx, "s")
	if err != nil || n != 0 || digest != ledger.FactsStart("s") {
		t.Errorf("facts end at %d, %s, %v", n, digest, err)
	}
}

func wantCode(t *testing.T, want fairlead.Code, err error) {
	t.Helper()
	if err == nil || fairlead.CodeOf(err) != want {
		t.Errorf("error is %v, want code %s", err, want)
	}
}
