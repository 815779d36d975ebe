package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
)

func readBack(t *testing.T, s Store) {
	e := entry("a.b", row("k", "1", "{ \"html\": \"<&>\u2028\", \"big\": 123456789012345678901234567890 }"), row("k", "gone", "null"))
	e.Data = json.RawMessage(`[1, 2.50, "é"]`)
	e.Time = e.Time.Local()
	committed := commit(t, s, e, entry("c"))
	read, err := s.Entries(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(committed, read) {
		t.Errorf("committed %+v, read %+v", committed, read)
	}
	if len(read) != 2 || read[0].Seq != 0 || read[1].Seq != 1 || !read[0].Time.Equal(noon) || string(read[0].Data) != `[1,2.50,"é"]` {
		t.Errorf("read %+v", read)
	}
	r, ok, err := s.Row(t.Context(), "k", "1")
	if err != nil || !ok || !reflect.DeepEqual(r, read[0].Rows[0]) {
		t.Errorf("row is %s, %v, %v; the entry says %s", r.Value, ok, err, read[0].Rows[0].Value)
	}
	if e.Rows[1].Value == nil {
		t.Error("the caller's entry was changed")
	}
}

func refusesNoEntries(t *testing.T, s Store) {
	_, err := s.Commit(t.Context(), fairlead.Change{Facts: facts("s", 1, 1)})
	wantCode(t, fairlead.Invalid, err)
	wantNothing(t, s)
}

func wrongEntryLeavesNothing(t *testing.T, s Store) {
	good := entry("a", row("k", "1", "1"))
	for name, bad := range map[string]func(e *fairlead.Entry){
		"no kind":       func(e *fairlead.Entry) { e.Kind = "" },
		"no time":       func(e *fairlead.Entry) { e.Time = time.Time{} },
		"a plain name":  func(e *fairlead.Entry) { e.Principal = "ada@example.com" },
		"no key":        func(e *fairlead.Entry) { e.Rows = []fairlead.Row{row("k", "", "1")} },
		"not UTF-8":     func(e *fairlead.Entry) { e.Rows = []fairlead.Row{row("k", "\xff", "1")} },
		"not JSON":      func(e *fairlead.Entry) { e.Rows = []fairlead.Row{row("k", "1", "{")} },
		"data not JSON": func(e *fairlead.Entry) { e.Data = json.RawMessage("nope") },
	} {
		e := good
		bad(&e)
		_, err := s.Commit(t.Context(), fairlead.Change{Entries: []fairlead.Entry{good, e}, Facts: facts("s", 1, 1)})
		if fairlead.CodeOf(err) != fairlead.Invalid {
			t.Errorf("%s: %v", name, err)
		}
		wantNothing(t, s)
	}
}

func wrongFactLeavesNothing(t *testing.T, s Store) {
	for _, wrong := range [][]fairlead.Fact{facts("s", 2, 3), facts("s", 0, 1), append(facts("s", 1, 2), facts("s", 4, 4)...)} {
		_, err := s.Commit(t.Context(), fairlead.Change{Entries: []fairlead.Entry{entry("a", row("k", "1", "1"))}, Facts: wrong})
		wantCode(t, fairlead.Conflict, err)
		wantNothing(t, s)
		wantCode(t, fairlead.Conflict, s.Record(t.Context(), wrong))
		wantNothing(t, s)
	}
	wantCode(t, fairlead.Invalid, s.Record(t.Context(), []fairlead.Fact{{Stream: "s", N: 1, Body: []byte("{")}}))
	wantNothing(t, s)
}

func canceledLeavesNothing(t *testing.T, s Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 { // whichever of the writer and the context is seen first
		_, err := s.Commit(ctx, fairlead.Change{Entries: []fairlead.Entry{entry("a", row("k", "1", "1"))}})
		wantCode(t, fairlead.Unavailable, err)
	}
	wantNothing(t, s)
}

func newestRowInForce(t *testing.T, s Store) {
	for _, step := range []struct {
		rows []fairlead.Row
		want string
	}{
		{[]fairlead.Row{row("k", "1", "1")}, "1"},
		{[]fairlead.Row{row("k", "1", "2"), row("k", "1", "3")}, "3"},
		{[]fairlead.Row{row("k", "1", "null")}, ""},
		{[]fairlead.Row{row("k", "1", "null")}, ""},
		{[]fairlead.Row{row("k", "1", "4")}, "4"},
		{[]fairlead.Row{{Kind: "k", Key: "1"}}, ""},
	} {
		commit(t, s, entry("a", step.rows...))
		r, ok, err := s.Row(t.Context(), "k", "1")
		if err != nil || ok != (step.want != "") || string(r.Value) != step.want {
			t.Errorf("after %s the row is %s, %v, %v; want %q", step.rows, r.Value, ok, err, step.want)
		}
	}
}

func concurrentChanges(t *testing.T, s Store) {
	const callers, changes = 16, 25
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			var last uint64
			for i := range changes {
				name := fmt.Sprintf("%d-%d", c, i)
				list, err := s.Commit(t.Context(), fairlead.Change{
					Entries: []fairlead.Entry{entry(name+"-a", row("k", name, "1")), entry(name + "-b")},
					Facts:   facts(fmt.Sprint(c), uint64(i+1), uint64(i+1)),
				})
				if err != nil || len(list) != 2 || list[1].Seq != list[0].Seq+1 || i > 0 && list[0].Seq <= last {
					t.Errorf("change %s after %d: %+v, %v", name, last, list, err)
					return
				}
				last = list[1].Seq
			}
		})
	}
	wg.Wait()
	read, err := s.Entries(t.Context(), 0, 10_000)
	if err != nil || len(read) != 2*callers*changes || s.Size() != uint64(len(read)) {
		t.Fatalf("%d entries, size %d, %v", len(read), s.Size(), err)
	}
	for i, e := range read {
		if e.Seq != uint64(i) || i%2 == 1 && e.Kind != read[i-1].Rows[0].Key+"-b" {
			t.Errorf("entry %d is %+v", i, e)
		}
	}
	if rows, err := s.Rows(t.Context(), "k", ""); err != nil || len(rows) != callers*changes {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func wrongFailsAlone(t *testing.T, s Store) {
	const callers = 32
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			n := uint64(1 + c%2) // every second one leaves a gap
			_, err := s.Commit(t.Context(), fairlead.Change{
				Entries: []fairlead.Entry{entry("a", row("k", fmt.Sprint(c), "1"))},
				Facts:   facts(fmt.Sprint(c), n, n),
			})
			if (err == nil) != (n == 1) {
				t.Errorf("caller %d: %v", c, err)
			}
		})
	}
	wg.Wait()
	if rows, err := s.Rows(t.Context(), "k", ""); err != nil || len(rows) != callers/2 || s.Size() != callers/2 {
		t.Errorf("%d rows, size %d, %v", len(rows), s.Size(), err)
	}
}

func closedRefuses(t *testing.T, s Store) {
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Commit(t.Context(), fairlead.Change{Entries: []fairlead.Entry{entry("a")}})
	wantCode(t, fairlead.Unavailable, err)
	wantCode(t, fairlead.Unavailable, s.Record(t.Context(), facts("s", 1, 1)))
	if err := s.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}
