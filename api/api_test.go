package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// newTestAPI returns an API that knows one caller, by the token "right".
func newTestAPI(t *testing.T, role fairlead.Role) http.Handler {
	t.Helper()
	return New(Config{
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
	})
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
	if w.Code != http.StatusConflict || p.Code != fairlead.Conflict || p.Hint != "wait for it" || p.Detail != "deploy triage: it is moving" {
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

func TestEveryCodeHasAStatus(t *testing.T) {
	for _, code := range []fairlead.Code{
		fairlead.Invalid, fairlead.NotFound, fairlead.Conflict, fairlead.Unauthorized, fairlead.Forbidden,
		fairlead.Unavailable, fairlead.Unsupported, fairlead.Corrupt, fairlead.Internal,
	} {
		if status[code] < 400 {
			t.Errorf("code %s has status %d", code, status[code])
		}
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
