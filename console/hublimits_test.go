package console

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/consolecookie"
)

func TestTooManyPagesAreTurnedAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene()
		for i := range maxWatches {
			s.hub.watches[fmt.Sprint(i)] = &watch{}
		}
		f := s.follow("page")
		if got, want := f.heard(), "event: end\ndata: {\"why\":\"full\"}\n\n"; got != want {
			t.Errorf("it said %q, want %q", got, want)
		}
		leave(f)
	})
}

func TestTheListenerWaitsForWhatComesAfterTheNewestEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene()
		var asked []uint64
		changed := s.hub.changed
		s.hub.changed = func(ctx context.Context, from uint64) (uint64, error) {
			asked = append(asked, from)
			return changed(ctx, from)
		}
		f := s.follow("page")
		s.entries <- 7
		s.entries <- 9
		synctest.Wait()
		leave(f)
		again := s.follow("page")
		leave(again)
		if got := fmt.Sprint(asked); got != "[0 7 9 9]" {
			t.Errorf("it asked for what comes after %s, want after 0, 7, 9 and again 9", got)
		}
	})
}

func TestALookThatHangsIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene()
		ctx, gone := context.WithCancel(context.Background())
		f := &follower{header: http.Header{}, gone: gone, over: make(chan struct{})}
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/live/", nil)
		hangs := func(ctx context.Context) (frame, error) { <-ctx.Done(); return nil, ctx.Err() }
		go func() {
			defer close(f.over)
			s.hub.follow(f, r, "ada", "page", hangs, greeting{clock: time.Now}, s.in.Load)
		}()
		time.Sleep(lookTimeout)
		synctest.Wait()
		if got := f.heard(); !strings.Contains(got, "event: problem\n") {
			t.Errorf("%s after a look that hangs it said %q", lookTimeout, got)
		}
		leave(f)
	})
}

// leaver is a person whose session ends.
type leaver struct {
	people
	done context.Context
}

func (l leaver) Find(token string) (Session, bool) {
	s, ok := l.people.Find(token)
	s.Done = l.done
	return s, ok
}

func TestARequestEndsWithItsSession(t *testing.T) {
	done, leave := context.WithCancel(context.Background())
	defer leave()
	s := &console{Config: Config{Sessions: leaver{done: done}}}
	begun, over := make(chan struct{}), make(chan struct{})
	h := s.logged(func(_ http.ResponseWriter, r *http.Request, _ Session) {
		close(begun)
		<-r.Context().Done()
	})
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		defer close(over)
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/live/", nil)
		r.AddCookie(&http.Cookie{Name: consolecookie.Of(r.Host), Value: aToken})
		h.ServeHTTP(httptest.NewRecorder(), r)
	}()
	<-begun
	leave()
	select {
	case <-over:
	case <-time.After(20 * time.Second):
		t.Error("a request goes on without its session")
	}
}

func TestTheCookieKeepsToTLSWhereThereIsTLS(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "http://localhost:8090/", nil)
	if sessionCookie(r, "token").Secure {
		t.Error("over plain HTTP a browser would not take it")
	}
	if r.TLS = (&tls.ConnectionState{}); !sessionCookie(r, "token").Secure {
		t.Error("it would be sent without TLS")
	}
}

func TestNoPageMayBeFramedAndNothingForeignLoaded(t *testing.T) {
	w := httptest.NewRecorder()
	secured(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	for _, rule := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
		if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains("; "+policy+";", "; "+rule+";") {
			t.Errorf("the policy %q lacks %s", policy, rule)
		}
	}
	if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cross-Origin-Resource-Policy") != "same-origin" {
		t.Errorf("the headers are %v", w.Header())
	}
}
