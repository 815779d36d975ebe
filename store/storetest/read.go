package storetest

import (
	"reflect"
	"slices"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
)

func rowsByPrefix(t *testing.T, s Store) {
	var rows []fairlead.Row
	for _, key := range []string{"b", "a/2", "a/10", "a", "a0", "a/\U0010ffff", "a/é", "A/1", "%", "a_"} {
		rows = append(rows, row("k", key, "1"))
	}
	commit(t, s, entry("a", append(rows, row("other", "a/1", "1"))...))
	for prefix, want := range map[string][]string{
		"":             {"%", "A/1", "a", "a/10", "a/2", "a/é", "a/\U0010ffff", "a0", "a_", "b"},
		"a/":           {"a/10", "a/2", "a/é", "a/\U0010ffff"},
		"a":            {"a", "a/10", "a/2", "a/é", "a/\U0010ffff", "a0", "a_"},
		"%":            {"%"},
		"a_":           {"a_"},
		"a/\U0010ffff": {"a/\U0010ffff"},
		"z":            nil,
	} {
		list, err := s.Rows(t.Context(), "k", prefix)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range list {
			got = append(got, r.Key)
		}
		if !slices.Equal(got, want) {
			t.Errorf("prefix %q: %q, want %q", prefix, got, want)
		}
	}
}

func lastRows(t *testing.T, s Store) {
	var rows []fairlead.Row
	for _, key := range []string{"a", "a/1", "a/2", "a/3", "a/\U0010ffff", "a0", "b/1"} {
		rows = append(rows, row("k", key, "1"))
	}
	commit(t, s, entry("a", append(rows, row("l", "a/9", "1"))...))
	for _, prefix := range []string{"", "a", "a/", "b", "z"} {
		want, err := s.Rows(t.Context(), "k", prefix)
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(want)
		for _, limit := range []int{-1, 0, 1, 2, 100} {
			got, err := s.LastRows(t.Context(), "k", prefix, limit)
			if n := min(max(limit, 0), len(want)); err != nil || !reflect.DeepEqual(append([]fairlead.Row{}, got...), append([]fairlead.Row{}, want[:n]...)) {
				t.Errorf("the last %d with prefix %q: %v, %v, want %v", limit, prefix, got, err, want[:n])
			}
		}
	}
}

func entriesInPages(t *testing.T, s Store) {
	var all []fairlead.Entry
	for range 7 {
		all = append(all, commit(t, s, entry("a"), entry("b"))...)
	}
	var got []fairlead.Entry
	for {
		list, err := s.Entries(t.Context(), uint64(len(got)), 5)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		got = append(got, list...)
	}
	if !reflect.DeepEqual(got, all) {
		t.Errorf("read %d entries, wrote %d", len(got), len(all))
	}
	for _, c := range []struct {
		from  uint64
		limit int
	}{{14, 5}, {1 << 63, 5}, {0, 0}, {0, -1}} {
		if list, err := s.Entries(t.Context(), c.from, c.limit); err != nil || len(list) != 0 {
			t.Errorf("from %d, limit %d: %d entries, %v", c.from, c.limit, len(list), err)
		}
	}
}

func waitWakes(t *testing.T, s Store) {
	woken := make(chan error, 3)
	for from := range uint64(3) {
		go func() { woken <- s.Wait(t.Context(), from) }()
	}
	for range 3 {
		commit(t, s, entry("a"))
		if err := <-woken; err != nil {
			t.Error(err)
		}
	}
	if err := s.Wait(t.Context(), 2); err != nil {
		t.Error(err)
	}
}

