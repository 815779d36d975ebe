package gateway_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
)

// rig is a running gateway with what a test needs to drive it.
type rig struct {
	t       testing.TB
	dir     string
	address string
	client  *gateway.Client
	seq     uint64
	stop    func()
}

var site = fairlead.Site{App: "triage", Env: "production"}

// start runs a gateway in dir until the test ends or stop is called.
func start(t testing.TB, dir string, configure ...func(*gateway.Config)) *rig {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return startOn(t, dir, listener, configure...)
}

func startOn(t testing.TB, dir string, listener net.Listener, configure ...func(*gateway.Config)) *rig {
	t.Helper()
	config := gateway.Config{
		Dir: dir, Listeners: []net.Listener{listener}, Grace: 5 * time.Second, Hold: 200 * time.Millisecond,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	for _, set := range configure {
		set(&config)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- gateway.Run(ctx, config)
	}()
	g := &rig{t: t, dir: dir, address: listener.Addr().String(), client: gateway.NewClient(filepath.Join(dir, gateway.ControlSocket))}
	g.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		g.client.Close()
	})
	t.Cleanup(g.stop)
	eventually(t, "the gateway answers", func() bool {
		_, err := g.client.Status(context.Background())
		return err == nil
	})
	return g
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// apply puts routes in force with the next order.
func (g *rig) apply(routes ...gateway.Route) {
	g.t.Helper()
	g.seq++
	err := g.client.Apply(context.Background(), gateway.Snapshot{Format: 1, Order: fairlead.Order{Term: 1, Seq: g.seq}, Routes: routes})
	if err != nil {
		g.t.Fatalf("apply: %v", err)
	}
}

func (g *rig) status() gateway.Status {
	g.t.Helper()
	s, err := g.client.Status(context.Background())
	if err != nil {
		g.t.Fatal(err)
	}
	return s
}

