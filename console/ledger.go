package console

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/figures"
)

// ledgerPages registers the pages of the ledger.
func (s *console) ledgerPages(mux *http.ServeMux) {
	s.page(mux, "/ledger", ledger)
	s.page(mux, "/ledger/{seq}", entry)
	mux.Handle("GET /ledger/verify", s.logged(s.askVerify))
	s.post(mux, "/ledger/verify", s.verify)
	mux.Handle("GET /ledger/files/{name}", s.logged(s.ledgerFile))
}

// entriesShown is how many entries a page holds: so many that it stays light.
const entriesShown = 40

// ledger shows the newest entries, or those that a filter asks for.
func ledger(ctx context.Context, v visit) (view, error) {
	q, err := recordQuery(v)
	if err != nil {
		return view{}, err
	}
	asked := q
	asked.Limit = entriesShown
	record, err := v.api.Record(ctx, asked)
	if err != nil {
		return view{}, err
	}
	trust, err := readTrust(ctx, v)
	if err != nil {
		return view{}, err
	}
	return view{
		Title:   "Ledger",
		Styles:  []string{"ledger.css"},
		Scripts: []string{"act.js"},
		Parts: []part{
			{ID: "trust", Template: "ledger-trust", Data: trust},
			{ID: "said", Template: "ledger-said", Data: trust.Verification, Announce: true},
			{ID: "filters", Template: "ledger-filters", Data: recordFilters{ctx, v, q}, Still: true},
			{ID: "entries", Template: "ledger-entries", Data: listOf(record, q)},
		},
	}, nil
}

// recordQuery reads the page's parameters. A field of the form that was left empty is no
// filter.
func recordQuery(v visit) (client.RecordQuery, error) {
	field := func(name string) string { return strings.TrimSpace(v.query(name)) }
	q := client.RecordQuery{
		App: field("app"), Env: field("env"), Kind: field("kind"), Principal: field("principal"), From: field("from"), Until: field("until"),
	}
	if before := field("before"); before != "" {
		var err error
		if q.Before, err = strconv.ParseUint(before, 10, 63); err != nil {
			return q, fairlead.Errorf(fairlead.Invalid, "", "before=%q is not a position in the ledger", before).WithHint("open /ledger for the newest entries")
		}
	}
	return q, nil
}

// ledgerLink returns the page of a query.
func ledgerLink(q client.RecordQuery) string {
	if values := q.Values().Encode(); values != "" {
		return ledgerPath + "?" + values
	}
	return ledgerPath
}

// ledgerTrust is what tells whether the ledger can be relied on.
type ledgerTrust struct {
	Verification client.Verification
	Signed       client.Signed
	May          bool // begin a verification
}

// Done is the share of the entries that a verification has read, in percent.
func (t ledgerTrust) Done() int {
	return int(100 * min(t.Verification.Entries, t.Verification.Size) / max(t.Verification.Size, 1))
}

// Took is how long the newest verification took.
func (t ledgerTrust) Took() string {
	if took := t.Verification.Ended.Sub(t.Verification.Began); took >= 100*time.Millisecond {
		return figures.Elapsed(took)
	}
	return "less than 0.1 s"
}

// Since is how many entries came after the newest verification.
func (t ledgerTrust) Since() uint64 {
	return t.Signed.Size - min(t.Signed.Size, t.Verification.Entries)
}

func readTrust(ctx context.Context, v visit) (ledgerTrust, error) {
	t := ledgerTrust{May: fairlead.Principal{Role: v.role}.May(fairlead.Operator)}
	var err error
	if t.Verification, err = v.api.Verification(ctx); err != nil {
		return t, err
	}
	t.Signed, err = v.api.Signed(ctx)
	return t, err
}

// recordList is the table of entries.
type recordList struct {
	Days   []recordDay
	Found  int
	Record client.Record
	Query  client.RecordQuery
	Older  string // the page of what is older, or ""
	Newest string // the page without a position, or "" where this is it
	CSV    string
	JSON   string
}

// recordDay is the entries of a day, newest first.
type recordDay struct {
	Name    string
	Entries []recordLine
}

// recordLine is an entry in the table.
type recordLine struct {
	client.Event
	Word entryKind
	Who  actor
}

// Filtered says whether the list leaves anything out.
func (l recordList) Filtered() bool {
	q := l.Query
	q.Before = 0
	return q != client.RecordQuery{}
}

