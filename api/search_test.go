package api

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/ledger"
	"github.com/fairlead/fairlead/store/sqlite"
)

var morning = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// book is an API over a real ledger.
type book struct {
	dir    string
	store  *sqlite.Store
	client *client.Client
	at     time.Time
}

func newBook(t testing.TB) *book {
	t.Helper()
	b := &book{dir: t.TempDir(), at: morning}
	b.open(t)
	return b
}

func (b *book) open(t testing.TB) {
	t.Helper()
	store, err := sqlite.Open(b.dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	b.store = store
	c := testConfig(fairlead.Viewer)
	c.Ledger, c.Record = store, store
	c.Open = func(ctx context.Context, s fairlead.Sealed) string {
		text, err := store.Sealer().Open(ctx, s)
		if err != nil {
			t.Errorf("open %q: %v", s, err)
		}
		return text
	}
	served := httptest.NewServer(New(c))
	t.Cleanup(served.Close)
	b.client = client.Remote(served.URL, "right")
}

// write commits an entry a second after the one before it.
func (b *book) write(t testing.TB, kind, app, env string, by fairlead.Sealed) {
	t.Helper()
	b.at = b.at.Add(time.Second)
	b.commit(t, fairlead.Entry{Time: b.at, Kind: kind, Site: fairlead.Site{App: app, Env: env}, Principal: by})
}

func (b *book) commit(t testing.TB, entries ...fairlead.Entry) {
	t.Helper()
	if _, err := b.store.Commit(t.Context(), fairlead.Change{Entries: entries}); err != nil {
		t.Fatal(err)
	}
}

func (b *book) seal(t testing.TB, name string) fairlead.Sealed {
	t.Helper()
	sealed, err := b.store.Sealer().Seal(t.Context(), name, name)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// all pages through a query to its end, and returns the positions that it found.
func (b *book) all(t testing.TB, q client.RecordQuery) []uint64 {
	t.Helper()
	var found []uint64
	for {
		r, err := b.client.Record(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range r.Entries {
			found = append(found, e.Seq)
		}
		if !r.More {
			return found
		}
		if q.Before != 0 && r.Next >= q.Before {
			t.Fatalf("it goes on at %d after %d", r.Next, q.Before)
		}
		q.Before = r.Next
	}
}

func TestEachFilterFindsWhatItNamesAndNothingElse(t *testing.T) {
	b := newBook(t)
	ada, grace := b.seal(t, "ada"), b.seal(t, "grace")
	b.write(t, "server.started", "", "", "system:server")             // 0, 08:00:01
	b.write(t, "release.created", "triage", "", ada)                  // 1
	b.write(t, "rollout.began", "triage", "production", ada)          // 2
	b.write(t, "rollout.stepped", "triage", "production", "system:r") // 3
	b.write(t, "rollout.rolledBack", "triage", "staging", grace)      // 4
	b.write(t, "rollouts", "triage2", "production", grace)            // 5
	for name, c := range map[string]struct {
		query client.RecordQuery
		want  []uint64
	}{
		"everything":            {client.RecordQuery{}, []uint64{5, 4, 3, 2, 1, 0}},
		"an app":                {client.RecordQuery{App: "triage"}, []uint64{4, 3, 2, 1}},
		"an environment":        {client.RecordQuery{Env: "production"}, []uint64{5, 3, 2}},
		"a kind":                {client.RecordQuery{Kind: "rollout.began"}, []uint64{2}},
		"a kind, not its start": {client.RecordQuery{Kind: "rollout"}, nil},
		"a family of kinds":     {client.RecordQuery{Kind: "rollout."}, []uint64{4, 3, 2}},
		"a person":              {client.RecordQuery{Principal: "grace"}, []uint64{5, 4}},
		"the system":            {client.RecordQuery{Principal: "system:server"}, []uint64{0}},
		"all of it":             {client.RecordQuery{App: "triage", Env: "production", Kind: "rollout.", Principal: "ada"}, []uint64{2}},
		"from a time":           {client.RecordQuery{From: "2026-03-01T08:00:05Z"}, []uint64{5, 4}},
		"until a time":          {client.RecordQuery{Until: "2026-03-01T10:00:03+02:00"}, []uint64{1, 0}},
		"before a position":     {client.RecordQuery{Before: 2}, []uint64{1, 0}},
		"nothing":               {client.RecordQuery{App: "none"}, nil},
	} {
		if got := b.all(t, c.query); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if err := b.store.Sealer().Erase(t.Context(), "grace"); err != nil {
		t.Fatal(err)
	}
	if got := b.all(t, client.RecordQuery{Principal: "grace"}); got != nil {
		t.Errorf("an erased person is found by name: %v", got)
	}
	if got := b.all(t, client.RecordQuery{Principal: ledger.Erased}); !slices.Equal(got, []uint64{5, 4}) {
		t.Errorf("what an erased person did: %v", got)
	}
}

func TestPagingMeetsEachEntryOnceWhileOthersCome(t *testing.T) {
	b := newBook(t)
	for i := range 700 {
		b.write(t, []string{"a.even", "b.odd"}[i%2], "x", "", "system:test")
	}
	q := client.RecordQuery{Kind: "a.", Limit: 7}
	met := map[uint64]int{}
	for {
		r, err := b.client.Record(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range r.Entries {
			met[e.Seq]++
		}
		b.write(t, "a.later", "x", "", "system:test")
		if !r.More {
			break
		}
		q.Before = r.Next
	}
	for seq := uint64(0); seq < 700; seq += 2 {
		if met[seq] != 1 {
			t.Fatalf("entry %d was met %d times", seq, met[seq])
		}
	}
	if len(met) != 350 {
		t.Errorf("%d entries, want 350", len(met))
	}
}

func TestASearchThatFindsLittleStopsAndGoesOn(t *testing.T) {
	b := newBook(t)
	b.write(t, "needle", "", "", "system:test")
	hay := make([]fairlead.Entry, mostLooked/2)
	for i := range hay {
		hay[i] = fairlead.Entry{Time: morning, Kind: "hay", Principal: "system:test"}
	}
	for range 3 {
		b.commit(t, hay...)
	}
	first, err := b.client.Record(t.Context(), client.RecordQuery{Kind: "needle"})
	if err != nil {
		t.Fatal(err)
	}
	if len(first.Entries) != 0 || !first.More || first.Looked != mostLooked || first.Next != uint64(1+mostLooked/2) {
		t.Errorf("the first answer: %d entries, looked through %d, next %d, more %v", len(first.Entries), first.Looked, first.Next, first.More)
	}
	if got := b.all(t, client.RecordQuery{Kind: "needle"}); !slices.Equal(got, []uint64{0}) {
		t.Errorf("to the end: %v", got)
	}
}

func TestAskingAgainFindsWhatAskingAfreshFinds(t *testing.T) {
	b := newBook(t)
	ada := b.seal(t, "ada")
	kinds := []string{"a.one", "a.two", "b.one"}
	queries := []client.RecordQuery{
		{}, {Kind: "a."}, {Kind: "b.one", Limit: 3}, {Principal: "ada", Limit: 200}, {Principal: ledger.Erased}, {Limit: 1}, {From: "2026-03-01T08:00:40Z"}, {App: "none"},
	}
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		for range random.IntN(9) {
			by := fairlead.Sealed("system:test")
			if random.IntN(2) == 0 {
				by = ada
			}
			b.write(t, kinds[random.IntN(len(kinds))], "x", "", by)
		}
		if round == 50 {
			if err := b.store.Sealer().Erase(t.Context(), "ada"); err != nil {
				t.Fatal(err)
			}
		}
		for _, q := range queries {
			again, err := b.client.Record(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			q.Before = again.Size // another question with the same answer, which is not remembered
			fresh, err := b.client.Record(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(again.Entries, fresh.Entries) || again.More != fresh.More || len(again.Entries) > 0 && again.Next != fresh.Next {
				t.Fatalf("round %d, %+v:\nagain %+v\nfresh %+v", round, q, again, fresh)
			}
		}
	}
}

// A gate that outlived the control plane is recorded long after it ended.
func TestTimesAreFoundAmongEntriesThatWereRecordedLate(t *testing.T) {
	b := newBook(t)
	for i := range 400 {
		at := morning.Add(time.Duration(i) * 10 * time.Minute)
		if i%23 == 0 {
			at = at.Add(-9 * time.Hour)
		}
		b.commit(t, fairlead.Entry{Time: at, Kind: "k", Principal: "system:test"})
	}
	const from, until = "2026-03-02T04:00:00Z", "2026-03-02T14:00:00Z"
	for _, seq := range b.all(t, client.RecordQuery{From: from, Until: until, Limit: 9}) {
		if seq%23 != 0 && (seq < 120 || seq >= 180) {
			t.Errorf("entry %d is of another time", seq)
		}
	}
	got := b.all(t, client.RecordQuery{From: from, Until: until, Limit: 9})
	for seq := uint64(120); seq < 180; seq++ {
		if seq%23 != 0 && !slices.Contains(got, seq) {
			t.Errorf("entry %d is not found", seq)
		}
	}
}

func TestParametersAreStrict(t *testing.T) {
	b := newBook(t)
	b.write(t, "a", "", "", "system:test")
	h := New(func() Config { c := testConfig(fairlead.Viewer); c.Ledger, c.Record = b.store, b.store; return c }())
	for query, says := range map[string]string{
		"limit=0":                         `limit=\"0\" is not a number from 1 to 200`,
		"limit=201":                       "from 1 to 200",
		"limit=ten":                       "from 1 to 200",
		"limit=99999999999999999999999":   "limit",
		"before=-1":                       "is not a position",
		"before=x":                        "is not a position",
		"before=18446744073709551616":     "is not a position",
		"from=yesterday":                  "a time such as",
		"until=2026-02-30":                "a time such as",
		"knid=rollout.":                   `there is no parameter \"knid\"`,
		"app=a&app=b":                     "app is given 2 times",
		"app=%zz":                         "malformed",
		"app=" + strings.Repeat("x", 300): "app",
	} {
		w := ask(h, http.MethodGet, "/v1/ledger/entries?"+query, nil)
		if w.Code < 400 || w.Code > 499 || !strings.Contains(w.Body.String(), says) {
			t.Errorf("%.40s: status %d, %s", query, w.Code, w.Body)
		}
	}
	for _, query := range []string{"", "before=0", "before=9223372036854775807", "from=2026-03-01", "until=2026-03-01T12:00:00%2B02:00", "app=%27%3B--&principal=%00"} {
		if w := ask(h, http.MethodGet, "/v1/ledger/entries?"+query, nil); w.Code != http.StatusOK {
			t.Errorf("%s: status %d, %s", query, w.Code, w.Body)
		}
	}
}

func TestADayIsWholeAsABound(t *testing.T) {
	b := newBook(t)
	for hour := range 72 {
		b.commit(t, fairlead.Entry{Time: time.Date(2026, 3, 1, hour, 0, 0, 0, time.UTC), Kind: "k", Principal: "system:test"})
	}
	h := New(func() Config { c := testConfig(fairlead.Viewer); c.Ledger, c.Record = b.store, b.store; return c }())
	w := ask(h, http.MethodGet, "/v1/ledger/entries?from=2026-03-02&until=2026-03-02&limit=100", nil)
	var r client.Record
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Entries) != 24 || r.Entries[0].Seq != 47 || r.Entries[23].Seq != 24 {
		t.Errorf("%d entries: %+v", len(r.Entries), r.Entries)
	}
}

// BenchmarkSearch looks through a ledger of a million entries.
func BenchmarkSearch(b *testing.B) {
	book := million(b)
	size := book.store.Size()
	for name, q := range map[string]url.Values{
		"the newest 50":            {"before": {fmt.Sprint(size)}},
		"50 of one kind in 20":     {"kind": {"rollout.stepped"}, "before": {fmt.Sprint(size)}},
		"nothing, by kind":         {"kind": {"none"}, "before": {fmt.Sprint(size)}},
		"nothing, by person":       {"principal": {"nobody"}, "before": {fmt.Sprint(size)}},
		"an hour in the middle":    {"from": {morning.Add(time.Duration(size/2) * time.Second).Format(time.RFC3339)}, "until": {morning.Add(time.Duration(size/2+3600) * time.Second).Format(time.RFC3339)}},
		"200 from the oldest half": {"before": {fmt.Sprint(size / 2)}, "limit": {"200"}},
	} {
		b.Run(name, func(b *testing.B) {
			var looked int
			for b.Loop() {
				in := recordInput{Kind: q.Get("kind"), Principal: q.Get("principal"), From: q.Get("from"), Until: q.Get("until"), Before: q.Get("before"), Limit: q.Get("limit")}
				s := server{Config: Config{Record: book.store, Open: func(ctx context.Context, s fairlead.Sealed) string {
					text, _ := book.store.Sealer().Open(ctx, s)
					return text
				}}}
				r, err := s.entries(b.Context(), &in)
				if err != nil {
					b.Fatal(err)
				}
				looked = r.Looked
			}
			b.ReportMetric(float64(looked), "looked")
		})
	}
	b.Run("nothing, by kind, again", func(b *testing.B) {
		for b.Loop() {
			if _, err := book.client.Record(b.Context(), client.RecordQuery{Kind: "none"}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("one entry with its proof", func(b *testing.B) {
		n := uint64(0)
		for b.Loop() {
			n = (n*6364136223846793005 + 1442695040888963407) % size
			if p, err := book.client.Proven(b.Context(), n); err != nil || !p.Holds {
				b.Fatal(p.Problem, err)
			}
		}
	})
}

// million is a ledger like one that a busy installation writes: most entries are of
// instances, one in twenty is a decision with a large row.
func million(b *testing.B) *book {
	book := newBook(b)
	large, err := json.Marshal(map[string]string{"evidence": strings.Repeat("0.125 ", 500)})
	if err != nil {
		b.Fatal(err)
	}
	who := book.seal(b, "ada")
	for book.store.Size() < 1_000_000 {
		var c fairlead.Change
		for n := book.store.Size(); len(c.Entries) < 5_000; n++ {
			e := fairlead.Entry{Time: morning.Add(time.Duration(n) * time.Second), Kind: "instance.started", Site: fairlead.Site{App: "triage", Env: "production"}, Principal: "system:rollout"}
			e.Data = json.RawMessage(`{"intent":"start-1","target":"triage-7","protections":[{"name":"landlock","enforced":true,"detail":"ABI 7"}]}`)
			if n%20 == 0 {
				e.Kind, e.Principal = "rollout.stepped", who
				e.Rows = []fairlead.Row{{Kind: "rollout", Key: "r", Value: large}}
			}
			c.Entries = append(c.Entries, e)
		}
		if _, err := book.store.Commit(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
	return book
}
