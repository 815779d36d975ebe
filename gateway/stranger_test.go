package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
)

// Clients that mean no good, or are merely broken.

func impatient(c *gateway.Config) { c.Stall = 300 * time.Millisecond }

// endless answers with more than any buffer takes, until its client is gone.
func endless(w http.ResponseWriter, r *http.Request) {
	piece := bytes.Repeat([]byte("x"), 64<<10)
	for r.Context().Err() == nil {
		if _, err := w.Write(piece); err != nil {
			return
		}
	}
}

// dial opens a connection to the gateway that does not read, and sends text.
func (g *rig) dial(text string) net.Conn {
	g.t.Helper()
	conn, err := net.Dial("tcp", g.address)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		g.t.Fatal(err)
	}
	return conn
}

func (g *rig) idle(what string) {
	g.t.Helper()
	eventually(g.t, what, func() bool { return len(g.status().InFlight) == 0 })
}

func (g *rig) busy(what string) {
	g.t.Helper()
	eventually(g.t, what, func() bool { return len(g.status().InFlight) > 0 })
}

func TestAClientThatStopsReadingGivesItsPlaceUp(t *testing.T) {
	g := start(t, t.TempDir(), impatient)
	r := route(backend(1, app(t, "a", endless)))
	r.Split = split(0, 1, backend(2))
	g.apply(r)
	g.dial("GET / HTTP/1.1\r\nHost: triage.localhost\r\n\r\n")
	g.busy("the request is at its instance")
	g.idle("the place is free again")
	y := newTally(t)
	y.until(g, "its block", func() bool { return y.stable.ended == 1 })
	if y.stable.failed != [fairlead.Classes]uint32{} {
		t.Errorf("the release is blamed: %v", y.stable.failed)
	}
}

func TestAClientOverHTTP2ThatStopsReadingGivesItsPlaceUp(t *testing.T) {
	g := start(t, t.TempDir(), impatient)
	g.apply(route(backend(1, app(t, "a", endless))))
	transport := &http.Transport{Protocols: cleartext2()}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(g.request(http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 {
		t.Fatalf("it is %s", resp.Proto)
	}
	g.busy("the request is at its instance") // and nobody reads
	g.idle("the place is free again")
}

func TestAStreamMayPauseForLongerThanAClientMay(t *testing.T) {
	for name, transport := range map[string]*http.Transport{"HTTP/1.1": {}, "HTTP/2": {Protocols: cleartext2()}} {
		t.Run(name, func(t *testing.T) {
			g := start(t, t.TempDir(), impatient)
			next := make(chan string)
			g.apply(route(backend(1, app(t, "a", sends(next)))))
			defer transport.CloseIdleConnections()
			resp, err := transport.RoundTrip(g.request(http.MethodGet, "/", nil))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			lines := bufio.NewReader(resp.Body)
			for i := range 3 {
				time.Sleep(500 * time.Millisecond) // the pause itself is what is tested
				next <- fmt.Sprint(i)
				if line, err := lines.ReadString('\n'); err != nil || line != fmt.Sprintf("data: %d\n", i) {
					t.Fatalf("event %d: %q, %v", i, line, err)
				}
				lines.ReadString('\n')
			}
			close(next)
			if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
				t.Errorf("the end: %q, %v", rest, err)
			}
		})
	}
}

func cleartext2() *http.Protocols {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	return &p
}

func TestAKeptConnectionIsGoodAfterAPause(t *testing.T) {
	g := start(t, t.TempDir(), impatient)
	g.apply(route(backend(1, app(t, "a", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	}))))
	conn := g.dial("")
	reader := bufio.NewReader(conn)
	for i := range 3 {
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: triage.localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nword")
		resp, err := http.ReadResponse(reader, nil)
		for err == nil && resp.StatusCode == 100 {
			resp, err = http.ReadResponse(reader, nil)
		}
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "word" {
			t.Fatalf("request %d: %q, %v", i, body, err)
		}
		time.Sleep(500 * time.Millisecond) // beyond the limits of the request before
	}
}

func TestAnUploadThatStallsAfterTheAnswerBeganEnds(t *testing.T) {
	g := start(t, t.TempDir(), impatient)
	g.apply(route(backend(1, app(t, "a", func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		io.Copy(w, r.Body)
	}))))
	g.dial("POST / HTTP/1.1\r\nHost: triage.localhost\r\nContent-Length: 100\r\n\r\nonly this")
	g.busy("the request is at its instance")
	g.idle("the place is free again")
}

