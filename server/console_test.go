package server

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/consolecookie"
	"github.com/fairlead/fairlead/internal/inprocess"
)

func TestALinkLogsABrowserInOnceAndItsCookieIsForTheConsoleAlone(t *testing.T) {
	h := newHouse(t, t.TempDir(), "127.0.0.1:0")
	link := h.link("")
	b := h.browser()
	if p := b.get("/"); p.status != http.StatusUnauthorized || !strings.Contains(p.text, "fairlead console") {
		t.Errorf("a stranger got %d %s", p.status, p.text)
	}
	p := b.get(link)
	cookie, err := http.ParseSetCookie(p.header.Get("Set-Cookie"))
	if p.status != http.StatusOK || err != nil {
		t.Fatalf("got %d, %v", p.status, err)
	}
	if cookie.Name != consolecookie.Of(h.api) || len(cookie.Value) != 64 || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode ||
		cookie.Path != "/" || cookie.Domain != "" || cookie.Secure {
		t.Errorf("the cookie is %s", p.header.Get("Set-Cookie"))
	}
	if p.header.Get("Refresh") != "0; url=/" || !strings.Contains(p.text, `href="/"`) || p.header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("it goes on by %v", p.header)
	}
	if p := b.get("/"); p.status != http.StatusOK || !strings.Contains(p.text, "<b>admin</b></span>") {
		t.Errorf("within got %d %s", p.status, p.text)
	}
	if p := b.get("/login"); p.status != http.StatusSeeOther || p.header.Get("Location") != "/" {
		t.Errorf("who is in already got %d %v", p.status, p.header)
	}
	other := h.browser()
	if p := other.get(link); p.status != http.StatusUnauthorized || p.header.Get("Set-Cookie") != "" || !strings.Contains(p.text, "does not work any more") {
		t.Errorf("the second who came got %d %s", p.status, p.text)
	}
	if !b.in() || other.in() {
		t.Error("the link let the wrong one in")
	}
}

func TestWhoLooksAtALinkWithoutOpeningItLeavesItGood(t *testing.T) {
	h := newHouse(t, t.TempDir(), "127.0.0.1:0")
	link, b := h.link(""), h.browser()
	for what, p := range map[string]seen{
		"HEAD":       b.send(http.MethodHead, link, nil),
		"a prefetch": b.get(link, "Sec-Purpose", "prefetch;prerender"), "an older prefetch": b.get(link, "Purpose", "prefetch"),
		"one of Firefox": b.get(link, "X-Moz", "prefetch"), "a preview": b.get(link, "X-Purpose", "Preview"),
	} {
		if p.status != http.StatusNoContent || p.header.Get("Set-Cookie") != "" {
			t.Errorf("%s got %d %v", what, p.status, p.header)
		}
	}
	if p := b.get(link, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"); p.status != http.StatusOK {
		t.Errorf("a click in a chat got %d", p.status)
	}
}

func TestALinkLeadsToAPageOfTheConsoleOnly(t *testing.T) {
	h := newHouse(t, t.TempDir(), "127.0.0.1:0")
	for to, want := range map[string]string{
		"/rollouts/r1?step=2":  "/rollouts/r1?step=2",
		"":                     "/",
		"//evil.example/":      "/",
		"https://evil.example": "/",
		"/\\evil.example":      "/",
		"/a;url=//evil":        "/",
		"javascript:alert(1)":  "/",
		"/a\r\nSet-Cookie: x":  "/",
		"rollouts":             "/",
	} {
		p := h.browser().get(h.link("") + "&to=" + url.QueryEscape(to))
		if got := p.header.Get("Refresh"); p.status != http.StatusOK || got != "0; url="+want {
			t.Errorf("%q leads to %q, %d", to, got, p.status)
		}
	}
}

