package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/consolecookie"
)

// carried is a browser's cookies on a host that has the console too.
const carried = "theme=dark; " + consolecookie.Name + "_8090=secret; tenant=a"

func TestTheConsolesCookieReachesNoInstanceAndOtherCookiesDo(t *testing.T) {
	var stable, canary atomic.Pointer[http.Header]
	keeps := func(in *atomic.Pointer[http.Header]) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			h := r.Header.Clone()
			in.Store(&h)
			if r.Header.Get("Upgrade") != "" {
				upgrades(w, r)
			}
		}
	}
	g := start(t, t.TempDir())
	g.apply(mirrored(app(t, "s", keeps(&stable)), app(t, "c", keeps(&canary)), 100, http.MethodGet))
	check := func(what string, in *atomic.Pointer[http.Header]) {
		t.Helper()
		eventually(t, what, func() bool { return in.Load() != nil })
		if got := in.Swap(nil).Get("Cookie"); got != "theme=dark; tenant=a" {
			t.Errorf("%s came with the cookies %q", what, got)
		}
	}
	req := g.request(http.MethodGet, "/", nil)
	req.Header.Set("Cookie", carried)
	req.Header.Set("Tenant", "a")
	if a := g.do(req); a.status != http.StatusOK {
		t.Fatalf("got %d", a.status)
	}
	check("the request", &stable)
	check("its copy", &canary)

	conn := g.dial("GET / HTTP/1.1\r\nHost: triage.localhost\r\nTenant: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nCookie: " + carried + "\r\n\r\n")
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %v, %v", resp, err)
	}
	check("the upgraded request", &stable)
}

func TestAnInstanceSetsNoCookieOfTheConsole(t *testing.T) {
	g := start(t, t.TempDir())
	g.apply(route(backend(1, app(t, "a", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Set-Cookie", consolecookie.Name+"=planted; Path=/")
		w.Header().Add("Set-Cookie", "="+consolecookie.Name+"=planted; Path=/")
		w.Header().Add("Set-Cookie", "theme=dark")
		w.WriteHeader(http.StatusEarlyHints)
		fmt.Fprint(w, "ok")
	}))))
	early := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		if early++; len(h["Set-Cookie"]) != 1 {
			t.Errorf("ahead of the answer, with status %d, the client got %q", code, h["Set-Cookie"])
		}
		return nil
	}})
	answer := g.do(g.request(http.MethodGet, "/", nil).WithContext(ctx))
	if got := answer.header["Set-Cookie"]; len(got) != 1 || got[0] != "theme=dark" || early != 1 {
		t.Errorf("the client got %q, and %d heads ahead", got, early)
	}
}
