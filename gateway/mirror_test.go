package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
	"github.com/fairlead/fairlead/gateway/trace"
)

// mirrored is a route whose new release gets copies only, of a share of the requests.
func mirrored(stable, canary gateway.Instance, share fairlead.Percent, methods ...string) gateway.Route {
	r := route(backend(1, stable))
	r.Split = split(0, 1, backend(2, canary))
	r.Split.Mirror = &fairlead.Mirror{Share: share, Methods: methods}
	r.Split.Lease = gateway.Lease{TTL: fairlead.Duration(time.Minute)}
	return r
}

// pairsOf reads blocks until there are as many pairs of failures, and returns all
// pairs by signal.
func pairsOf(g *rig, most int) map[string][]fairlead.Pair {
	g.t.Helper()
	pairs := map[string][]fairlead.Pair{}
	eventually(g.t, fmt.Sprintf("%d pairs are in blocks", most), func() bool {
		blocks, err := g.client.Blocks(context.Background(), 10*time.Millisecond)
		if err != nil {
			g.t.Fatal(err)
		}
		for _, b := range blocks {
			for _, c := range b.Cells {
				for name, more := range c.Mirrored {
					pairs[name] = append(pairs[name], more...)
				}
				if c.Canary.Requests > 0 || len(c.Canary.Hits[fairlead.Failures]) > 0 {
					g.t.Errorf("a copy counts as a request of the canary: %+v", c.Canary)
				}
			}
			if err := g.client.Ack(context.Background(), []gateway.Ack{{Term: 1, Gateway: b.Gateway, Site: b.Site, Seq: b.Seq}}); err != nil {
				g.t.Fatal(err)
			}
		}
		return len(pairs["failures"]) >= most
	})
	return pairs
}

// metric returns the value of a metric's line.
func (g *rig) metric(line string) string {
	g.t.Helper()
	text, err := g.client.Metrics(context.Background())
	if err != nil {
		g.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\nfairlead_gateway_"+line+" ")
	value, _, _ := strings.Cut(rest, "\n")
	return value
}

func TestACopyOfARequestReachesTheNewReleaseAndItsAnswerGoesNowhere(t *testing.T) {
	type copied struct {
		method, path, body string
		header             http.Header
	}
	var got atomic.Pointer[copied]
	stable := app(t, "s", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Fairlead-Mirrored") != "" {
			t.Error("the old release was told that its request is a copy")
		}
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "stable got %d", len(body))
	})
	canary := app(t, "c", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		http.SetCookie(w, &http.Cookie{Name: "from", Value: "canary"})
		got.Store(&copied{r.Method, r.URL.RequestURI(), string(body), r.Header.Clone()})
		w.WriteHeader(418)
	})
	g := start(t, t.TempDir())
	g.apply(mirrored(stable, canary, 100, http.MethodPost))
	sent := strings.Repeat("0123456789", 90_000)
	req := g.request(http.MethodPost, "/ask?x=1;y", struct{ io.Reader }{strings.NewReader(sent)}) // of unknown length
	req.Header.Set("Tenant", "a")
	req.Header.Set("X-Extra", "yes")
	req.Header.Set("Fairlead-Mirrored", "forged")
	a := g.do(req)
	if a.status != 200 || a.body != fmt.Sprintf("stable got %d", len(sent)) || a.header.Get("Set-Cookie") != "" {
		t.Errorf("the client got %d %q %v", a.status, a.body, a.header)
	}
	pairs := pairsOf(g, 1)
	c := got.Load()
	if c == nil || c.method != http.MethodPost || c.path != "/ask?x=1;y" || c.body != sent {
		t.Fatalf("the copy is %+v", c)
	}
	if c.header.Get("Fairlead-Mirrored") != "true" || c.header.Get("X-Extra") != "yes" || c.header.Get("X-Request-Id") == "" || c.header.Get("X-Forwarded-For") == "" {
		t.Errorf("the copy's head is %v", c.header)
	}
	if p := pairs["failures"][0]; p.Stable != 0 || p.Canary != 0 || p.Unit == 0 {
		t.Errorf("the pair is %+v", p)
	}
}

