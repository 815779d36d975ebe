package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// newTestAPI returns an API that knows one caller, by the token "right".
func newTestAPI(t *testing.T, role fairlead.Role) http.Handler {
	t.Helper()
	return New(testConfig(role))
}

// newAPIOver returns one that reads a ledger.
func newAPIOver(t *testing.T, l Ledger) http.Handler {
	t.Helper()
	c := testConfig(fairlead.Viewer)
	c.Ledger = l
	return New(c)
}

func testConfig(role fairlead.Role) Config {
	return Config{
		RunsAs:  func(fairlead.Release) string { return "" },
		Version: func() client.Version { return client.Version{Version: "v1"} },
		Identify: func(r *http.Request) (fairlead.Principal, error) {
			if BearerIs(r, "right") {
				return fairlead.Principal{ID: "system:test", Role: role}, nil
			}
			return fairlead.Principal{}, fairlead.Errorf(fairlead.Unauthorized, "", "no valid token")
		},
		Shutdown: func(context.Context, bool, fairlead.Principal) error { return nil },
		Open:     func(_ context.Context, s fairlead.Sealed) string { return string(s) },
		Hosts:    []string{"localhost", "127.0.0.1"},
	}
}

func ask(h http.Handler, method, path string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost:8090"+path, nil)
	r.Header.Set("Authorization", "Bearer right")
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestNothingButHealthIsAnsweredWithoutAPrincipal(t *testing.T) {
	h := newTestAPI(t, fairlead.Admin)
	nobody := func(r *http.Request) { r.Header.Del("Authorization") }
	wrong := func(r *http.Request) { r.Header.Set("Authorization", "Bearer wrong") }
	for _, path := range []string{"/v1/version", "/v1/apps", "/v1/events", "/openapi.json", "/", "/v1/blobs/sha256:00", "/nothing"} {
		for name, change := range map[string]func(*http.Request){"no token": nobody, "a wrong token": wrong} {
			if got := ask(h, http.MethodGet, path, change).Code; got != http.StatusUnauthorized {
				t.Errorf("%s with %s: status %d, want 401", path, name, got)
			}
		}
	}
	if got := ask(h, http.MethodGet, "/healthz", nobody).Code; got != http.StatusOK {
		t.Errorf("/healthz: status %d, want 200", got)
	}
}

// limited is an answer that knows until when its request is read.
type limited struct {
	*httptest.ResponseRecorder
	deadline time.Time
}

func (l *limited) SetReadDeadline(at time.Time) error {
	l.deadline = at
	return nil
}

func TestAStrangerDoesNotTakeForeverToSendWhatIsRefused(t *testing.T) {
	h := newTestAPI(t, fairlead.Admin)
	w := &limited{ResponseRecorder: httptest.NewRecorder()}
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/v1/deploy", strings.NewReader("{}"))
	h.ServeHTTP(w, r)
	if left := time.Until(w.deadline); w.Code != http.StatusUnauthorized || left <= 0 || left > strangerWithin {
		t.Errorf("with status %d, it is read until %v", w.Code, w.deadline)
	}
}

func TestAForeignHostOrOriginIsRefused(t *testing.T) {
	h := newTestAPI(t, fairlead.Admin)
	for name, c := range map[string]struct {
		change func(*http.Request)
		want   int
	}{
		"the right host":           {func(*http.Request) {}, http.StatusOK},
		"a host that rebinds":      {func(r *http.Request) { r.Host = "evil.example:8090" }, http.StatusForbidden},
		"an origin of its own":     {func(r *http.Request) { r.Header.Set("Origin", "http://localhost:8090") }, http.StatusOK},
		"a page from elsewhere":    {func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, http.StatusForbidden},
		"a page without an origin": {func(r *http.Request) { r.Header.Set("Origin", "null") }, http.StatusForbidden},
	} {
		if got := ask(h, http.MethodGet, "/v1/version", c.change).Code; got != c.want {
			t.Errorf("%s: status %d, want %d", name, got, c.want)
		}
	}
}

func TestAnErrorIsAProblemWithCodeAndHint(t *testing.T) {
	w := httptest.NewRecorder()
	refuse(w, fairlead.Errorf(fairlead.Conflict, "deploy triage", "it is moving").WithHint("wait for it"))
	var p client.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusConflict || p.Code != fairlead.Conflict || p.Hint != "wait for it" || p.Op != "deploy triage" || p.Detail != "it is moving" {
		t.Errorf("status %d, problem %+v", w.Code, p)
	}
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type %q", got)
	}
}