func factsFollow(t *testing.T, s Store) {
	if err := s.Record(t.Context(), slices.Concat(facts("s", 1, 3), facts("r", 1, 1), facts("s", 4, 4))); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range [][]fairlead.Fact{facts("s", 4, 4), facts("s", 6, 6), facts("r", 3, 3)} {
		wantCode(t, fairlead.Conflict, s.Record(t.Context(), wrong))
	}
	if err := s.Record(t.Context(), facts("s", 5, 5)); err != nil {
		t.Error(err)
	}
	if _, err := s.Commit(t.Context(), fairlead.Change{Entries: []fairlead.Entry{entry("a")}, Facts: facts("s", 6, 6)}); err != nil {
		t.Error(err)
	}
	if n, _, err := s.FactsEnd(t.Context(), "s"); err != nil || n != 6 {
		t.Errorf("ends at %d, %v", n, err)
	}
	if err := s.Record(t.Context(), nil); err != nil {
		t.Errorf("nothing to record: %v", err)
	}
}

func factsRead(t *testing.T, s Store) {
	const last = 1000
	want := facts("s", 1, last)
	if err := s.Record(t.Context(), slices.Concat(facts("r", 1, 5), want, facts("t", 1, 5))); err != nil {
		t.Fatal(err)
	}
	for _, from := range []uint64{0, 1, 255, 256, 257, last, last + 1} {
		var got []fairlead.Fact
		for f, err := range s.Facts(t.Context(), "s", from) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, f)
		}
		rest := want[max(from, 1)-1:]
		if !slices.EqualFunc(got, rest, func(a, b fairlead.Fact) bool { return reflect.DeepEqual(a, b) }) {
			t.Errorf("from %d: %d facts", from, len(got))
		}
	}
	for f, err := range s.Facts(t.Context(), "s", 2) {
		if err != nil || f.N != 2 {
			t.Errorf("%v, %v", f, err)
		}
		break // a consumer may stop
	}
	for range s.Facts(t.Context(), "unknown", 1) {
		t.Error("an unknown stream has facts")
	}
}

func factsDigest(t *testing.T, s Store) {
	list := facts("s", 1, 5)
	want := ledger.FactsStart("s")
	for _, f := range list {
		if err := s.Record(t.Context(), []fairlead.Fact{f}); err != nil {
			t.Fatal(err)
		}
		want = ledger.FactsNext(want, f.Body)
		n, got, err := s.FactsEnd(t.Context(), "s")
		if err != nil || n != f.N || got != want || !got.Valid() {
			t.Errorf("after fact %d: %d, %s, %v; want %s", f.N, n, got, err, want)
		}
		if got, err := s.FactsDigest(t.Context(), "s", f.N); err != nil || got != want {
			t.Errorf("computed after fact %d: %s, %v; want %s", f.N, got, err, want)
		}
	}
	_, err := s.FactsDigest(t.Context(), "s", 6)
	wantCode(t, fairlead.NotFound, err)
}

func proofs(t *testing.T, s Store) {
	var marks []ledger.Checkpoint
	for range 11 {
		commit(t, s, entry("a"), entry("b"), entry("c"))
		signed, err := s.Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c, err := ledger.OpenCheckpoint(signed, s.VerifierKey())
		if err != nil || c.Size != s.Size() {
			t.Fatalf("%+v, %v", c, err)
		}
		marks = append(marks, c)
	}
	newest := marks[len(marks)-1]
	for seq := range s.Size() {
		p, err := s.Inclusion(t.Context(), seq)
		if err == nil {
			_, err = p.Check(s.VerifierKey())
		}
		if err != nil {
			t.Errorf("entry %d: %v", seq, err)
		}
	}
	for _, old := range marks {
		p, err := s.Consistency(t.Context(), old.Size, newest.Size)
		if err == nil {
			err = p.Check(old, newest)
		}
		if err != nil {
			t.Errorf("from %d: %v", old.Size, err)
		}
	}
	_, err := s.Inclusion(t.Context(), s.Size())
	wantCode(t, fairlead.NotFound, err)
	_, err = s.Consistency(t.Context(), 1, s.Size()+1)
	wantCode(t, fairlead.Invalid, err)
}
