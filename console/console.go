// Package console is the web face: pages that are rendered on the server, follow what
// they show by server-sent events, and can be read without JavaScript. It holds no
// rules: all that it shows and does goes through the control API, called in process as
// the person of the session, so that a page shows the API's numbers and nobody may do
// more here than there.
//
// Every page answers with a strict content security policy. Nothing comes from another
// host, and there is no build step: templates, styles and modules are embedded as they
// are written.
package console

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// Config is what the console needs. All fields are required.
type Config struct {
	API      func(who fairlead.Principal) *client.Client // the control API as who calls it
	Sessions Sessions
	// Changed waits until the ledger has more than from entries, and returns how many.
	Changed func(ctx context.Context, from uint64) (uint64, error)
	Now     func() time.Time // by which records are made
	Hosts   []string         // names under which the console may be called, without port
	Log     *slog.Logger     // of its own faults
	Version string
}

// Sessions knows who is logged in.
type Sessions interface {
	// Redeem exchanges the code of a one-time link for a session. A code that is unknown,
	// used or expired is an error of code unauthorized.
	Redeem(ctx context.Context, code string) (token string, s Session, err error)
	// Find returns the session of a token, if it has not ended or expired.
	Find(token string) (Session, bool)
	// End ends the session of a token. One that has ended already is no error.
	End(ctx context.Context, token string) error
}

// Session is a person at a browser.
type Session struct {
	Who     fairlead.Principal
	Name    string // for display
	Expires time.Time
	Done    context.Context // done when its person logs out
}

// console serves the pages. It is safe for concurrent use.
type console struct {
	Config
	hub    *hub
	pages  *turns
	origin http.CrossOriginProtection
	build  string // of this program: a page of another is loaded anew
}

// New returns the console's handler. Streams end with their request's context.
func New(c Config) http.Handler {
	s := &console{Config: c, hub: newHub(c.Changed, c.Log), pages: newTurns(pagesAtOnce), build: build(c.Version)}
	mux := http.NewServeMux()
	mux.Handle("GET /assets/", assetHandler())
	mux.HandleFunc("GET /login", s.login)
	s.post(mux, "/logout", s.logout)
	s.page(mux, "/{$}", fleet)
	s.page(mux, "/apps/{app}", appPage)
	s.page(mux, "/apps/{app}/releases/{number}", releasePage)
	s.page(mux, "/apps/{app}/releases/{number}/file", filePage)
	s.page(mux, "/apps/{app}/releases/{number}/log", logPage)
	mux.Handle("GET /apps/{app}/releases/{number}/difference", s.logged(s.differenceFile))
	mux.Handle("GET /rollouts/{id}/charts/{file}", s.logged(s.chartFile))
	s.ledgerPages(mux)
	s.rolloutPages(mux)
	mux.Handle("/", s.logged(s.nowhere))
	return secured(s.surviving(s.guarded(mux)))
}
