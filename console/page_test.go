package console

import (
	"context"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/consolecookie"
)

var about = client.Version{Version: "v1", Term: 12, State: "/var/lib/fairlead", Gateway: "127.0.0.1:8080"}

func TestAPageHasItsLandmarksAndNothingInline(t *testing.T) {
	server := openConsole(t, map[string]any{"/v1/version": about, "/v1/apps": []client.App{}})
	_, page := get(t, server, "/")
	has(t, page, `<html lang="en">`, `<title>Fleet · Fairlead</title>`, `class="skip" href="#main"`, `<main id="main"`, `aria-current="page"`,
		`ada</b>, operator`, `<form class="who" method="post" action="/logout">`, `data-live="/live/"`, `term <span id="term">12</span>`,
		`<noscript>`, `No app is deployed yet`)
	for form, want := range map[string]int{`<h1`: 1, `<main`: 1, `<header`: 1, `<footer`: 1, ` style=`: 0, `<style`: 0, ` onclick`: 0, `<script>`: 0} {
		if n := strings.Count(page, form); n != want {
			t.Errorf("the page has %d of %s, want %d", n, form, want)
		}
	}
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], "/") && !strings.HasPrefix(m[1], "#") {
			t.Errorf("the page leads elsewhere: %s", m[1])
		}
	}
}

// admins know one session, whose person is called as its role.
type admins struct{ people }

func (admins) Find(token string) (Session, bool) {
	s, ok := people{}.Find(token)
	s.Who.Role, s.Name = fairlead.Admin, "admin"
	return s, ok
}

func TestANameThatIsTheRoleStandsOnce(t *testing.T) {
	a := newAsking(t, aRollout(nil), admins{})
	_, page := get(t, a.web, "/rollouts/ro-3")
	has(t, page, `<b>admin</b></span>`)
}

func TestAPageLoadsWhatItNames(t *testing.T) {
	server := openConsole(t, map[string]any{"/v1/version": about, "/v1/apps": []client.App{}})
	_, page := get(t, server, "/")
	assets := regexp.MustCompile(`"(/assets/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(assets) < 4 {
		t.Errorf("the page names %d assets, want a style of all, its own, a module and the mark", len(assets))
	}
	whole := len(page)
	for _, a := range assets {
		status, body := get(t, server, a[1])
		if status != http.StatusOK {
			t.Errorf("%s answers %d", a[1], status)
		}
		whole += len(body)
	}
	if whole > 100_000 {
		t.Errorf("the page with all that it loads is %d bytes, want at most 100,000", whole)
	}
}

func TestErrorsArePagesThatSayWhatHappenedAndWhatToDo(t *testing.T) {
	for title, c := range map[string]struct {
		status int
		err    error
	}{
		"There is nothing here":               {404, fairlead.Errorf(fairlead.NotFound, "", "there is no such thing")},
		"This is not yours to do":             {403, fairlead.Errorf(fairlead.Forbidden, "", "this needs the role admin")},
		"This cannot be understood":           {400, fairlead.Errorf(fairlead.Invalid, "", "7x is not a number")},
		"This is not possible now":            {409, fairlead.Errorf(fairlead.Conflict, "", "it has ended")},
		"The control plane cannot answer now": {503, fairlead.Errorf(fairlead.Unavailable, "", "it ends")},
		"Fairlead has a fault":                {500, fairlead.Errorf(fairlead.Internal, "", "the store is locked")},
	} {
		server := openConsole(t, map[string]any{"/v1/version": about, "/v1/apps": c.err})
		status, page := get(t, server, "/")
		if status != c.status {
			t.Errorf("%s: status %d, want %d", title, status, c.status)
		}
		has(t, page, "<h1>"+title+"</h1>", html.EscapeString(c.err.Error()))
		if again := strings.Contains(page, `href="/">Try again`); again != (c.status >= 500) {
			t.Errorf("%s: that trying again helps is said: %v", title, again)
		}
		if strings.Contains(page, `data-live="/live`) {
			t.Errorf("%s: the page of an error is followed", title)
		}
	}
	server := openConsole(t, map[string]any{"/v1/version": about})
	status, page := get(t, server, "/no/such/page")
	if status != http.StatusNotFound {
		t.Errorf("a page that does not exist answers %d", status)
	}
	has(t, page, "no page has the address /no/such/page", "What to do", `href="/">To the fleet`)
}

func TestAPageThatPanicsIsOneThatFailed(t *testing.T) {
	s := &console{Config: Config{Sessions: people{}, Now: func() time.Time { return noon }, Log: slog.New(slog.DiscardHandler)}, pages: newTurns(1)}
	fault := s.surviving(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a fault") }))
	w := httptest.NewRecorder()
	fault.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusInternalServerError {
		t.Errorf("it answers %d", w.Code)
	}
	has(t, w.Body.String(), "Fairlead has a fault", "which its log names")
	if strings.Contains(w.Body.String(), "goroutine") {
		t.Error("the stack is shown to a stranger")
	}
}

func TestAStreamWithoutASessionSaysSo(t *testing.T) {
	server := openConsole(t, map[string]any{"/v1/version": about})
	_, said := get(t, server, "/live/", "Cookie", "", "Accept", "text/event-stream")
	if want := "event: end\ndata: {\"why\":\"session\"}\n\n"; said != want {
		t.Errorf("a browser that follows hears %q, want %q", said, want)
	}
	if status, _ := get(t, server, "/live/", "Cookie", ""); status != http.StatusUnauthorized {
		t.Errorf("another caller gets %d", status)
	}
}

func TestWhatIsNotFollowedMayHoldAForm(t *testing.T) {
	s := &console{Config: Config{Sessions: people{}, Now: func() time.Time { return noon }, Log: slog.New(slog.DiscardHandler)}, pages: newTurns(1)}
	mux := http.NewServeMux()
	s.API = func(fairlead.Principal) *client.Client { return client.Remote("http://127.0.0.1:0", "") }
	s.page(mux, "/still", func(context.Context, visit) (view, error) {
		return view{Title: "Still", Still: true, Crumbs: []crumb{{"Fleet", "/"}}, Styles: []string{"a.css"}, Scripts: []string{"b.js"}}, nil
	})
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/still", nil)
	r.AddCookie(&http.Cookie{Name: consolecookie.Of(r.Host), Value: aToken})
	mux.ServeHTTP(w, r)
	has(t, w.Body.String(), `data-live=""`, `href="/assets/a.css"`, `src="/assets/b.js"`, `<li><a href="/">Fleet</a></li><li aria-current="page">Still</li>`)
	if strings.Contains(w.Body.String(), "<noscript>") {
		t.Error("a page that never changes asks to be loaded again")
	}
}
