package gateway_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
)

func TestRequestsGoByHostThenByTheLongestPrefixOfWholeSegments(t *testing.T) {
	g := start(t, t.TempDir())
	at := func(env, host, prefix string) gateway.Route {
		r := route(backend(1, app(t, "i-"+env, says(env))))
		r.Site.Env, r.Host, r.PathPrefix = env, host, prefix
		return r
	}
	g.apply(at("root", "triage.localhost", "/"), at("api", "triage.localhost", "/api"),
		at("deep", "triage.localhost", "/api/v2/"), at("other", "other.localhost", "/only"))
	for _, c := range []struct{ host, path, want string }{
		{"triage.localhost", "/", "root"},
		{"TRIAGE.localhost:8443", "/x", "root"},
		{"triage.localhost.", "/apix", "root"},
		{"triage.localhost", "/api", "api"},
		{"triage.localhost", "/api/v1", "api"},
		{"triage.localhost", "/api/v2", "deep"},
		{"triage.localhost", "/api/v2/x?q=1;2", "deep"},
		{"other.localhost", "/only/x", "other"},
		{"other.localhost", "/else", ""},
		{"none.localhost", "/", ""},
	} {
		r := g.request(http.MethodGet, c.path, nil)
		r.Host = c.host
		got := g.do(r)
		if c.want == "" {
			if got.status != http.StatusNotFound || got.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s%s: %+v, want a 404 problem", c.host, c.path, got)
			}
		} else if got.body != c.want {
			t.Errorf("%s%s went to %q, want %q", c.host, c.path, got.body, c.want)
		}
	}
}

func TestWithNothingReadyTheAnswerIs503WithRetryAfterAndAReason(t *testing.T) {
	g := start(t, t.TempDir())
	g.apply(route(backend(1)))
	got := g.get("/")
	var problem struct {
		Status int
		Code   fairlead.Code
		Detail string
	}
	if err := json.Unmarshal([]byte(got.body), &problem); err != nil {
		t.Fatal(err)
	}
	if got.status != 503 || got.header.Get("Retry-After") == "" || problem.Status != 503 || problem.Code != fairlead.Unavailable || problem.Detail == "" {
		t.Errorf("got %+v", got)
	}
	if s := g.status(); s.Refused != 1 || s.Requests != 1 {
		t.Errorf("status %+v", s)
	}
}

func TestAnInstanceSeesWhoAskedAndNoControlHeaders(t *testing.T) {
	g := start(t, t.TempDir())
	seen := make(chan *http.Request, 1)
	r := route(backend(1, app(t, "a", func(w http.ResponseWriter, r *http.Request) { seen <- r })))
	r.Assignment = fairlead.Assignment{By: fairlead.ByRun}
	g.apply(r)
	g.get("/p?a=1;b=2", "Fairlead-Force", "canary", "Fairlead-Run", "run-1", "X-Forwarded-For", "6.6.6.6",
		"Traceparent", "00-1-2-01", "X-Request-Id", "id-1", "Connection", "X-Hop", "X-Hop", "yes",
		"Fairlead_Mirrored", "true", "fairLEAD-Trace", "forged", "Fairlead_Trace", "forged", "Fair_Lead", "yes")
	in := <-seen
	for name := range in.Header { // as CGI and WSGI name it
		if variable := strings.ReplaceAll(strings.ToUpper(name), "-", "_"); strings.HasPrefix(variable, "FAIRLEAD_") && variable != "FAIRLEAD_RUN" {
			t.Errorf("the instance got %s", name)
		}
	}
	if in.Header.Get("Fair_Lead") != "yes" {
		t.Error("an app's own header is gone")
	}
	want := map[string]string{
		"Fairlead-Force": "", "Fairlead-Run": "run-1", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http",
		"X-Forwarded-Host": "triage.localhost", "Traceparent": "00-1-2-01", "X-Request-Id": "id-1", "X-Hop": "",
	}
	for name, value := range want {
		if got := in.Header.Get(name); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
	if in.Host != "triage.localhost" || in.URL.RawQuery != "a=1;b=2" {
		t.Errorf("host %q, query %q", in.Host, in.URL.RawQuery)
	}
	g.get("/")
	if id := (<-seen).Header.Get("X-Request-Id"); len(id) < 16 {
		t.Errorf("made request id %q", id)
	}
}

func TestASessionIsMadeOnceAndOnlyWhereSessionsAreAssigned(t *testing.T) {
	g := start(t, t.TempDir())
	r := route(backend(1, app(t, "a", says("hi"))))
	r.Assignment = fairlead.Assignment{}
	g.apply(r)
	cookie := g.get("/").header.Get("Set-Cookie")
	if !strings.HasPrefix(cookie, "fairlead_session=") || !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Lax") {
		t.Fatalf("cookie %q", cookie)
	}
	if again := g.get("/", "Cookie", strings.Split(cookie, ";")[0]).header.Get("Set-Cookie"); again != "" {
		t.Errorf("a second cookie: %q", again)
	}
	g.apply(route(backend(1, app(t, "b", says("hi")))))
	if cookie := g.get("/").header.Get("Set-Cookie"); cookie != "" {
		t.Errorf("cookie without sessions: %q", cookie)
	}
}

func TestTheSessionIsInTheFinalAnswerAlsoAfterHints(t *testing.T) {
	g := start(t, t.TempDir())
	r := route(backend(1, app(t, "a", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
	})))
	r.Assignment = fairlead.Assignment{}
	g.apply(r)
	if cookie := g.get("/").header.Get("Set-Cookie"); !strings.HasPrefix(cookie, "fairlead_session=") {
		t.Errorf("the final answer sets %q", cookie)
	}
	r.Stable = backend(1, refusing(t, "b"))
	g.apply(r)
	if a := g.get("/"); a.status != 503 || !strings.HasPrefix(a.header.Get("Set-Cookie"), "fairlead_session=") {
		t.Errorf("an error sets %q", a.header.Get("Set-Cookie"))
	}
}

func TestAnInstanceSetsNoSessionOfTheGateways(t *testing.T) {
	g := start(t, t.TempDir())
	r := route(backend(1, app(t, "a", func(w http.ResponseWriter, r *http.Request) {
		for _, c := range []string{"fairlead_session=mine; Path=/", " fairlead_session =mine", "fairlead_session_2=x", "login=y; HttpOnly"} {
			w.Header().Add("Set-Cookie", c)
		}
	})))
	r.Assignment = fairlead.Assignment{}
	g.apply(r)
	own := []string{"fairlead_session_2=x", "login=y; HttpOnly"}
	if got := g.get("/", "Cookie", "fairlead_session=s").header["Set-Cookie"]; !slices.Equal(got, own) {
		t.Errorf("a known client gets %q", got)
	}
	if got := g.get("/").header["Set-Cookie"]; len(got) != 3 || strings.Contains(got[2], "mine") {
		t.Errorf("a new client gets %q", got)
	}
	r.Assignment.Name = "login" // the app's own sessions are the units
	g.apply(r)
	if got := g.get("/", "Cookie", "login=y").header["Set-Cookie"]; len(got) != 4 {
		t.Errorf("where the app's sessions count, it sets %q", got)
	}
}

func TestHTTP2WithoutTLSIsServed(t *testing.T) {
	g := start(t, t.TempDir())
	g.apply(route(backend(1, app(t, "a", says("two")))))
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(g.request(http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.StatusCode != 200 {
		t.Errorf("got %s %s", resp.Proto, resp.Status)
	}
}