func TestWhateverTheCopyMeetsTheClientsAnswerIsWholeAndSoon(t *testing.T) {
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	for name, c := range map[string]struct {
		does http.HandlerFunc
		fail float64
	}{
		"hangs":           {func(w http.ResponseWriter, r *http.Request) { waits(r, release) }, 1},
		"answers 500":     {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) }, 1},
		"dies":            {func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, 1},
		"dies halfway":    {func(w http.ResponseWriter, r *http.Request) { half(w); panic(http.ErrAbortHandler) }, 1},
		"streams forever": {func(w http.ResponseWriter, r *http.Request) { half(w); waits(r, release) }, 0},
		"answers 1 GB":    {func(w http.ResponseWriter, r *http.Request) { gigabyte(w, r) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := start(t, t.TempDir())
			r := mirrored(app(t, "s", says("stable")), app(t, "c", c.does), 100, http.MethodGet)
			r.Timeout = fairlead.Duration(2 * time.Second)
			g.apply(r)
			for range 5 {
				began := time.Now()
				if a := g.get("/"); a.status != 200 || a.body != "stable" {
					t.Fatalf("the client got %d %q", a.status, a.body)
				}
				if took := time.Since(began); took >= r.Timeout.D() {
					t.Errorf("the client waited %s", took)
				}
			}
			for _, p := range pairsOf(g, 5)["failures"] {
				if p.Stable != 0 || p.Canary != c.fail {
					t.Errorf("the pair is %+v", p)
				}
			}
			eventually(t, "nothing is in flight", func() bool { return len(g.status().InFlight) == 0 })
		})
	}
}

func waits(r *http.Request, release chan struct{}) {
	select {
	case <-release:
	case <-r.Context().Done():
	}
}

func half(w http.ResponseWriter) {
	fmt.Fprint(w, "half")
	w.(http.Flusher).Flush()
}

func gigabyte(w http.ResponseWriter, r *http.Request) {
	piece := bytes.Repeat([]byte("x"), 1<<20)
	for range 1 << 10 {
		if _, err := w.Write(piece); err != nil {
			return
		}
	}
}

func TestOnlyTheGivenMethodsAndAboutTheShareAreCopied(t *testing.T) {
	var copies atomic.Int64
	g := start(t, t.TempDir())
	g.apply(mirrored(app(t, "s", says("s")), app(t, "c", func(http.ResponseWriter, *http.Request) { copies.Add(1) }), 25, http.MethodGet))
	const requests = 800
	for range requests {
		g.get("/")
		g.do(g.request(http.MethodDelete, "/", nil))
	}
	eventually(t, "nothing is in flight", func() bool { return len(g.status().InFlight) == 0 })
	// 200 are expected of 800; a deviation of 6 standard ones is 74.
	if n := copies.Load(); n < 126 || n > 274 {
		t.Errorf("%d of %d requests were copied", n, requests)
	}
}

func TestEachUnitIsCopiedAlikeAndNoneAlways(t *testing.T) {
	copies := map[string]int{}
	var mu sync.Mutex
	g := start(t, t.TempDir())
	g.apply(mirrored(app(t, "s", says("s")), app(t, "c", func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		copies[r.Header.Get("Tenant")]++
	}), 50, http.MethodGet))
	for i := range 400 {
		g.get("/", "Tenant", fmt.Sprint("t", i%10))
	}
	eventually(t, "nothing is in flight", func() bool { return len(g.status().InFlight) == 0 })
	mu.Lock()
	defer mu.Unlock()
	for i := range 10 {
		if n := copies[fmt.Sprint("t", i)]; n == 0 || n == 40 {
			t.Errorf("of 40 requests of one unit %d were copied", n)
		}
	}
}