func TestAWebSocketWhoseClientStopsReadingEnds(t *testing.T) {
	g := start(t, t.TempDir(), impatient)
	g.apply(route(backend(1, app(t, "a", func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		for err == nil {
			_, err = conn.Write(make([]byte, 64<<10))
		}
	}))))
	g.dial("GET / HTTP/1.1\r\nHost: triage.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	g.busy("the connection is at its instance")
	g.idle("the place is free again")
}

func TestConnectionsAreLimitedAndOneAddressCannotHaveThemAll(t *testing.T) {
	g := start(t, t.TempDir(), func(c *gateway.Config) { c.Clients = 8 })
	g.apply(route(backend(1, app(t, "a", says("here")))))
	from := func(ip string) (net.Conn, string) {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
		conn, err := d.Dial("tcp", g.address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: triage.localhost\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return conn, err.Error() // refused before it was read
		}
		return conn, resp.Status
	}
	served := func(status string) bool { return strings.HasPrefix(status, "200") }
	var first net.Conn
	for i := range 4 {
		conn, status := from("127.0.0.1")
		if !served(status) {
			t.Fatalf("connection %d of the first address: %s", i, status)
		}
		first = conn
	}
	if _, status := from("127.0.0.1"); served(status) {
		t.Error("an address has more than half of the connections")
	}
	for i := range 4 {
		if _, status := from("127.0.0.2"); !served(status) {
			t.Fatalf("connection %d of the second address: %s", i, status)
		}
	}
	if _, status := from("127.0.0.3"); served(status) {
		t.Error("there is no limit of all connections")
	}
	text, err := g.client.Metrics(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if m := metrics(t, text); m["fairlead_gateway_connections"] != 8 || m["fairlead_gateway_connections_refused_total"] != 2 {
		t.Errorf("%s", text)
	}
	first.Close()
	eventually(t, "room for another one", func() bool { _, status := from("127.0.0.3"); return served(status) })
}

// FuzzClient sends what a stranger may send to a gateway with a route of each kind of
// assignment. Whatever it is, the gateway answers with HTTP or closes, and nothing
// stays in flight.
func FuzzClient(f *testing.F) {
	g := start(f, f.TempDir(), impatient)
	var routes []gateway.Route
	instance := app(f, "a", func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	for i, by := range []string{"", fairlead.BySession, fairlead.ByHeader, fairlead.ByAPIKey, fairlead.ByRun} {
		r := route(backend(1, instance))
		r.Site.App, r.PathPrefix = fmt.Sprint("app", i), fmt.Sprint("/", i)
		r.Assignment = fairlead.Assignment{By: by}
		if by == fairlead.ByHeader {
			r.Assignment.Name = "Tenant"
		}
		r.Split = split(5000, 1, backend(2, gateway.Instance{ID: "b", Address: instance.Address}))
		r.Timeout = fairlead.Duration(300 * time.Millisecond)
		routes = append(routes, r)
	}
	g.apply(routes...)
	for _, seed := range []string{
		"GET /0/x HTTP/1.1\r\nHost: triage.localhost:80\r\nCookie: fairlead_session=u; a=\"b\r\n\r\n",
		"POST /2 HTTP/1.1\r\nHost: TRIAGE.localhost.\r\nTenant: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"PUT /3?a;b HTTP/1.0\r\nHost: triage.localhost\r\nAuthorization: bearer  k \r\nContent-Length: 5\r\n\r\nab",
		"GET /4/../4/%2e%2e HTTP/1.1\r\nHost: triage.localhost\r\nFairlead-Run: r\r\nConnection: Upgrade, Fairlead-Run\r\nUpgrade: h2c\r\n\r\n",
		"GET //1 HTTP/1.1\r\nHost: [::1]:80\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		conn, err := net.Dial("tcp", g.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		go conn.Write(data)
		conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		head := make([]byte, 9)
		if n, err := io.ReadFull(conn, head); err == nil && head[0] != 0 && !strings.HasPrefix(string(head), "HTTP/1.") {
			t.Fatalf("%q was answered with %q (%d)", data, head, n)
		}
	})
	g.idle("nothing in flight")
}
