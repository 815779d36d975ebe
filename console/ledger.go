package console

import (
	"context"
	"net/http"

	"github.com/fairlead/fairlead/api/client"
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
	filters, err := filtersOf(ctx, v, q)
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
			{ID: "filters", Template: "ledger-filters", Data: filters, Still: true},
			{ID: "entries", Template: "ledger-entries", Data: listOf(record, q)},
		},
	}, nil
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
