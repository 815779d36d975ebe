package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
)

// takeOver starts a gateway in g's place, on the same socket, and waits until it
// serves. g runs on until it is stopped.
func (g *rig) takeOver(listener net.Listener) *rig {
	g.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done, ready := make(chan error, 1), make(chan struct{})
	go func() {
		done <- gateway.Run(ctx, gateway.Config{
			Dir: g.dir, Listeners: []net.Listener{listener}, Grace: 5 * time.Second, Hold: 200 * time.Millisecond,
			TakeOver: true, Ready: func() { close(ready) }, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
	}()
	next := &rig{t: g.t, dir: g.dir, address: g.address, seq: g.seq, client: gateway.NewClient(filepath.Join(g.dir, gateway.ControlSocket))}
	next.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			g.t.Errorf("Run: %v", err)
		}
		next.client.Close()
	})
	g.t.Cleanup(next.stop)
	select {
	case <-ready:
	case err := <-done:
		g.t.Fatalf("it did not take over: %v", err)
	}
	return next
}

// shared listens, and returns a second listener on the same socket, as a shim has.
func shared(t *testing.T) (first, second net.Listener) {
	t.Helper()
	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := first.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if second, err = net.FileListener(file); err != nil {
		t.Fatal(err)
	}
	return first, second
}

func TestASuccessorServesWhileTheGatewayBeforeEndsItsStreams(t *testing.T) {
	first, second := shared(t)
	old := startOn(t, t.TempDir(), first)
	next := make(chan string)
	leaving := backend(1, app(t, "old", sends(next)))
	old.apply(route(leaving))
	resp, err := http.DefaultClient.Do(old.request(http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()

	successor := old.takeOver(second)
	stopped := make(chan struct{})
	go func() { old.stop(); close(stopped) }() // what a shim does once the successor serves
	successor.apply(route(backend(2, app(t, "new", says("new")))))
	for range 20 {
		if a := successor.get("/"); a.body != "new" {
			t.Fatalf("a new request went to %q", a.body)
		}
		if n := successor.status().InFlight["old"]; n != 1 {
			t.Fatalf("%d requests in flight on the old instance, want the stream", n)
		}
	}
	next <- "still here"
	if line, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil || line != "data: still here\n" {
		t.Fatalf("%q, %v", line, err)
	}
	close(next)
	<-stopped
	if n := successor.status().InFlight["old"]; n != 0 {
		t.Errorf("%d in flight on the old instance after its gateway ended", n)
	}
	y := newTally(t)
	y.until(successor, "the blocks of both, the one before with its last", func() bool { return y.stable.ended == 21 && len(y.last) == 2 })
	if events := successor.events("leaseExpired"); len(events) > 0 {
		t.Errorf("it did alone: %+v", events)
	}
}

func TestASuccessorKeepsLeasesAndRuns(t *testing.T) {
	first, second := shared(t)
	old := startOn(t, t.TempDir(), first)
	r := route(backend(1, app(t, "stable", says("stable"))))
	r.Assignment = fairlead.Assignment{By: fairlead.ByRun}
	r.Split = split(5000, 1, backend(2, app(t, "canary", says("canary"))))
	r.Split.Lease = gateway.Lease{TTL: fairlead.Duration(time.Minute)}
	old.apply(r)
	born := map[string]string{}
	for i := range 20 {
		run := fmt.Sprint("run-", i)
		born[run] = old.get("/", "Fairlead-Run", run).body
	}
	r.Split.Epoch, r.Split.Weight = 2, 100 // so that hashes alone would send most of them elsewhere
	old.apply(r)
	successor := old.takeOver(second)
	old.stop()
	if s := successor.status(); len(s.Expired) > 0 || s.Applied.Seq != 2 {
		t.Errorf("expired %v, applied %s", s.Expired, s.Applied)
	}
	for run, release := range born {
		if now := successor.get("/", "Fairlead-Run", run).body; now != release {
			t.Errorf("%s was born on %s and is now on %s", run, release, now)
		}
	}
	if err := old.client.Renew(t.Context(), fairlead.Order{Term: 1, Seq: 1}); fairlead.CodeOf(err) != fairlead.Conflict {
		t.Errorf("an old order: %v", err)
	}
}

func TestASuccessorThatCannotServeLeavesTheGatewayBeforeAsItIs(t *testing.T) {
	first, second := shared(t)
	g := startOn(t, t.TempDir(), first)
	g.apply(route(backend(1, app(t, "a", says("here")))))
	if err := os.WriteFile(filepath.Join(g.dir, "snapshot.json"), []byte(`{"format": 7}`), 0o600); err != nil {
		t.Fatal(err)
	}
	err := gateway.Run(t.Context(), gateway.Config{
		Dir: g.dir, Listeners: []net.Listener{second}, TakeOver: true, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err == nil {
		t.Fatal("it took over with a snapshot that it cannot read")
	}
	if a := g.get("/"); a.body != "here" || g.status().Applied.Seq != 1 {
		t.Errorf("got %+v", a)
	}
	g.apply(route(backend(1, app(t, "b", says("there")))))
}