func TestWhatIsTooLargeIsNotCopied(t *testing.T) {
	g := start(t, t.TempDir())
	g.apply(mirrored(app(t, "s", answers("s")), app(t, "c", func(http.ResponseWriter, *http.Request) { t.Error("it was copied") }), 100, http.MethodPost))
	large := strings.Repeat("x", 1<<20+1)
	g.do(g.request(http.MethodPost, "/", strings.NewReader(large)))                      // says so
	g.do(g.request(http.MethodPost, "/", struct{ io.Reader }{strings.NewReader(large)})) // does not
	if n := g.metric(`mirror_skipped_total{reason="large"}`); n != "2" {
		t.Errorf("%s are counted", n)
	}
	y := newTally(t)
	y.until(g, "both are counted in complete cells", func() bool {
		for _, complete := range y.complete {
			if !complete {
				return false
			}
		}
		return y.stable.ended == 2
	})
}

func TestNoMoreThan64CopiesOfASiteAreOnTheirWay(t *testing.T) {
	waves := [...]chan struct{}{make(chan struct{}), make(chan struct{})}
	var here atomic.Int64
	g := start(t, t.TempDir())
	g.apply(mirrored(app(t, "s", says("s")), app(t, "c", func(_ http.ResponseWriter, r *http.Request) {
		waits(r, waves[min(here.Add(1)-1, 127)/64])
	}), 100, http.MethodGet))
	for range 80 {
		g.get("/")
	}
	eventually(t, "64 are there", func() bool { return here.Load() == 64 })
	if n := g.metric(`mirror_skipped_total{reason="busy"}`); n != "16" {
		t.Errorf("%s were not copied", n)
	}
	if n := g.status().InFlight["c"]; n != 64 {
		t.Errorf("%d are in flight: a drain must wait for all 64", n)
	}
	close(waves[0])
	eventually(t, "nothing is in flight", func() bool { return len(g.status().InFlight) == 0 })
	pairsOf(g, 64)
	defer close(waves[1])
	for range 64 { // what was not copied took no room
		g.get("/")
	}
	eventually(t, "64 more are there", func() bool { return here.Load() == 128 })
	if n := g.metric(`mirror_skipped_total{reason="busy"}`); n != "16" {
		t.Errorf("with room for all, %s in all were not copied", n)
	}
}

// The new release answers a client itself: there is nothing of the old one to compare.
func TestRequestsOfTheNewReleaseAreNotCopiedAndATraceTellsWhichWere(t *testing.T) {
	g := start(t, t.TempDir())
	var copies atomic.Int64
	r := mirrored(app(t, "s", says("s")), app(t, "c", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Fairlead-Mirrored") != "" {
			copies.Add(1)
		}
	}), 100, http.MethodGet)
	r.Split.Weight = 5000
	g.apply(r)
	old := int64(0)
	for i := range 20 {
		a := g.get("/", "Tenant", fmt.Sprint("tenant-", i))
		got, err := trace.Open(r.Split.Salt, a.header.Get(trace.Header))
		if err != nil || got.Canary == (a.body == "s") || got.Mirrored == got.Canary {
			t.Errorf("the answer %q has the trace %+v, %v", a.body, got, err)
		}
		if !got.Canary {
			old++
		}
	}
	if old == 0 || old == 20 {
		t.Fatalf("%d of 20 requests are the old release's", old)
	}
	eventually(t, "the old release's requests are copied", func() bool { return g.metric("mirrored_total") == fmt.Sprint(old) })
	if n := copies.Load(); n != old {
		t.Errorf("%d copies of %d requests of the old release", n, old)
	}
}

