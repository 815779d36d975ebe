package sqlite_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
	"github.com/fairlead/fairlead/store/sqlite"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func entry(kind string, rows ...fairlead.Row) fairlead.Entry {
	return fairlead.Entry{Time: noon, Kind: kind, Principal: "system:test", Rows: rows}
}

func row(kind, key, value string) fairlead.Row {
	return fairlead.Row{Kind: kind, Key: key, Value: json.RawMessage(value)}
}

func commit(t *testing.T, s *sqlite.Store, entries ...fairlead.Entry) []fairlead.Entry {
	t.Helper()
	list, err := s.Commit(t.Context(), fairlead.Change{Entries: entries})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestALedgerIsFoundAgainAsItWas(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	commit(t, s, entry("a", row("release", "x@1", `{"n": 1}`)), entry("b"))
	before, err := s.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if logs, _ := filepath.Glob(filepath.Join(dir, "fairlead.db-*")); len(logs) > 0 {
		t.Errorf("a closed store leaves %v: its connections are not closed", logs)
	}

	s = open(t, dir)
	after, err := s.Checkpoint(t.Context())
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("checkpoint is now %q, %v; was %q", after, err, before)
	}
	if got := commit(t, s, entry("c"))[0].Seq; got != 2 {
		t.Errorf("the next entry is %d, want 2", got)
	}
	r, ok, err := s.Row(t.Context(), "release", "x@1")
	if err != nil || !ok || string(r.Value) != `{"n":1}` {
		t.Errorf("row is %s, %v, %v", r.Value, ok, err)
	}
}

func TestASecondOpenIsToldWhoHoldsTheDirectory(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	_, err := sqlite.Open(dir, sqlite.Options{})
	if fairlead.CodeOf(err) != fairlead.Conflict || fairlead.HintOf(err) == "" || !strings.Contains(err.Error(), "pid ") {
		t.Errorf("%v (code %s, hint %q)", err, fairlead.CodeOf(err), fairlead.HintOf(err))
	}
}

func TestEveryEntryIsProvedInTheNewestCheckpoint(t *testing.T) {
	s := open(t, t.TempDir())
	var notes [][]byte
	for range 9 {
		commit(t, s, entry("a"))
		signed, err := s.Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		notes = append(notes, signed)
	}
	newest, err := ledger.OpenCheckpoint(notes[8], s.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	for seq := range s.Size() {
		p, err := s.Inclusion(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Check(s.VerifierKey()); err != nil {
			t.Error(err)
		}
		old, err := ledger.OpenCheckpoint(notes[seq], s.VerifierKey())
		if err != nil {
			t.Fatal(err)
		}
		grown, err := s.Consistency(t.Context(), old.Size, newest.Size)
		if err == nil {
			err = grown.Check(old, newest)
		}
		if err != nil {
			t.Errorf("from %d: %v", old.Size, err)
		}
	}
	if _, err := s.Inclusion(t.Context(), 9); fairlead.CodeOf(err) != fairlead.NotFound {
		t.Errorf("a proof of what is not there: %v", err)
	}
}

func TestSecretFilesAreTheirOwnersAlone(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	commit(t, s, entry("a"))
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 && filepath.Base(f) != "ledger.vkey" {
			t.Errorf("%s has mode %o", filepath.Base(f), mode)
		}
	}
}

func TestWaitEndsWithItsContextAndItsStore(t *testing.T) {
	s := open(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Wait(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	done := make(chan error)
	go func() { done <- s.Wait(t.Context(), 0) }()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; fairlead.CodeOf(err) != fairlead.Unavailable {
		t.Errorf("closed: %v", err)
	}
}
