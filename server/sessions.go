package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/console"
	"github.com/fairlead/fairlead/store/sqlite"
)

// sessionRow is the kind of the row of a session, keyed by the SHA-256 of its token.
const sessionRow = "session"

// sessionGood is how long a session lasts, and mostSessions how many there are at once.
const (
	sessionGood  = 12 * time.Hour
	mostSessions = 1000
)

// session is the value of that row. It outlives the control plane, so that a page that
// is open when the control plane restarts goes on by itself.
type session struct {
	Who     fairlead.Principal `json:"who"`
	Created time.Time          `json:"created"`
	Expires time.Time          `json:"expires"`
}

// openSession is a session that can be used.
type openSession struct {
	session
	name string // of the person, for display
	done context.Context
	end  context.CancelFunc
}

// sessions are those of the console. It is safe for concurrent use.
type sessions struct {
	links *links
	store *sqlite.Store
	now   func() time.Time
	open  func(ctx context.Context, s fairlead.Sealed) string

	changing sync.Mutex // held while a change is recorded; who reads does not wait for the disk

	mu       sync.Mutex
	byDigest map[string]*openSession
}

// openSessions reads the sessions of before, and removes those that have expired.
func openSessions(ctx context.Context, l *links, store *sqlite.Store, now func() time.Time, open func(context.Context, fairlead.Sealed) string) (*sessions, error) {
	rows, err := store.Rows(ctx, sessionRow, "")
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	s := &sessions{links: l, store: store, now: now, open: open, byDigest: map[string]*openSession{}}
	for _, row := range rows {
		var one session
		if err := json.Unmarshal(row.Value, &one); err != nil {
			return nil, fairlead.Errorf(fairlead.Corrupt, "read sessions", "session %s: %w", row.Key, err).WithHint("run: fairlead ledger verify")
		}
		s.byDigest[row.Key] = s.opened(ctx, one)
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	return s, s.sweep(ctx)
}

func (s *sessions) opened(ctx context.Context, one session) *openSession {
	done, end := context.WithCancel(context.Background())
	return &openSession{session: one, name: s.open(ctx, one.Who.ID), done: done, end: end}
}

// Link implements api.Links.
func (s *sessions) Link(ctx context.Context, n client.NewLink, by fairlead.Principal) (client.Link, error) {
	return s.links.Link(ctx, n, by)
}

// Redeem implements console.Sessions. The session is recorded before its token is told.
func (s *sessions) Redeem(ctx context.Context, code string) (string, console.Session, error) {
	const op = "log in"
	s.changing.Lock()
	defer s.changing.Unlock()
	invited, good := s.links.take(code) // while no change is under way: a code that EndAll ends opens nothing after it
	if !good {
		return "", console.Session{}, fairlead.Errorf(fairlead.Unauthorized, op, "this link was used already, or is older than %s", linkGood).
			WithHint("run: fairlead console")
	}
	if err := s.sweep(ctx); err != nil {
		return "", console.Session{}, err
	}
	if s.count() >= mostSessions {
		return "", console.Session{}, fairlead.Errorf(fairlead.Conflict, op, "%d sessions are open", mostSessions).
			WithHint("log out of some; each ends by itself after %s", sessionGood)
	}
	now, token := s.now().UTC().Round(0), newSecret()
	digest, one := tokenDigest(token), session{Who: invited.who, Created: now, Expires: now.Add(sessionGood)}
	value, err := json.Marshal(one)
	if err != nil {
		return "", console.Session{}, fmt.Errorf("encode session: %w", err)
	}
	text := fmt.Sprintf("a session of the console is open, with the role %s", one.Who.Role)
	if invited.lowered {
		text += ", which is less than who asked for it may do"
	}
	said := map[string]any{"text": text, "role": one.Who.Role, "expires": one.Expires}
	if err := record(ctx, s.store, now, "console.opened", one.Who.ID, said, fairlead.Row{Kind: sessionRow, Key: digest, Value: value}); err != nil {
		return "", console.Session{}, err
	}
	opened := s.opened(ctx, one)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byDigest[digest] = opened
	return token, opened.view(), nil
}

// Find implements console.Sessions. That the digest is looked up tells nothing of a
// token: nobody can choose it.
func (s *sessions) Find(token string) (console.Session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, known := s.byDigest[tokenDigest(token)]
	if !known || !s.now().Before(one.Expires) {
		return console.Session{}, false
	}
	return one.view(), true
}

// End implements console.Sessions. A token that is worthless already is no error.
func (s *sessions) End(ctx context.Context, token string) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	digest := tokenDigest(token)
	s.mu.Lock()
	one, known := s.byDigest[digest]
	s.mu.Unlock()
	if !known {
		return nil
	}
	said := map[string]any{"text": "a session of the console ended: its person logged out", "role": one.Who.Role}
	if err := record(ctx, s.store, s.now().UTC(), "console.closed", one.Who.ID, said, fairlead.Row{Kind: sessionRow, Key: digest}); err != nil {
		return err
	}
	s.drop(digest)
	return nil
}

// EndAll implements api.Links: for when a browser is lost. Links that wait are worthless too.
func (s *sessions) EndAll(ctx context.Context, by fairlead.Principal) (int, error) {
	if !by.May(fairlead.Admin) {
		return 0, fairlead.Errorf(fairlead.Forbidden, "end the sessions of the console", "this needs the role %s", fairlead.Admin)
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	s.links.clear()
	return s.remove(ctx, by.ID, "every session of the console was ended", func(*openSession) bool { return true })
}

// sweep removes the sessions that have expired. The caller holds changing.
func (s *sessions) sweep(ctx context.Context) error {
	now := s.now()
	_, err := s.remove(ctx, self, fmt.Sprintf("sessions of the console ended after %s", sessionGood), func(o *openSession) bool { return !now.Before(o.Expires) })
	return err
}

// remove ends the sessions that which picks, with one entry where there are any. The
// caller holds changing.
func (s *sessions) remove(ctx context.Context, by fairlead.Sealed, text string, which func(*openSession) bool) (int, error) {
	var picked []string
	var rows []fairlead.Row
	s.mu.Lock()
	for digest, one := range s.byDigest {
		if which(one) {
			picked, rows = append(picked, digest), append(rows, fairlead.Row{Kind: sessionRow, Key: digest})
		}
	}
	s.mu.Unlock()
	if len(picked) == 0 {
		return 0, nil
	}
	said := map[string]any{"text": fmt.Sprintf("%s: %d", text, len(picked)), "sessions": len(picked)}
	if err := record(ctx, s.store, s.now().UTC(), "console.closed", by, said, rows...); err != nil {
		return 0, err
	}
	s.drop(picked...)
	return len(picked), nil
}

func (s *sessions) drop(digests ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, digest := range digests {
		s.byDigest[digest].end()
		delete(s.byDigest, digest)
	}
}

func (s *sessions) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byDigest)
}

func (o *openSession) view() console.Session {
	return console.Session{Who: o.Who, Name: o.name, Expires: o.Expires, Done: o.done}
}

// newSecret is 256 random bits: nobody guesses it, so its digest needs no salt.
func newSecret() string {
	var raw [32]byte
	rand.Read(raw[:]) // never fails, see crypto/rand
	return hex.EncodeToString(raw[:])
}
