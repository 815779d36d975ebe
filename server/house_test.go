package server

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/ourhost"
)

// house is a control plane without a gateway that serves the API and the console.
type house struct {
	*control
	t    *testing.T
	base string // http://127.0.0.1:port
	stop func()
}

// newHouse starts one on a state directory, at an address, whose port 0 is a free one.
func newHouse(t *testing.T, state, address string) *house {
	t.Helper()
	return newHouseOf(t, state, address, func(*Config) {})
}

// newHouseOf is newHouse with a configuration that is changed.
func newHouseOf(t *testing.T, state, address string, change func(*Config)) *house {
	t.Helper()
	ctx := context.Background()
	s := &control{Config: Config{State: state, Program: "/bin/true", Version: "test", AllowUnsandboxed: true, Log: slog.New(slog.DiscardHandler)}, paths: paths{state}, end: make(chan bool, 1)}
	change(&s.Config)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	s.store, err = s.openStore(ctx)
	must(err)
	s.clock, err = openClock(ctx, s.store)
	must(err)
	listener, err := net.Listen("tcp", address)
	must(err)
	s.api = listener.Addr().String()
	must(s.assemble(ctx))
	calls, endCalls := context.WithCancel(ctx)
	streams, endStreams := context.WithCancel(calls)
	web := &http.Server{Handler: endingFirst(streams, s.calls.counted(s.face())), ConnContext: withConn, BaseContext: func(net.Listener) context.Context { return calls }}
	served := make(chan struct{})
	go func() { defer close(served); _ = web.Serve(listener) }()
	h := &house{control: s, t: t, base: "http://" + s.api}
	stopped := false
	h.stop = func() {
		if stopped {
			return
		}
		stopped = true
		if err := shut(web, endStreams, endCalls); err != nil {
			t.Error(err)
		}
		<-served
		if !s.calls.await() {
			t.Error("calls go on after the end")
		}
		s.runtime.Close()
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(h.stop)
	return h
}

// link asks for a link as an administrator. Its address is the house's by number: nothing
// here resolves names.
func (h *house) link(role fairlead.Role) string {
	h.t.Helper()
	link, err := client.Remote(h.base, h.who.token).ConsoleLink(context.Background(), client.NewLink{Role: role})
	if err != nil {
		h.t.Fatal(err)
	}
	return strings.Replace(link.URL, ourhost.Console, "127.0.0.1", 1)
}

// browser is somebody with cookies who follows no redirect by itself.
type browser struct {
	*house
	http.Client
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return &browser{h, http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// enter logs a browser in.
func (h *house) enter(role fairlead.Role) *browser {
	h.t.Helper()
	b := h.browser()
	if p := b.get(h.link(role)); p.status != http.StatusOK || p.header.Get("Set-Cookie") == "" {
		h.t.Fatalf("logging in: %d %s", p.status, p.text)
	}
	return b
}

// seen is an answer that was read.
type seen struct {
	status int
	header http.Header
	text   string
}

// send sends a request with headers, as name and value.
func (b *browser) send(method, at string, form url.Values, headers ...string) seen {
	b.t.Helper()
	if strings.HasPrefix(at, "/") {
		at = b.base + at
	}
	r, err := http.NewRequest(method, at, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	resp, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return seen{resp.StatusCode, resp.Header, string(text)}
}

func (b *browser) get(at string, headers ...string) seen {
	b.t.Helper()
	return b.send(http.MethodGet, at, nil, headers...)
}

func (b *browser) post(at string, form url.Values, headers ...string) seen {
	b.t.Helper()
	return b.send(http.MethodPost, at, form, headers...)
}

// proof is what the forms of the browser's session carry.
func (b *browser) proof() url.Values {
	b.t.Helper()
	found := regexp.MustCompile(`name="csrf" value="([0-9a-f]{64})"`).FindStringSubmatch(b.get("/").text)
	if found == nil {
		b.t.Fatal("the page has no form")
	}
	return url.Values{"csrf": {found[1]}}
}

// token is the one of the browser's session.
func (b *browser) token() string {
	b.t.Helper()
	at, err := url.Parse(b.base)
	if err != nil || len(b.Jar.Cookies(at)) != 1 {
		b.t.Fatalf("%v, %v", b.Jar.Cookies(at), err)
	}
	return b.Jar.Cookies(at)[0].Value
}

// in reports whether the browser is logged in.
func (b *browser) in() bool { b.t.Helper(); return b.get("/").status == http.StatusOK }

// follow opens the stream of a page, and returns what is closed when it has ended.
func (b *browser) follow(page string) <-chan struct{} {
	b.t.Helper()
	resp, err := b.Get(b.base + "/live" + page)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.t.Fatalf("%v, %v", resp, err)
	}
	if _, err := resp.Body.Read(make([]byte, 1)); err != nil {
		b.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
	}()
	b.t.Cleanup(func() { b.stop(); <-ended })
	return ended
}
