package console

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/consolecookie"
)

// limited is an answer that knows until when its request is read.
type limited struct {
	*httptest.ResponseRecorder
	set      bool
	deadline time.Time
}

func (l *limited) SetReadDeadline(at time.Time) error {
	l.set, l.deadline = true, at
	return nil
}

func TestNobodyTakesForeverToSendAFormAndWhatItAsksForMayTakeLonger(t *testing.T) {
	s := &console{Config: Config{
		API:      func(fairlead.Principal) *client.Client { return client.Remote("http://127.0.0.1:0", "") }, // a page does without
		Sessions: people{}, Now: func() time.Time { return noon }, Hosts: []string{"127.0.0.1"}, Log: slog.New(slog.DiscardHandler),
	}, pages: newTurns(1)}
	mux := http.NewServeMux()
	var during time.Time
	var w *limited
	s.post(mux, "/act", func(http.ResponseWriter, *http.Request, Session) { during = w.deadline })
	send := func(token, body string) {
		w = &limited{ResponseRecorder: httptest.NewRecorder()}
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/act", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.AddCookie(&http.Cookie{Name: consolecookie.Of(r.Host), Value: token})
		s.guarded(mux).ServeHTTP(w, r)
	}
	stranger := func(what, token, body string) {
		send(token, body)
		if left := time.Until(w.deadline); !w.set || left <= 0 || left > formWithin {
			t.Errorf("%s is read until %v", what, w.deadline)
		}
	}
	stranger("the form of a stranger", "no-token", "x=1")
	stranger("a form that cannot be read", aToken, "%zz")
	ours := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/act", nil)
	ours.AddCookie(&http.Cookie{Name: consolecookie.Of(ours.Host), Value: aToken})
	during = noon
	if send(aToken, url.Values{csrfField: {csrfOf(ours)}}.Encode()); w.Code != http.StatusOK || !during.IsZero() {
		t.Errorf("with status %d, what is asked for may take until %v", w.Code, during)
	}
}