func TestForeignHostsAreRefused(t *testing.T) {
	b := newHouse(t, t.TempDir(), "127.0.0.1:0").enter("")
	cookie := func(host string) string { return consolecookie.Of(host) + "=" + b.token() } // whatever a browser would do
	for _, path := range []string{"/", "/login", "/live/", "/assets/console.css", "/nothing"} {
		if p := b.get(path, "Host", "evil.example", "Cookie", cookie("evil.example")); p.status != http.StatusForbidden || strings.Contains(p.text, "csrf") {
			t.Errorf("GET %s: %d %s", path, p.status, p.text)
		}
	}
	if p := b.post("/logout", b.proof(), "Host", "evil.example", "Cookie", cookie("evil.example")); p.status != http.StatusForbidden || !b.in() {
		t.Errorf("a form: %d", p.status)
	}
	for _, own := range []string{"fairlead.localhost", "localhost", "127.0.0.1"} {
		if p := b.get("/", "Host", own+":8090", "Cookie", cookie(own+":8090")); p.status != http.StatusOK {
			t.Errorf("as %s: %d", own, p.status)
		}
	}
}

func TestACookieThatIsPlantedBesideOursIsPassedOver(t *testing.T) {
	h := newHouse(t, t.TempDir(), "127.0.0.1:0")
	ours, theirs := h.enter(""), h.enter("viewer")
	token := func(b *browser) *http.Cookie {
		u, err := url.Parse(b.base)
		if err != nil {
			t.Fatal(err)
		}
		return b.Jar.Cookies(u)[0]
	}
	planted, own := token(theirs), token(ours)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, ours.base+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Cookie", planted.Name+"="+planted.Value+"; "+own.Name+"="+own.Value) // the longer path comes first
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(page), "<b>admin</b></span>") {
		t.Errorf("the page is of another session: %v %s", err, page)
	}
}

func TestAnotherPortOfTheSameHostIsAStranger(t *testing.T) {
	b := newHouse(t, t.TempDir(), "127.0.0.1:0").enter("")
	for what, headers := range map[string][]string{
		"another port":               {"Origin", "http://127.0.0.1:8080"},
		"another port, told twice":   {"Origin", "http://127.0.0.1:8080", "Sec-Fetch-Site", "same-site"},
		"another site":               {"Origin", "http://evil.example"},
		"a page that hides its name": {"Origin", "null"},
		"another site by itself":     {"Sec-Fetch-Site", "cross-site"},
		"another site, navigating":   {"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"},
	} {
		if p := b.post("/logout", b.proof(), headers...); p.status != http.StatusForbidden || strings.Contains(p.text, "csrf") || !b.in() {
			t.Errorf("a form of %s: %d %s", what, p.status, p.text)
		}
	}
	for what, headers := range map[string][]string{
		"a frame":  {"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"},
		"a script": {"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"},
		"an image": {"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"},
	} {
		if p := b.get("/", headers...); p.status != http.StatusForbidden {
			t.Errorf("%s of another port: %d", what, p.status)
		}
	}
	if p := b.get("/", "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"); p.status != http.StatusOK {
		t.Errorf("a link of another port: %d", p.status)
	}
	if p := b.post("/logout", b.proof(), "Origin", b.base, "Sec-Fetch-Site", "same-origin"); p.status != http.StatusSeeOther || b.in() {
		t.Errorf("our own form: %d", p.status)
	}
}

func TestAFormWithoutTheProofOfItsSessionIsRefused(t *testing.T) {
	h := newHouse(t, t.TempDir(), "127.0.0.1:0")
	b, other := h.enter(""), h.enter("")
	for what, form := range map[string]url.Values{
		"none":        {"reason": {"why"}},
		"an empty":    {"csrf": {""}},
		"a false":     {"csrf": {strings.Repeat("0", 64)}},
		"another's":   other.proof(),
		"two, of one": {"csrf": {"", b.proof().Get("csrf")}},
	} {
		if p := b.post("/logout", form); p.status != http.StatusForbidden || !b.in() {
			t.Errorf("%s proof: %d", what, p.status)
		}
	}
	if p := b.post("/logout?"+b.proof().Encode(), url.Values{"x": {"y"}}); p.status != http.StatusForbidden || !b.in() {
		t.Errorf("a proof in the address: %d", p.status)
	}
	if p := b.post("/logout", b.proof(), "Content-Type", "text/plain"); p.status != http.StatusBadRequest || !b.in() {
		t.Errorf("what is no form: %d", p.status)
	}
	if p := h.browser().post("/logout", b.proof()); p.status != http.StatusUnauthorized || !b.in() {
		t.Errorf("without a session: %d", p.status)
	}
}