// Partly says whether the search ended before it found a page full.
func (l recordList) Partly() bool { return l.Filtered() && l.Older != "" && l.Found < entriesShown }

func listOf(record client.Record, q client.RecordQuery) recordList {
	l := recordList{Record: record, Query: q, Found: len(record.Entries)}
	for _, e := range record.Entries {
		name := e.Time.UTC().Format("Monday, 2006-01-02")
		if len(l.Days) == 0 || l.Days[len(l.Days)-1].Name != name {
			l.Days = append(l.Days, recordDay{Name: name})
		}
		last := &l.Days[len(l.Days)-1]
		last.Entries = append(last.Entries, recordLine{e, kindOf(e.Kind), actorOf(e.Principal)})
	}
	values := q.Values().Encode()
	l.CSV, l.JSON = "/ledger/files/entries.csv?"+values, "/ledger/files/entries.ndjson?"+values
	if q.Before != 0 {
		newest := q
		newest.Before = 0
		l.Newest = ledgerLink(newest)
	}
	if record.More {
		older := q
		older.Before = record.Next
		l.Older = ledgerLink(older)
	}
	return l
}

// recordFilters is the form of filters. What it offers is read only where the form is shown.
type recordFilters struct {
	ctx   context.Context
	v     visit
	Query client.RecordQuery
}

// Apps returns the names of apps for choice, with the one that is chosen.
func (f recordFilters) Apps() ([]string, error) {
	apps, err := f.v.api.Apps(f.ctx)
	names := []string{}
	for _, app := range apps {
		names = append(names, app.Name)
	}
	return withChosen(names, f.Query.App), err
}

// Envs returns the names of environments for choice, with the one that is chosen.
func (f recordFilters) Envs() ([]string, error) {
	apps, err := f.v.api.Apps(f.ctx)
	names := []string{}
	for _, app := range apps {
		for _, site := range app.Sites {
			names = append(names, site.Env)
		}
	}
	return withChosen(names, f.Query.Env), err
}

func withChosen(names []string, chosen string) []string {
	if chosen != "" {
		names = append(names, chosen)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Families returns the kinds for choice.
func (f recordFilters) Families() []family { return families() }

// Unknown returns the kind that is chosen where it is none of those for choice.
func (f recordFilters) Unknown() string {
	for _, fam := range families() {
		if fam.Prefix == f.Query.Kind || slices.ContainsFunc(fam.Kinds, func(k entryKind) bool { return k.Kind == f.Query.Kind }) {
			return ""
		}
	}
	return f.Query.Kind
}

// chip is a filter that is set, and the page without it.
type chip struct{ Name, Value, Without string }

// Chips returns the filters that are set.
func (f recordFilters) Chips() []chip {
	q := f.Query
	q.Before = 0
	var chips []chip
	add := func(name, value string, without client.RecordQuery) {
		if value != "" {
			chips = append(chips, chip{name, value, ledgerLink(without)})
		}
	}
	without := func(change func(*client.RecordQuery)) client.RecordQuery {
		c := q
		change(&c)
		return c
	}
	add("App", q.App, without(func(c *client.RecordQuery) { c.App = "" }))
	add("Environment", q.Env, without(func(c *client.RecordQuery) { c.Env = "" }))
	if q.Kind != "" {
		add("What", kindFilter(q.Kind), without(func(c *client.RecordQuery) { c.Kind = "" }))
	}
	if q.Principal != "" {
		add("Who", actorOf(q.Principal).Name, without(func(c *client.RecordQuery) { c.Principal = "" }))
	}
	add("From", q.From, without(func(c *client.RecordQuery) { c.From = "" }))
	add("Until", q.Until, without(func(c *client.RecordQuery) { c.Until = "" }))
	return chips
}

// askVerify shows the form that begins a verification.
func (s *console) askVerify(w http.ResponseWriter, r *http.Request, session Session) {
	t, err := readTrust(r.Context(), s.visit(r, session))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, session, view{
		Title: "Verify the ledger", Still: true, Styles: []string{"ledger.css"}, Crumbs: []crumb{{"Ledger", ledgerPath}},
		Parts: []part{{ID: "verify", Template: "ledger-verify", Data: struct {
			ledgerTrust
			CSRF string
		}{t, csrfOf(r)}}},
	})
}

// verify begins a verification, and leads back to where it is shown.
func (s *console) verify(w http.ResponseWriter, r *http.Request, session Session) {
	if _, err := s.API(session.Who).Verify(r.Context()); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, ledgerPath, http.StatusSeeOther)
}
