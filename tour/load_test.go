package tour

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// application answers like the example behind the gateway.
func application(release string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Request-Id", r.Header.Get("X-Request-Id"))
		w.Header().Set("X-Triage-Release", release)
		if strings.Contains(string(body), `"stream":true`) {
			for range 200 {
				fmt.Fprintf(w, "data: {\"choices\":[{\"delta\":{\"content\":\"word \"}}]}\n\n")
			}
			fmt.Fprint(w, "data: [DONE]\n\n")
			return
		}
		fmt.Fprintln(w, `{"object":"chat.completion"}`)
	}
}

func serve(t *testing.T, h http.HandlerFunc) string {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func TestEveryRequestIsWellFormedAndChecksItsAnswer(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != host || r.Header.Get("X-Request-Id") == "" {
			t.Errorf("a request to %q with id %q", r.Host, r.Header.Get("X-Request-Id"))
		}
		if c, err := r.Cookie("fairlead_session"); err != nil || c.Value != "tour17" {
			t.Errorf("its session is %v, %v", c, err)
		}
		if r.Method == http.MethodPost {
			var chat struct {
				Model    string
				Messages []struct{ Role, Content string }
			}
			if err := json.NewDecoder(r.Body).Decode(&chat); err != nil || chat.Model != "triage" || chat.Messages[0].Content == "" {
				t.Errorf("its body is %+v, %v", chat, err)
			}
		}
		w.Header().Set("X-Request-Id", r.Header.Get("X-Request-Id"))
		w.Header().Set("X-Triage-Release", "3")
		fmt.Fprint(w, "data: [DONE]\n\n")
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	c := &connection{address: server.Listener.Addr().String(), host: host}
	defer c.close()
	for seq, k := range []kind{chat, stream, list, chat, stream, list} {
		j := job{seq: uint64(seq), session: 17, kind: k, ticket: uint8(seq)}
		a, err := c.do(j)
		if why := lossOf(j, a, err); why != "" || a.release != 3 {
			t.Errorf("kind %d: %s, release %d", k, why, a.release)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections for requests one after the other, want one that is kept", n)
	}
}

func TestWhatIsLostAndWhatIsNot(t *testing.T) {
	app := application("triage@7")
	hijack := func(w http.ResponseWriter, text string) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, text)
		conn.Close()
	}
	cases := map[string]struct {
		handler http.HandlerFunc
		kind    kind
		why     string // "" if it is not lost
	}{
		"an answer":                   {app, chat, ""},
		"a whole stream":              {app, stream, ""},
		"a 500 of the application":    {func(w http.ResponseWriter, r *http.Request) { header(w, r); w.WriteHeader(500) }, chat, ""},
		"a 503 of the gateway":        {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }, chat, "the gateway answered 503 itself"},
		"a 404 of the gateway":        {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404) }, list, "the gateway answered 404 itself"},
		"a connection closed at once": {func(w http.ResponseWriter, r *http.Request) { hijack(w, "") }, chat, "read answer: unexpected EOF"},
		"an answer that ends early": {func(w http.ResponseWriter, r *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
		}, chat, "ended early"},
		"a chunked stream that is cut": {func(w http.ResponseWriter, r *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
		}, stream, "ended early"},
		"a stream that ends without [DONE]": {func(w http.ResponseWriter, r *http.Request) { header(w, r); fmt.Fprint(w, "data: {}\n\n") }, stream, "its stream ended early"},
		"the answer to another request":     {func(w http.ResponseWriter, r *http.Request) { header(w, r); w.Header().Set("X-Request-Id", "tour-9") }, chat, `the answer is to "tour-9"`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			conn := &connection{address: serve(t, c.handler), host: host}
			defer conn.close()
			j := job{seq: 5, kind: c.kind}
			a, err := conn.do(j)
			why := lossOf(j, a, err)
			if (why == "") != (c.why == "") || !strings.Contains(why, c.why) {
				t.Errorf("lost: %q, want %q", why, c.why)
			}
		})
	}
}

func header(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Request-Id", r.Header.Get("X-Request-Id"))
	w.Header().Set("X-Triage-Release", "7")
}

func TestTheScheduleDoesNotWaitForAnswers(t *testing.T) {
	release := make(chan struct{})
	var seen sync.Map
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, again := seen.LoadOrStore(r.Header.Get("X-Request-Id"), true); again {
			t.Errorf("%s came twice", r.Header.Get("X-Request-Id"))
		}
		<-release
		application("2")(w, r)
	})
	l := startLoad(address, host)
	deadline := time.Now().Add(20 * time.Second)
	for l.counts.sent.Load() < 2*workers { // more than all connections can carry at once
		if time.Now().After(deadline) {
			t.Fatalf("%d requests are scheduled while none is answered", l.counts.sent.Load())
		}
		time.Sleep(10 * time.Millisecond)
	}
	close(release)
	l.stop(20 * time.Second)
	requests, lost, reasons := l.totals()
	answered, failed := l.release(2)
	if lost != 0 || requests < 2*workers || answered != requests || failed != 0 {
		t.Errorf("%d requests, %d lost %q, %d answered, %d failed", requests, lost, reasons, answered, failed)
	}
}

func TestWhatIsNeverAnsweredIsLost(t *testing.T) {
	block := make(chan struct{})
	address := serve(t, func(http.ResponseWriter, *http.Request) { <-block })
	defer close(block)
	l := startLoad(address, host)
	for l.counts.sent.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	l.stop(10 * time.Millisecond)
	requests, lost, _ := l.totals()
	if lost == 0 || lost != requests {
		t.Errorf("%d of %d are lost", lost, requests)
	}
}

func TestTheReleaseThatAnsweredIsReadFromTheHeader(t *testing.T) {
	for text, want := range map[string]int{"7": 7, "triage@12": 12, "": 0, "v7": 0, "-1": 0, "triage@": 0} {
		if got := releaseNumber(text); got != want {
			t.Errorf("%q gives %d, want %d", text, got, want)
		}
	}
}
