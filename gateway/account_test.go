package gateway_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
)

// answers fails a share of requests and says who it is.
func answers(who string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if strings.HasPrefix(r.URL.Path, "/fail") {
			w.WriteHeader(500)
		}
		fmt.Fprint(w, who)
	}
}

func TestBlocksAccountExactlyForWhatClientsSaw(t *testing.T) {
	g := start(t, t.TempDir())
	r := route(backend(1, app(t, "s", answers("stable"))))
	r.Split = split(4000, 1, backend(2, app(t, "c", answers("canary"))))
	g.apply(r)
	var saw [2]struct {
		requests, failed atomic.Uint32
		units, failing   sync.Map
	}
	var clients sync.WaitGroup
	for c := range 8 {
		clients.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for i := range 150 {
				path, tenant := "/ok", fmt.Sprint("t", rand.IntN(40))
				if (i+c)%7 == 0 {
					path = "/fail"
				}
				req := g.request(http.MethodPost, path, strings.NewReader("x"))
				req.Header.Set("Tenant", tenant)
				resp, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil {
					t.Error(err)
				}
				arm := &saw[map[string]int{"stable": 0, "canary": 1}[string(body)]]
				arm.requests.Add(1)
				arm.units.Store(tenant, true)
				if resp.StatusCode == 500 {
					arm.failed.Add(1)
					arm.failing.Store(tenant, true)
				}
			}
		})
	}
	y := newTally(t)
	stopReading, reading := make(chan struct{}), sync.WaitGroup{}
	reading.Go(func() {
		for {
			select {
			case <-stopReading:
				return
			case <-time.After(50 * time.Millisecond):
				y.read(g)
			}
		}
	})
	clients.Wait()
	close(stopReading)
	reading.Wait()
	y.until(g, "all are counted", func() bool { return y.stable.ended+y.canary.ended == 8*150 })
	for i, got := range []sum{y.stable, y.canary} {
		want := &saw[i]
		if got.requests != want.requests.Load() || got.failed[fairlead.ServerError] != want.failed.Load() ||
			got.latency != got.requests || got.first != got.requests {
			t.Errorf("arm %d: %d requests, %d failed, %d and %d latencies; clients saw %d and %d", i,
				got.requests, got.failed[0], got.latency, got.first, want.requests.Load(), want.failed.Load())
		}
		if len(got.units) != size(&want.units) || len(got.hits[fairlead.Failures]) != size(&want.failing) {
			t.Errorf("arm %d: %d units, %d failing; clients saw %d and %d", i,
				len(got.units), len(got.hits[0]), size(&want.units), size(&want.failing))
		}
	}
	if y.canary.requests == 0 || y.stable.requests == 0 {
		t.Error("an arm got nothing")
	}
}

func size(m *sync.Map) (n int) {
	m.Range(func(_, _ any) bool { n++; return true })
	return n
}

func TestAfterTheLeaseTrafficIsNotComparable(t *testing.T) {
	g := start(t, t.TempDir())
	r := route(backend(1, app(t, "s", answers("stable"))))
	r.Split = split(fairlead.Whole, 7, backend(2, app(t, "c", answers("canary"))))
	r.Split.Lease = gateway.Lease{TTL: fairlead.Duration(500 * time.Millisecond)}
	g.apply(r)
	if a := g.get("/"); a.body != "canary" {
		t.Fatalf("went to %q", a.body)
	}
	eventually(t, "the lease runs out", func() bool { return len(g.status().Expired) == 1 })
	if a := g.get("/"); a.body != "stable" {
		t.Fatalf("after the lease it went to %q", a.body)
	}
	if len(g.events("leaseExpired")) != 1 {
		t.Error("the journal does not say so")
	}
	y := newTally(t)
	y.until(g, "both are counted", func() bool { return y.stable.ended+y.canary.ended == 2 })
	if y.epochs[7] != 1 || y.epochs[0] != 1 {
		t.Errorf("requests by epoch: %v", y.epochs)
	}
}

