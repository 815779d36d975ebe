package console

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/consolecookie"
)

// aToken is the token of the only session, which is an operator's.
const aToken = "a-token"

// people knows one session.
type people struct{}

func (people) Redeem(context.Context, string) (string, Session, error) {
	return "", Session{}, errors.New("there are no links")
}

func (people) Find(token string) (Session, bool) {
	return Session{
		Who: fairlead.Principal{ID: "person:ada", Role: fairlead.Operator}, Name: "ada", Done: context.Background(),
	}, token == aToken
}

func (people) End(context.Context, string) error { return nil }

// openConsole serves a console whose API answers these paths with these values; an error is
// answered as a problem, and a path that is not there as not found.
func openConsole(t testing.TB, answers map[string]any) *httptest.Server {
	t.Helper()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.URL.Path]
		if !ok {
			answer = fairlead.Errorf(fairlead.NotFound, "", "nothing is at %s", r.URL.Path)
		}
		w.Header().Set("Content-Type", "application/json")
		if err, wrong := answer.(error); wrong {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(client.StatusOf(fairlead.CodeOf(err)))
			answer = map[string]any{"detail": err.Error(), "code": fairlead.CodeOf(err), "hint": fairlead.HintOf(err)}
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(api.Close)
	server := httptest.NewServer(New(Config{
		API:      func(fairlead.Principal) *client.Client { return client.Remote(api.URL, "") },
		Sessions: people{},
		Changed: func(ctx context.Context, from uint64) (uint64, error) {
			<-ctx.Done()
			return from, ctx.Err()
		},
		Now: func() time.Time { return noon }, Hosts: []string{"127.0.0.1"}, Log: slog.New(slog.DiscardHandler), Version: "v1",
	}))
	t.Cleanup(server.Close)
	return server
}

// get reads a page as the person of the session; its headers are pairs.
func get(t *testing.T, server *httptest.Server, path string, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: consolecookie.Of(r.Host), Value: aToken})
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.ReplaceAll(string(body), noBreak, " ")
}

// has fails unless a page contains each text.
func has(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("the page does not say %q:\n%s", text, page)
		}
	}
}