func (g *rig) events(kind string) []gateway.Event {
	g.t.Helper()
	all, err := g.client.Events(context.Background(), 0)
	if err != nil {
		g.t.Fatal(err)
	}
	var out []gateway.Event
	for _, e := range all {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// request makes a request to the app through the gateway.
func (g *rig) request(method, path string, body io.Reader) *http.Request {
	g.t.Helper()
	r, err := http.NewRequest(method, "http://"+g.address+path, body)
	if err != nil {
		g.t.Fatal(err)
	}
	r.Host = "triage.localhost"
	return r
}

type answer struct {
	status int
	body   string
	header http.Header
}

func (g *rig) do(r *http.Request) answer {
	g.t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return answer{resp.StatusCode, string(body), resp.Header}
}

func (g *rig) get(path string, headers ...string) answer {
	g.t.Helper()
	r := g.request(http.MethodGet, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return g.do(r)
}

// app starts an instance that answers with h and ends with the test.
func app(t testing.TB, id string, h http.HandlerFunc) gateway.Instance {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return instanceOf(id, s.Listener.Addr().String())
}

func instanceOf(id, address string) gateway.Instance {
	return gateway.Instance{ID: id, Address: "tcp:" + address}
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, text) }
}

// refusing returns an instance that refuses connections.
func refusing(t testing.TB, id string) gateway.Instance {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	return instanceOf(id, l.Addr().String())
}

func backend(release int, instances ...gateway.Instance) gateway.Backend {
	return gateway.Backend{Release: release, Digest: fairlead.DigestOf([]byte{byte(release)}), Instances: instances}
}

// route is the app's route by the header Tenant, all on stable.
func route(stable gateway.Backend) gateway.Route {
	return gateway.Route{
		Site: site, Host: "triage.localhost", PathPrefix: "/",
		Assignment: fairlead.Assignment{By: fairlead.ByHeader, Name: "Tenant"},
		Timeout:    fairlead.Duration(10 * time.Second), RunLimit: fairlead.Duration(time.Minute), Stable: stable,
	}
}

func split(weight fairlead.Weight, epoch uint32, canary gateway.Backend) *gateway.Split {
	return &gateway.Split{
		Rollout: "r1", Salt: []byte(strings.Repeat("salt", 8)), Epoch: epoch, Weight: weight, Canary: canary,
	}
}

// sum adds up what blocks say of an arm.
type sum struct {
	requests, ended uint32
	failed          [fairlead.Classes]uint32
	latency, first  uint32
	units           map[uint64]bool
	hits            [fairlead.Signals]map[uint64]bool
	reports         map[string]fairlead.Reports
}

func (s *sum) add(a fairlead.Arm) {
	s.requests += a.Requests
	s.ended += a.Ended
	for i, n := range a.Failed {
		s.failed[i] += n
	}
	for i := range a.Latency {
		s.latency += a.Latency[i]
		s.first += a.First[i]
	}
	if s.units == nil {
		s.units = map[uint64]bool{}
	}
	for _, u := range a.Units {
		s.units[u] = true
	}
	for i, hits := range a.Hits {
		if s.hits[i] == nil {
			s.hits[i] = map[uint64]bool{}
		}
		for _, u := range hits {
			s.hits[i][u] = true
		}
	}
	for name, reports := range a.Reports {
		if s.reports == nil {
			s.reports = map[string]fairlead.Reports{}
		}
		s.reports[name] = append(s.reports[name], reports...)
	}
}

// tally reads blocks, acknowledges them, and checks what every reader may rely on.
type tally struct {
	t              testing.TB
	stable, canary sum
	epochs         map[uint32]uint32 // requests
	complete       map[[2]int64]bool
	seen           map[string]bool
	final          bool
	last           map[string]uint64 // sequence by boot
}

func newTally(t testing.TB) *tally {
	return &tally{t: t, epochs: map[uint32]uint32{}, complete: map[[2]int64]bool{}, seen: map[string]bool{}, last: map[string]uint64{}}
}

func (y *tally) read(g *rig) {
	y.t.Helper()
	blocks, err := g.client.Blocks(context.Background(), 10*time.Millisecond)
	if err != nil {
		y.t.Fatal(err)
	}
	var acks []gateway.Ack
	for _, b := range blocks {
		y.block(b)
		acks = append(acks, gateway.Ack{Term: 1, Gateway: b.Gateway, Site: b.Site, Seq: b.Seq})
	}
	if err := g.client.Ack(context.Background(), acks); err != nil {
		y.t.Fatal(err)
	}
}

func (y *tally) block(b fairlead.Block) {
	y.t.Helper()
	if b.Seq != y.last[b.Gateway]+1 {
		y.t.Errorf("block %d of %s came after %d", b.Seq, b.Gateway, y.last[b.Gateway])
	}
	y.last[b.Gateway] = b.Seq
	y.final = y.final || b.Final
	for _, c := range b.Cells {
		key := [2]int64{c.Second, int64(c.Epoch)}
		if y.complete[key] && (!c.Complete || c.Stable.Requests+c.Canary.Requests > 0) {
			y.t.Errorf("cell %v has new requests after it was complete", key)
		}
		y.complete[key] = c.Complete
		y.epochs[c.Epoch] += c.Stable.Requests + c.Canary.Requests
		y.once(b, c, "stable", c.Stable)
		y.once(b, c, "canary", c.Canary)
		y.stable.add(c.Stable)
		y.canary.add(c.Canary)
	}
}

// once checks that a unit comes once a cell, and once a cell and signal.
func (y *tally) once(b fairlead.Block, c fairlead.Cell, arm string, a fairlead.Arm) {
	y.t.Helper()
	note := func(what string, units fairlead.Units) {
		for _, u := range units {
			key := fmt.Sprint(b.Gateway, b.Rollout, c.Second, c.Epoch, arm, what, u)
			if y.seen[key] {
				y.t.Errorf("unit %x came twice as %s of cell %d.%d", u, what, c.Second, c.Epoch)
			}
			y.seen[key] = true
		}
	}
	note("unit", a.Units)
	for i, hits := range a.Hits {
		note(fairlead.Signal(i).String(), hits)
	}
}

// until reads blocks until ok.
func (y *tally) until(g *rig, what string, ok func() bool) {
	y.t.Helper()
	eventually(y.t, what, func() bool { y.read(g); return ok() })
}