func TestALargeFormIsRefused(t *testing.T) {
	b := newHouse(t, t.TempDir(), "127.0.0.1:0").enter("")
	form := b.proof()
	form.Set("reason", strings.Repeat("x", 1<<20))
	if p := b.post("/logout", form); p.status != http.StatusBadRequest || !strings.Contains(p.text, "larger than") {
		t.Errorf("got %d %s", p.status, p.text)
	}
	if !b.in() {
		t.Error("it took effect")
	}
}

func TestFollowingALinkChangesNothing(t *testing.T) {
	h := newHouse(t, t.TempDir(), "127.0.0.1:0")
	b := h.enter("")
	size := h.store.Size()
	for _, path := range []string{"/logout", "/logout?" + b.proof().Encode(), "/", "/login", "/nothing"} {
		b.get(path)
	}
	if !b.in() || h.store.Size() != size {
		t.Error("a GET changed something")
	}
}

func TestALogoutEndsTheSessionEverywhere(t *testing.T) {
	h := newHouse(t, t.TempDir(), "127.0.0.1:0")
	b, other := h.enter(""), h.enter("")
	ended := b.follow("/")
	p := b.post("/logout", b.proof())
	if cookie, err := http.ParseSetCookie(p.header.Get("Set-Cookie")); err != nil || cookie.MaxAge >= 0 || cookie.Value != "" || p.header.Get("Location") != "/login?left" {
		t.Errorf("the answer is %v, %v", p.header, err)
	}
	<-ended // by the test's time limit
	if b.in() || !other.in() {
		t.Error("the wrong session ended")
	}
	if p := b.get("/live/"); p.status != http.StatusUnauthorized {
		t.Errorf("following again: %d", p.status)
	}
}

func TestASessionEndsWithItsTime(t *testing.T) {
	h := newHouse(t, t.TempDir(), "127.0.0.1:0")
	b := h.enter("")
	ended := b.follow("/")
	h.sessions.mu.Lock()
	h.sessions.now = func() time.Time { return h.clock.Now().Add(sessionGood) }
	h.sessions.mu.Unlock()
	p := b.get("/")
	if p.status != http.StatusUnauthorized || !strings.Contains(p.text, "Your session has ended") {
		t.Errorf("got %d %s", p.status, p.text)
	}
	<-ended // by the test's time limit
}

func TestConsolesOnTwoPortsOfAHostLetOneIntoBoth(t *testing.T) {
	one, two := newHouse(t, t.TempDir(), "127.0.0.1:0"), newHouse(t, t.TempDir(), "127.0.0.1:0")
	b := one.enter("")
	b.get(two.link(""))
	if p := b.get(two.base + "/"); p.status != http.StatusOK || !b.in() {
		t.Errorf("got %d", p.status)
	}
}

func TestALaterLoginTakesThePlaceOfTheOneBefore(t *testing.T) {
	h := newHouse(t, t.TempDir(), "127.0.0.1:0")
	b := h.enter("")
	ended := b.follow("/")
	if p := b.get(h.link(fairlead.Viewer)); p.status != http.StatusOK {
		t.Fatalf("got %d", p.status)
	}
	<-ended
	if n := h.sessions.count(); n != 1 || !strings.Contains(b.get("/").text, "<b>admin</b>, viewer") {
		t.Errorf("%d sessions", n)
	}
}