func TestOfAStaleOrderTheClientLearnsWhy(t *testing.T) {
	g := start(t, t.TempDir())
	g.apply()
	err := g.client.Apply(context.Background(), gateway.Snapshot{Format: 1, Order: fairlead.Order{Term: 1, Seq: 1}})
	if fairlead.CodeOf(err) != fairlead.Conflict || fairlead.HintOf(err) == "" || !strings.Contains(err.Error(), "1.1") {
		t.Errorf("got %v", err)
	}
	err = g.client.Apply(context.Background(), gateway.Snapshot{Format: 99, Order: fairlead.Order{Term: 2, Seq: 1}})
	if fairlead.CodeOf(err) != fairlead.Invalid {
		t.Errorf("got %v", err)
	}
}

func TestBlocksAndRoutesSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	g := start(t, dir)
	g.apply(route(backend(1, app(t, "a", says("kept")))))
	g.get("/")
	boot := g.status().Boot
	g.stop()
	again := start(t, dir)
	if a := again.get("/"); a.body != "kept" {
		t.Errorf("without a control plane the answer is %+v", a)
	}
	if again.status().Boot == boot {
		t.Error("the boot id did not change")
	}
	y := newTally(t)
	y.until(again, "the blocks of both boots come", func() bool { return y.stable.ended == 2 })
	if !y.final || y.last[boot] == 0 {
		t.Errorf("final block seen: %t, blocks by boot %v", y.final, y.last)
	}
	info, err := os.Stat(filepath.Join(dir, gateway.ControlSocket))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("control socket: %v, %v", info, err)
	}
}

// load drives steady requests until stop and reports each that was lost.
func load(t *testing.T, g *rig, clients int) (count *atomic.Int64, stop func()) {
	t.Helper()
	var all sync.WaitGroup
	count = new(atomic.Int64)
	done := make(chan struct{})
	for range clients {
		all.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for {
				select {
				case <-done:
					return
				default:
				}
				resp, err := client.Do(g.request(http.MethodPost, "/", strings.NewReader("payload")))
				if err != nil {
					t.Errorf("lost: %v", err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != 200 {
					t.Errorf("lost: %s %q %v", resp.Status, body, err)
					return
				}
				count.Add(1)
			}
		})
	}
	return count, func() { close(done); all.Wait() }
}

func TestNoRequestIsLostWhileInstancesComeAndGo(t *testing.T) {
	g := start(t, t.TempDir())
	instance := func(n int) (gateway.Instance, func()) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
			fmt.Fprint(w, n)
		})}
		go s.Serve(l)
		return instanceOf(fmt.Sprint("i", n), l.Addr().String()), func() { s.Close() } // at once: nothing may be in flight
	}
	old, kill := instance(0)
	g.apply(route(backend(1, old)))
	count, stop := load(t, g, 8)
	for n := range 200 {
		next, killNext := instance(n + 1)
		g.apply(route(backend(1, next)))
		eventually(t, "nothing is in flight on the old instance", func() bool { return g.status().InFlight[old.ID] == 0 })
		kill()
		old, kill = next, killNext
	}
	stop()
	if n := count.Load(); n < 400 {
		t.Errorf("only %d requests", n)
	}
	kill()
	if s := g.status(); len(s.InFlight) > 0 || len(g.events("ejected")) > 0 {
		t.Errorf("status %+v", s)
	}
}

func TestNoRequestIsLostWhileTheGatewayIsReplaced(t *testing.T) {
	held, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	duplicate := func() net.Listener {
		file, err := held.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		l, err := net.FileListener(file)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	dir := t.TempDir()
	g := startOn(t, dir, duplicate())
	g.apply(route(backend(1, app(t, "a", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }))))
	count, stop := load(t, g, 8)
	for range 10 {
		enough := count.Load() + 50
		eventually(t, "requests flow", func() bool { return count.Load() > enough || t.Failed() })
		g.stop()
		g = startOn(t, dir, duplicate())
	}
	stop()
}
