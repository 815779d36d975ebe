package server

import (
	"context"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/ourhost"
)

// linkGood is how long a link may be used, and mostLinks how many wait to be used.
const (
	linkGood  = 5 * time.Minute
	mostLinks = 100
)

// links are one-time codes that were given out and not used. Only their digests are
// kept, in memory: a restart makes them worthless. It is safe for concurrent use.
type links struct {
	now  func() time.Time
	base string // URL of the console, without path

	mu      sync.Mutex
	waiting map[string]invitation // by the digest of the code
}

// invitation is what a code opens: a session of its principal.
type invitation struct {
	who     fairlead.Principal
	lowered bool // less than who asked for it may do
	expires time.Time
}

func newLinks(now func() time.Time, base string) *links {
	return &links{now: now, base: base, waiting: map[string]invitation{}}
}

// Link gives out a code for who asks, with at most their role.
func (l *links) Link(_ context.Context, n client.NewLink, by fairlead.Principal) (client.Link, error) {
	const op = "open the console"
	who := fairlead.Principal{ID: by.ID, Role: n.Role}
	if n.Role == "" {
		who.Role = by.Role
	}
	switch {
	case !by.May(fairlead.Viewer):
		return client.Link{}, fairlead.Errorf(fairlead.Forbidden, op, "the role %s may not read", by.Role)
	case !who.May(fairlead.Viewer):
		return client.Link{}, fairlead.Errorf(fairlead.Invalid, op, "the console has no role %q", n.Role).
			WithHint("one of: %s, %s, %s", fairlead.Viewer, fairlead.Operator, fairlead.Admin)
	case !by.May(who.Role):
		return client.Link{}, fairlead.Errorf(fairlead.Forbidden, op, "the role %s cannot give the role %s", by.Role, who.Role)
	}
	code, now := newSecret(), l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(now)
	if len(l.waiting) >= mostLinks {
		return client.Link{}, fairlead.Errorf(fairlead.Conflict, op, "%d links wait to be used", mostLinks).
			WithHint("use one of them, or try again in %s, when they are worthless", linkGood)
	}
	one := invitation{who: who, lowered: who.Role != by.Role, expires: now.Add(linkGood)}
	l.waiting[tokenDigest(code)] = one
	return client.Link{URL: l.base + "/login?code=" + code, Role: who.Role, Expires: one.expires.UTC(), Seconds: int(linkGood.Seconds())}, nil
}

// take returns what a code opens, and makes the code worthless.
func (l *links) take(code string) (invitation, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(l.now())
	digest := tokenDigest(code)
	one, good := l.waiting[digest]
	delete(l.waiting, digest)
	return one, good
}

// clear makes all codes worthless.
func (l *links) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.waiting)
}

// forget drops the codes that are too old.
func (l *links) forget(now time.Time) {
	for digest, one := range l.waiting {
		if !now.Before(one.expires) {
			delete(l.waiting, digest)
		}
	}
}

// consoleURL is where the API's listener shows the console.
func consoleURL(api string) string {
	host, port, err := net.SplitHostPort(api)
	if err != nil {
		return "http://" + api
	}
	if ip := net.ParseIP(host); ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		host = ourhost.Console
	}
	return (&url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}).String()
}