func TestASessionGoesOnWhenTheControlPlaneRestarts(t *testing.T) {
	state := t.TempDir()
	h := newHouse(t, state, "127.0.0.1:0")
	b := h.enter(fairlead.Operator)
	ended := b.follow("/")
	proof := b.proof()
	h.stop()
	<-ended
	again := newHouse(t, state, h.api)
	b.house = again
	b.CloseIdleConnections()
	if p := b.get("/"); p.status != http.StatusOK || !strings.Contains(p.text, "<b>admin</b>, operator") {
		t.Errorf("got %d %s", p.status, p.text)
	}
	if p := b.post("/logout", proof); p.status != http.StatusSeeOther {
		t.Errorf("a form of before: %d", p.status)
	}
}

func TestAReporterGetsNoLinkAndAViewersSessionMayReadOnly(t *testing.T) {
	h := newHouse(t, t.TempDir(), "127.0.0.1:0")
	ctx := context.Background()
	made, err := h.programs.Create(ctx, client.NewToken{Name: "grader", Role: fairlead.Reporter}, fairlead.Principal{ID: self, Role: fairlead.Admin})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Remote(h.base, made.Text).ConsoleLink(ctx, client.NewLink{}); fairlead.CodeOf(err) != fairlead.Forbidden {
		t.Errorf("a reporter: %v", err)
	}
	if _, err := client.Remote(h.base, "wrong").ConsoleLink(ctx, client.NewLink{}); fairlead.CodeOf(err) != fairlead.Unauthorized {
		t.Errorf("a stranger: %v", err)
	}
	session, ok := h.sessions.Find(h.enter(fairlead.Viewer).token())
	if !ok || session.Who.Role != fairlead.Viewer {
		t.Fatalf("the session is %+v", session)
	}
	within := client.Within(asCaller{who: session.Who, next: inprocess.Transport{Handler: h.handler(), Log: h.Log}})
	if _, err := within.Apps(ctx); err != nil {
		t.Errorf("it cannot read: %v", err)
	}
	_, made1 := within.CreateToken(ctx, client.NewToken{Name: "mine", Role: fairlead.Reporter})
	_, made2 := within.ConsoleLink(ctx, client.NewLink{Role: fairlead.Operator})
	_, made3 := within.SetSecret(ctx, "production", "key", client.SecretValue{Value: []byte("secret")})
	_, made4 := within.Act(ctx, fairlead.Site{App: "triage", Env: "production"}, "rollback", client.Act{})
	for what, err := range map[string]error{"a rollback": made4, "a token": made1, "a link of more": made2, "a secret": made3, "the end": within.Shutdown(ctx, true)} {
		if fairlead.CodeOf(err) != fairlead.Forbidden {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestThePrincipalOfACallFromOutsideIsNeverTheOneOfACallWithin(t *testing.T) {
	h := newHouse(t, t.TempDir(), "127.0.0.1:0")
	b := h.enter("")
	for _, headers := range [][]string{nil, {"Authorization", "Bearer " + strings.Repeat("0", 64)}} {
		if p := b.get("/v1/apps", headers...); p.status != http.StatusUnauthorized {
			t.Errorf("the cookie opens the API: %d", p.status)
		}
	}
}

func TestEveryAnswerOfTheConsoleIsGuardedByItsHeaders(t *testing.T) {
	b := newHouse(t, t.TempDir(), "127.0.0.1:0").enter("")
	for _, p := range []seen{b.get("/"), b.get("/nothing"), b.get("/login"), b.get("/", "Host", "evil.example"), b.get("/assets/console.css"), b.post("/logout", nil)} {
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "Permissions-Policy": "camera=()",
			"Referrer-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin", "Cache-Control": "no-",
		} {
			got := p.header.Get(name)
			if name == "Referrer-Policy" && got == "no-referrer" {
				continue // of the page whose address holds a code
			}
			if !strings.Contains(got, want) {
				t.Errorf("%d: %s is %q", p.status, name, got)
			}
		}
		if p.header.Get("Strict-Transport-Security") != "" {
			t.Error("HSTS over plain HTTP")
		}
		if policy := p.header.Get("Content-Security-Policy"); strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") || strings.Contains(policy, "http") {
			t.Errorf("the policy is %s", policy)
		}
	}
}
