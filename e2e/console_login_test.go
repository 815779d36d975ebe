package e2e

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/api/client"
)

// link asks for a link to the console on the command line.
func (w *world) link(role string) client.Link {
	w.Helper()
	return see[client.Link](w, "console", "--role", role)
}

// stranger opens an empty tab that may call the console's address alone.
func (w *world) stranger() *tab {
	w.Helper()
	at, err := url.Parse(w.link("viewer").URL)
	if err != nil {
		w.Fatal(err)
	}
	return openTab(w.T, at.Scheme+"://"+at.Host)
}

// console opens a tab and logs in by a link of the command line.
func (w *world) console(role string) *tab {
	w.Helper()
	b := w.stranger()
	b.open(w.link(role).URL)
	b.shows("h1", "Fleet")
	return b
}

// api is the control API, for comparison with what a page shows.
func (w *world) api() *client.Client { return client.Local(w.state) }

// apiRollout is a rollout as the API tells it.
func (w *world) apiRollout(id string) client.Rollout {
	w.Helper()
	r, err := w.api().Rollout(context.Background(), id)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

func TestALinkOpensTheConsoleOnceAndALogoutEndsItInTheBrowser(t *testing.T) {
	t.Parallel()
	inBrowser(t)
	w := start(t)
	link := w.link("operator").URL
	b := w.stranger()
	b.excuse(true) // a browser notes pages of errors
	b.open("/")
	b.shows("h1", "Nobody is logged in")
	b.shows("main", "fairlead console")

	b.open(link)
	b.shows("h1", "Fleet")
	b.shows(".who", "operator")
	if at := ask[string](b, "location.href"); strings.Contains(at, "code") {
		t.Errorf("the address still holds the code: %s", at)
	}
	second := w.stranger()
	second.excuse(true)
	second.open(link)
	second.shows("h1", "does not work any more")

	other := ask[string](b, "document.cookie")
	if other != "" {
		t.Errorf("scripts can read the cookie: %q", other)
	}
	b.click(".who button")
	b.shows("main", "You are logged out")
	b.open("/ledger")
	b.shows("h1", "Nobody is logged in")
}

func TestAPageOfASessionThatEndedSaysSoInTheBrowser(t *testing.T) {
	t.Parallel()
	inBrowser(t)
	w := start(t)
	b := w.console("viewer")
	cookie := b.cookie()
	b.excuse(true)
	b.shows("#link-state", "Live")
	// The session ends elsewhere: the page that is open says so, and shows nothing newer.
	ask[bool](b, `(fetch("/logout", {method: "POST", redirect: "manual", body: new URLSearchParams({csrf: document.querySelector("input[name=csrf]").value})}), true)`)
	b.shows("#live-notice", "Your session has ended")
	b.setCookie(cookie) // a stale one
	b.open("/")
	b.shows("h1", "Your session has ended")
	b.accessible("the page of an ended session")
}
