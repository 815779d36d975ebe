package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
)

// sends sends what comes from next as server-sent events.
func sends(next <-chan string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		for {
			select {
			case text, ok := <-next:
				if !ok {
					return
				}
				fmt.Fprintf(w, "data: %s\n\n", text)
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}
}

func TestAStreamComesBitByBitAndSurvivesSnapshots(t *testing.T) {
	g := start(t, t.TempDir())
	next := make(chan string)
	old := backend(1, app(t, "old", sends(next)))
	g.apply(route(old))
	resp, err := http.DefaultClient.Do(g.request(http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for i := range 5 {
		want := fmt.Sprint("token ", i)
		next <- want
		if line, err := lines.ReadString('\n'); err != nil || line != "data: "+want+"\n" {
			t.Fatalf("event %d: %q, %v", i, line, err)
		}
		lines.ReadString('\n')
		r := route(backend(2, app(t, fmt.Sprint("new", i), says("new"))))
		g.apply(r)
		if a := g.get("/"); a.body != "new" {
			t.Fatalf("a new request went to %q", a.body)
		}
		if n := g.status().InFlight["old"]; n != 1 {
			t.Fatalf("%d requests in flight on the old instance, want the stream", n)
		}
	}
	y := newTally(t)
	y.until(g, "the stream is counted while it goes on", func() bool { return y.stable.ended == 6 && y.stable.first == 6 })
	close(next)
	if _, err := io.ReadAll(lines); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing is in flight on the old instance", func() bool { return g.status().InFlight["old"] == 0 })
}

func TestAStreamThatBreaksLaterIsReported(t *testing.T) {
	g := start(t, t.TempDir())
	next := make(chan string)
	defer close(next)
	r := route(backend(1, app(t, "stable", says("ok"))))
	r.Timeout = fairlead.Duration(time.Second)
	r.Split = split(fairlead.Whole, 1, backend(2, app(t, "breaks", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: one\n\n")
		w.(http.Flusher).Flush()
		select {
		case <-next:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	})))
	g.apply(r)
	resp, err := http.DefaultClient.Do(g.request(http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	y := newTally(t)
	y.until(g, "its cell is complete", func() bool {
		for _, done := range y.complete {
			return done
		}
		return false
	})
	next <- "break"
	y.until(g, "the reset is reported", func() bool { return len(y.canary.hits[fairlead.Failures]) == 1 })
	if y.canary.requests != 1 || y.canary.ended != 1 || y.canary.failed[fairlead.Reset] != 1 {
		t.Errorf("counted %+v", y.canary)
	}
}

// upgrades answers an upgrade and echoes lines.
func upgrades(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "websocket" {
		http.Error(w, "upgrade first", http.StatusUpgradeRequired)
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	rw.Flush()
	for {
		line, err := rw.ReadString('\n')
		if err != nil {
			return
		}
		rw.WriteString(line)
		rw.Flush()
	}
}

// upgrade opens an upgraded connection through the gateway.
func upgrade(t *testing.T, g *rig, kind string) (net.Conn, *bufio.Reader, *http.Response) {
	t.Helper()
	conn, err := net.Dial("tcp", g.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: triage.localhost\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", kind)
	lines := bufio.NewReader(conn)
	resp, err := http.ReadResponse(lines, nil)
	if err != nil {
		t.Fatal(err)
	}
	return conn, lines, resp
}

func TestAWebSocketPassesSurvivesSnapshotsAndIsCountedInFlight(t *testing.T) {
	g := start(t, t.TempDir())
	g.apply(route(backend(1, app(t, "old", upgrades))))
	conn, lines, resp := upgrade(t, g, "websocket")
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %s", resp.Status)
	}
	for i := range 5 {
		want := fmt.Sprintf("frame %d\n", i)
		io.WriteString(conn, want)
		if got, err := lines.ReadString('\n'); got != want {
			t.Fatalf("got %q, %v", got, err)
		}
		g.apply(route(backend(2, app(t, fmt.Sprint("new", i), says("new")))))
		if n := g.status().InFlight["old"]; n != 1 {
			t.Fatalf("%d in flight", n)
		}
	}
	conn.Close()
	eventually(t, "nothing is in flight", func() bool { return len(g.status().InFlight) == 0 })
	y := newTally(t)
	y.until(g, "it is counted", func() bool { return y.stable.ended == 1 })
	if y.stable.failed != [fairlead.Classes]uint32{} {
		t.Errorf("failures %v", y.stable.failed)
	}
}

func TestNoOtherProtocolIsUpgradedTo(t *testing.T) {
	g := start(t, t.TempDir())
	g.apply(route(backend(1, app(t, "a", upgrades))))
	if _, _, resp := upgrade(t, g, "h2c"); resp.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("got %s", resp.Status)
	}
}

func TestAtAStopAStreamEndsBeforeTheGatewayDoes(t *testing.T) {
	g := start(t, t.TempDir())
	next := make(chan string)
	g.apply(route(backend(1, app(t, "a", sends(next)))))
	resp, err := http.DefaultClient.Do(g.request(http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	stopped := make(chan struct{})
	go func() { defer close(stopped); g.stop() }()
	eventually(t, "it takes no new connections", func() bool {
		conn, err := net.Dial("tcp", g.address)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	next <- "last words"
	close(next)
	if body, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(body), "last words") {
		t.Errorf("got %q, %v", body, err)
	}
	<-stopped
}