func TestCopiesEndWithTheLease(t *testing.T) {
	var copies atomic.Int64
	g := start(t, t.TempDir())
	stable := app(t, "s", says("stable"))
	r := mirrored(stable, app(t, "c", func(http.ResponseWriter, *http.Request) { copies.Add(1) }), 100, http.MethodGet)
	r.Split.Lease.TTL = fairlead.Duration(300 * time.Millisecond)
	g.apply(r)
	eventually(t, "the lease runs out", func() bool { return len(g.status().Expired) == 1 })
	before := copies.Load()
	for range 5 {
		if a := g.get("/"); a.body != "stable" {
			t.Errorf("a client got %q", a.body)
		}
	}
	if copies.Load() != before || g.metric("mirrored_total") != "0" {
		t.Error("requests were copied while nobody attended the gateway")
	}
	r.Stable = backend(1, refusing(t, "gone"))
	g.apply(r)
	eventually(t, "the lease runs out again", func() bool { return len(g.status().Expired) == 1 })
	if a := g.get("/"); a.status != 503 {
		t.Errorf("a release that had copies only answered a client: %d %q", a.status, a.body)
	}
}

func TestAClientThatGoesAwayGivesNoPair(t *testing.T) {
	release, came := make(chan struct{}), make(chan struct{}, 1)
	g := start(t, t.TempDir())
	r := mirrored(app(t, "s", func(_ http.ResponseWriter, r *http.Request) { waits(r, release) }),
		app(t, "c", func(w http.ResponseWriter, _ *http.Request) { came <- struct{}{}; w.WriteHeader(500) }), 100, http.MethodGet)
	g.apply(r)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-came
		cancel()
	}()
	if _, err := http.DefaultClient.Do(g.request(http.MethodGet, "/", nil).WithContext(ctx)); err == nil {
		t.Fatal("it was answered")
	}
	eventually(t, "nothing is in flight", func() bool { return len(g.status().InFlight) == 0 })
	close(release)
	g.get("/")
	<-came
	if p := pairsOf(g, 1)["failures"]; len(p) != 1 {
		t.Errorf("the pairs are %+v", p)
	}
}

func TestAStopEndsCopiesAndNoBlockWaitsForThem(t *testing.T) {
	came := make(chan struct{}, 1)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	g := start(t, t.TempDir())
	g.apply(mirrored(app(t, "s", says("s")), app(t, "c", func(_ http.ResponseWriter, r *http.Request) {
		came <- struct{}{}
		waits(r, release)
	}), 100, http.MethodGet))
	g.get("/")
	<-came
	g.stop()
	again := start(t, g.dir)
	y := newTally(t)
	y.until(again, "the final block is there", func() bool { return y.final })
	for key, complete := range y.complete {
		if !complete {
			t.Errorf("cell %v was left open", key)
		}
	}
}

func TestWhatBothAnswersReportIsPaired(t *testing.T) {
	reports := func(header, trailer string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Fairlead-Signal", header)
			w.Header().Set("Trailer", "Fairlead-Signal")
			fmt.Fprint(w, "body")
			w.Header().Set(http.TrailerPrefix+"Fairlead-Signal", trailer)
		}
	}
	var tokens [2]atomic.Value
	noting := func(i int, h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			tokens[i].Store(r.Header.Get("Fairlead-Trace"))
			h(w, r)
		}
	}
	g := start(t, t.TempDir())
	g.apply(mirrored(app(t, "s", noting(0, reports("quality=0.9, tokens=100, only-here=1", "task-success=1"))),
		app(t, "c", noting(1, reports("quality=0.25, tokens=300, error=1", "task-success=0"))), 100, http.MethodGet))
	answer := g.get("/", "Tenant", "a")
	pairs := pairsOf(g, 1)
	want := map[string][2]float64{"failures": {0, 1}, "quality": {0.9, 0.25}, "tokens": {100, 300}, "task-success": {1, 0}}
	if len(pairs) != len(want) {
		t.Errorf("the pairs are %v", pairs)
	}
	for name, w := range want {
		if p := pairs[name]; len(p) != 1 || p[0].Stable != w[0] || p[0].Canary != w[1] || p[0].Unit != pairs["failures"][0].Unit {
			t.Errorf("the pairs of %s are %+v", name, p)
		}
	}
	salt := []byte(strings.Repeat("salt", 8))
	of := func(token any) trace.Trace {
		got, err := trace.Open(salt, fmt.Sprint(token))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	old, copied, client := of(tokens[0].Load()), of(tokens[1].Load()), of(answer.header.Get("Fairlead-Trace"))
	if old.Canary || !copied.Canary || !copied.Mirrored || copied.Nonce != old.Nonce || copied.Unit != old.Unit || copied.Second != old.Second {
		t.Errorf("the receipts are %+v and %+v", old, copied)
	}
	if client != old {
		t.Errorf("the client's receipt is %+v, its answer's %+v", client, old)
	}
}

