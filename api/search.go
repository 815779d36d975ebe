package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
)

// The bounds of a search. There is no index: it looks through the beginnings of
// entries, and stops so that no call costs more than a moment.
const (
	mostLooked   = 20_000 // entries that one call looks through
	lookedAtOnce = 500
	mostFound    = 200
	defaultFound = 50
)

// order is by how much a later entry of the ledger may be older than the one before it:
// callers that commit at the same time have looked at the clock one after the other.
// What is recorded later than that after it happened, such as the end of a gate that
// outlived the control plane, is found by where it stands.
const order = time.Minute

// query is what is asked of the ledger, read.
type query struct {
	app, env, kind, principal string
	from, until               time.Time
	before                    uint64
	limit                     int
}

// searched looks through the ledger backwards for what a query asks for.
type searched struct {
	record Record
	open   func(fairlead.Sealed) string
	query  query
	floor  uint64 // it is known what is below
	found
}

// found is what a search found.
type found struct {
	size    uint64           // of the ledger when it began
	looked  int              // entries that were looked through
	matches []fairlead.Entry // without data and rows, newest first
	next    uint64           // where to look on
	more    bool
}

// run looks from the query's position on until enough is found, enough is looked at,
// or nothing older can match.
func (s *searched) run(ctx context.Context) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	for s.more && s.next > s.floor && s.looked < mostLooked && len(s.matches) < s.query.limit {
		heads, err := s.record.Heads(ctx, s.next, int(min(lookedAtOnce, s.next-s.floor)))
		if err != nil {
			return err
		}
		s.take(heads)
	}
	return nil
}

// take keeps what matches, and says whether to look on.
func (s *searched) take(heads []fairlead.Entry) {
	newest := time.Time{}
	for _, e := range heads {
		if e.Seq < s.floor { // some between are missing
			s.next = s.floor
			break
		}
		if newest.Before(e.Time) {
			newest = e.Time
		}
		s.looked, s.next = s.looked+1, e.Seq
		if s.matching(e) {
			s.matches = append(s.matches, e)
		}
		if len(s.matches) == s.query.limit {
			s.more = s.next > 0
			return
		}
	}
	s.more = len(heads) > 0 && s.next > 0 && newest.After(s.query.from.Add(-order))
}

func (s *searched) matching(e fairlead.Entry) bool {
	q := s.query
	switch {
	case q.app != "" && e.Site.App != q.app, q.env != "" && e.Site.Env != q.env:
		return false
	case strings.HasSuffix(q.kind, ".") && !strings.HasPrefix(e.Kind, q.kind):
		return false
	case q.kind != "" && !strings.HasSuffix(q.kind, ".") && e.Kind != q.kind:
		return false
	case e.Time.Before(q.from), !q.until.IsZero() && !e.Time.Before(q.until):
		return false
	}
	return q.principal == "" || s.open(e.Principal) == q.principal
}

// begin finds where to look first: at the query's position, or before the first entry
// that is later than what is asked for.
func (s *searched) begin(ctx context.Context) error {
	s.size = s.record.Size()
	s.next = s.size
	if s.query.before > 0 {
		s.next = min(s.next, s.query.before)
	}
	if !s.query.until.IsZero() {
		after, err := s.firstAfter(ctx, s.query.until.Add(order))
		if err != nil {
			return err
		}
		s.next = min(s.next, after)
	}
	s.more = s.next > 0
	return nil
}

// firstAfter returns the position from which on entries are later than t, by halving. It
// compares the latest of several neighbours, so that one that was recorded late does not
// mislead it.
func (s *searched) firstAfter(ctx context.Context, t time.Time) (uint64, error) {
	const neighbours = 16
	low, high := uint64(0), s.record.Size()
	for low < high {
		middle := low + (high-low)/2
		heads, err := s.record.Heads(ctx, middle+1, neighbours)
		if err != nil {
			return 0, err
		}
		later := false
		for _, e := range heads {
			later = later || e.Time.After(t)
		}
		if later {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return high, nil
}

// mostRecent is how many searches are remembered.
const mostRecent = 64

// search runs a search. A page that is followed asks again and again, and what it has
// seen does not change: of the newest entries only those are looked at that came since
// the same was asked.
func (s *server) search(ctx context.Context, asked *searched) error {
	q := asked.query
	if q.before != 0 || !q.until.IsZero() || q.principal == ledger.Erased {
		return asked.run(ctx)
	}
	known, ok := s.searches.recall(q)
	if ok {
		asked.floor = known.size
	}
	if err := asked.run(ctx); err != nil {
		return err
	}
	if ok {
		asked.join(known)
	}
	s.searches.keep(q, asked.found, mostRecent)
	return nil
}

// join appends what was found before, if the search came down to it.
func (s *searched) join(known found) {
	if s.next > s.floor || len(s.matches) == s.query.limit {
		return
	}
	older := slices.DeleteFunc(slices.Clone(known.matches), func(e fairlead.Entry) bool { return !s.matching(e) }) // a person may be erased since
	s.matches = append(s.matches, older...)
	s.looked += known.looked
	s.next, s.more = known.next, known.more
	if len(s.matches) > s.query.limit {
		s.matches = s.matches[:s.query.limit]
		s.next = s.matches[len(s.matches)-1].Seq
		s.more = true
	}
}