func TestAViewerMayNotShutDown(t *testing.T) {
	if got := ask(newTestAPI(t, fairlead.Viewer), http.MethodPost, "/v1/shutdown", nil).Code; got != http.StatusForbidden {
		t.Errorf("status %d, want 403", got)
	}
}

func TestTheDescriptionIsOpenAPI(t *testing.T) {
	w := ask(newTestAPI(t, fairlead.Admin), http.MethodGet, "/openapi.json", nil)
	var doc struct {
		OpenAPI string                    `json:"openapi"`
		Paths   map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" || doc.Paths["/v1/deploy"]["post"] == nil {
		t.Errorf("openapi %q with %d paths", doc.OpenAPI, len(doc.Paths))
	}
}

func TestAMalformedBodyIsRefusedWithoutBeingRepeated(t *testing.T) {
	h := newTestAPI(t, fairlead.Admin)
	for _, body := range []string{`{"value": "hunter2`, `{"value": {"a": "hunter2"}}`, `{"valeu": "hunter2"}`, `"hunter2"`, `hunter2`} {
		w := ask(h, http.MethodPut, "/v1/secrets/production/key", func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
		})
		var p client.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Code != fairlead.Invalid || p.Hint == "" || w.Code < 400 || w.Code > 499 {
			t.Errorf("%s: status %d, %+v, %v", body, w.Code, p, err)
		}
		if strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("%s: the answer repeats the value: %s", body, w.Body)
		}
	}
}

func TestAnUnknownPathIsAProblem(t *testing.T) {
	w := ask(newTestAPI(t, fairlead.Admin), http.MethodGet, "/v1/nothing", nil)
	var p client.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != http.StatusNotFound || p.Code != fairlead.NotFound || !strings.Contains(p.Detail, "/v1/nothing") {
		t.Errorf("status %d, %+v, %v", w.Code, p, err)
	}
}

// tornLedger has three entries, and cannot read beyond the second.
type tornLedger struct {
	mu    sync.Mutex
	asked []uint64
}

func (l *tornLedger) Size() uint64 { return 3 }

func (l *tornLedger) Wait(context.Context, uint64) error { return nil }

func (l *tornLedger) Entries(_ context.Context, from uint64, _ int) ([]fairlead.Entry, error) {
	l.mu.Lock()
	l.asked = append(l.asked, from)
	l.mu.Unlock()
	if from >= 2 {
		return nil, fairlead.Errorf(fairlead.Corrupt, "read the ledger", "it is torn")
	}
	return []fairlead.Entry{{Seq: 0, Kind: "a"}, {Seq: 1, Kind: "b"}}[from:], nil
}

func TestEventsThatBreakOffDoNotLookWhole(t *testing.T) {
	served := httptest.NewServer(newAPIOver(t, &tornLedger{}))
	defer served.Close()
	var seen []string
	err := client.Remote(served.URL, "right").Events(t.Context(), 0, false, func(e client.Event) error {
		seen = append(seen, e.Kind)
		return nil
	})
	if err == nil || len(seen) != 2 {
		t.Errorf("%q, %v", seen, err)
	}
	err = client.Remote(served.URL, "right").Events(t.Context(), 2, false, func(client.Event) error { return nil })
	if fairlead.CodeOf(err) != fairlead.Corrupt {
		t.Errorf("before the first entry: %v", err)
	}
}

func TestTheNewestEventsAreReadFromTheEnd(t *testing.T) {
	ledger := &tornLedger{}
	h := newAPIOver(t, ledger)
	served := httptest.NewServer(h)
	for _, n := range []int{1, 99} {
		_ = client.Remote(served.URL, "right").NewestEvents(t.Context(), n, false, func(client.Event) error { return nil }) // it is torn
	}
	served.Close() // and all its calls have ended
	if len(ledger.asked) < 2 || ledger.asked[0] != 2 || ledger.asked[1] != 0 {
		t.Errorf("read from %d", ledger.asked)
	}
	for _, wrong := range []string{"", "?tail=-1", "?from=x", "?from=99999999999999999999"} {
		if got := ask(h, http.MethodGet, "/v1/events"+wrong, nil).Code; got != http.StatusBadRequest {
			t.Errorf("%s: status %d", wrong, got)
		}
	}
}