func TestABodyThatTheClientDoesNotFinishIsNotCopied(t *testing.T) {
	got := make(chan struct{}, 1)
	g := start(t, t.TempDir())
	g.apply(mirrored(app(t, "s", func(w http.ResponseWriter, r *http.Request) {
		io.ReadFull(r.Body, make([]byte, 5))
		got <- struct{}{}
		io.Copy(io.Discard, r.Body)
	}), app(t, "c", func(http.ResponseWriter, *http.Request) { t.Error("it was copied") }), 100, http.MethodPost))
	body, upload := io.Pipe()
	go func() {
		fmt.Fprint(upload, "first")
		<-got
		upload.CloseWithError(io.ErrUnexpectedEOF)
	}()
	if _, err := http.DefaultClient.Do(g.request(http.MethodPost, "/", body)); err == nil {
		t.Fatal("it was answered")
	}
	eventually(t, "it is counted", func() bool { return g.metric(`mirror_skipped_total{reason="unread"}`) == "1" })
	y := newTally(t)
	y.until(g, "its cell is complete", func() bool {
		for _, complete := range y.complete {
			if complete {
				return true
			}
		}
		return false
	})
}

func TestCopiesEndWithASnapshotThatHasNone(t *testing.T) {
	got := make(chan struct{}, 1)
	g := start(t, t.TempDir())
	stable := app(t, "s", func(w http.ResponseWriter, r *http.Request) {
		piece := make([]byte, 5)
		io.ReadFull(r.Body, piece)
		got <- struct{}{}
		io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, "stable")
	})
	r := mirrored(stable, app(t, "c", func(http.ResponseWriter, *http.Request) { t.Error("it was copied") }), 100, http.MethodPost)
	g.apply(r)
	body, upload := io.Pipe()
	go func() {
		fmt.Fprint(upload, "first")
		<-got
		r.Split.Mirror = nil
		g.apply(r)
		fmt.Fprint(upload, "last")
		upload.Close()
	}()
	if a := g.do(g.request(http.MethodPost, "/", body)); a.body != "stable" {
		t.Errorf("the client got %+v", a)
	}
	eventually(t, "it is counted", func() bool { return g.metric(`mirror_skipped_total{reason="not_ready"}`) == "1" })
}

func TestANewReleaseThatCannotBeReachedFailsItsCopiesOnly(t *testing.T) {
	g := start(t, t.TempDir())
	r := mirrored(app(t, "s", says("stable")), refusing(t, "gone"), 100, http.MethodGet)
	g.apply(r)
	for range 5 {
		if a := g.get("/"); a.body != "stable" {
			t.Errorf("a client got %+v", a)
		}
	}
	for _, p := range pairsOf(g, 5)["failures"] {
		if p.Stable != 0 || p.Canary != 1 {
			t.Errorf("the pair is %+v", p)
		}
	}
	if s := g.status(); len(s.Ejected) > 0 {
		t.Errorf("copies took %v out of the balance of clients", s.Ejected)
	}
	r.Split.Canary.Instances = []gateway.Instance{}
	g.apply(r)
	g.get("/")
	eventually(t, "it is counted", func() bool { return g.metric(`mirror_skipped_total{reason="not_ready"}`) == "1" })
}
