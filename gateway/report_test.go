package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
)

const (
	signalHeader = "Fairlead-Signal"
	traceHeader  = "Fairlead-Trace"
)

// reports answers and reports by header.
func reports(signals ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, line := range signals {
			w.Header().Add(signalHeader, line)
		}
		fmt.Fprint(w, "answer")
	}
}

// later answers as a kind of content, and reports by trailer when it has ended: one
// that was announced, and one that was not.
func later(kind string, end <-chan string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Trailer", "Fairlead-Signal, Grpc-Status")
		fmt.Fprint(w, "data: one\n\n")
		w.(http.Flusher).Flush()
		w.Header().Set("Grpc-Status", "0")
		w.Header().Set(http.TrailerPrefix+"Checksum", "abc")
		w.Header().Set(signalHeader, <-end)
		w.Header().Set(http.TrailerPrefix+traceHeader, "forged")
	}
}

// rolling runs a gateway with a rollout in which all units are on one instance.
func rolling(t testing.TB, canary gateway.Instance) (*rig, gateway.Route) {
	t.Helper()
	g := start(t, t.TempDir())
	r := route(backend(1, app(t, "stable", says("stable"))))
	r.Split = split(fairlead.Whole, 1, backend(2, canary))
	g.apply(r)
	return g, r
}

// withoutReports checks that a client got nothing of what an instance reports, and no
// trace but the gateway's.
func withoutReports(t testing.TB, where string, h http.Header) {
	t.Helper()
	for name, values := range h {
		for _, v := range append(values, name) {
			if name != traceHeader && strings.Contains(strings.ToLower(v), "fairlead-") {
				t.Errorf("the client got %s %s: %q", where, name, values)
			}
		}
		if name == traceHeader && (len(values) != 1 || values[0] == "forged") {
			t.Errorf("the client got %s %s: %q", where, name, values)
		}
	}
}

func unitOfReports(t *testing.T, y *tally, arm *sum) uint64 {
	t.Helper()
	if len(arm.units) != 1 {
		t.Fatalf("%d units, want 1", len(arm.units))
	}
	for unit := range arm.units {
		return unit
	}
	return 0
}

func TestWhatAnAnswerReportsIsCountedForItsUnitAndKeptFromTheClient(t *testing.T) {
	g, _ := rolling(t, app(t, "canary", reports("quality=0.75, task-success=1", "tokens=812")))
	a := g.get("/", "Tenant", "one")
	if a.body != "answer" {
		t.Fatalf("got %+v", a)
	}
	withoutReports(t, "header", a.header)
	y := newTally(t)
	y.until(g, "three signals", func() bool { return len(y.canary.reports) == 3 })
	unit := unitOfReports(t, y, &y.canary)
	for name, value := range map[string]float64{"quality": 0.75, "task-success": 1, "tokens": 812} {
		if got := y.canary.reports[name]; len(got) != 1 || got[0] != (fairlead.Report{Unit: unit, Value: value}) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if len(y.stable.reports) > 0 || y.canary.failed != [fairlead.Classes]uint32{} {
		t.Errorf("stable reports %v, canary failed %v", y.stable.reports, y.canary.failed)
	}
}

func TestRequestsOutsideOfARolloutReportToo(t *testing.T) {
	g := start(t, t.TempDir())
	g.apply(route(backend(1, app(t, "a", reports("tokens=5")))))
	for range 3 {
		a := g.get("/")
		withoutReports(t, "header", a.header)
		if a.header.Get(traceHeader) != "" {
			t.Error("it has a trace, and there is no rollout")
		}
	}
	y := newTally(t)
	y.until(g, "three reports", func() bool { return len(y.stable.reports["tokens"]) == 3 })
	for _, r := range y.stable.reports["tokens"] {
		if r != (fairlead.Report{Value: 5}) {
			t.Errorf("got %+v", r)
		}
	}
}

// client is a way of clients to speak to the gateway.
func clientOf(t *testing.T, http2 bool) *http.Client {
	var protocols http.Protocols
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	transport := &http.Transport{Protocols: &protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// A stream is not waited for longer than the deadline of a first byte, so that its cell
// is complete long before its trailer comes.
func TestAStreamReportsByItsTrailerLongAfterItsCellIsComplete(t *testing.T) {
	for _, kind := range []string{"text/event-stream", "application/grpc"} {
		for _, http2 := range []bool{false, true} {
			t.Run(fmt.Sprint(kind, " http2=", http2), func(t *testing.T) {
				end := make(chan string, 1)
				g, r := rolling(t, app(t, "canary", later(kind, end)))
				r.Timeout = fairlead.Duration(time.Second)
				g.apply(r)
				resp, err := clientOf(t, http2).Do(g.request(http.MethodGet, "/", nil))
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if (resp.ProtoMajor == 2) != http2 {
					t.Fatalf("spoke %s", resp.Proto)
				}
				withoutReports(t, "header", resp.Header)
				withoutReports(t, "announced trailer", resp.Trailer)
				y := newTally(t)
				y.until(g, "its cell is complete", func() bool { return y.canary.ended == 1 && allComplete(y) })
				end <- "quality=0.25, error=1"
				if _, err := io.Copy(io.Discard, resp.Body); err != nil {
					t.Fatal(err)
				}
				withoutReports(t, "trailer", resp.Trailer)
				if resp.Trailer.Get("Grpc-Status") != "0" || resp.Trailer.Get("Checksum") != "abc" {
					t.Errorf("the other trailers are %v", resp.Trailer)
				}
				y.until(g, "the late report", func() bool { return len(y.canary.reports["quality"]) == 1 })
				unit := unitOfReports(t, y, &y.canary)
				if r := y.canary.reports["quality"][0]; r != (fairlead.Report{Unit: unit, Value: 0.25}) {
					t.Errorf("got %+v", r)
				}
				if !y.canary.hits[fairlead.Failures][unit] || y.canary.failed[fairlead.Declared] != 1 || y.canary.requests != 1 {
					t.Errorf("counted %+v", y.canary)
				}
			})
		}
	}
}

func allComplete(y *tally) bool {
	for _, done := range y.complete {
		if !done {
			return false
		}
	}
	return len(y.complete) > 0
}

func TestAnErrorThatAnAnswerDeclaresIsAFailureAtOnce(t *testing.T) {
	end := make(chan string, 1)
	g, _ := rolling(t, app(t, "canary", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(signalHeader, "error=1")
		w.(http.Flusher).Flush()
		<-end
	}))
	resp, err := http.DefaultClient.Do(g.request(http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	y := newTally(t)
	y.until(g, "the failure, before the answer has ended", func() bool { return len(y.canary.hits[fairlead.Failures]) == 1 })
	if y.canary.failed[fairlead.Declared] != 1 || y.canary.ended != 0 || resp.StatusCode != http.StatusOK {
		t.Errorf("counted %+v of status %d", y.canary, resp.StatusCode)
	}
	end <- ""
	y.until(g, "its end", func() bool { return y.canary.ended == 1 })
	if len(y.canary.reports) > 0 {
		t.Errorf("error is reported, too: %v", y.canary.reports)
	}
}

func TestAFailureIsCountedOnceWhateverIsDeclared(t *testing.T) {
	g, _ := rolling(t, app(t, "canary", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(signalHeader, "error=1, error=0")
		w.WriteHeader(http.StatusInternalServerError)
	}))
	g.get("/")
	y := newTally(t)
	y.until(g, "its end", func() bool { return y.canary.ended == 1 })
	failed := uint32(0)
	for _, n := range y.canary.failed {
		failed += n
	}
	if failed != 1 || len(y.canary.hits[fairlead.Failures]) != 1 {
		t.Errorf("failed %v", y.canary.failed)
	}
}

func TestAnswersWithoutABodyReport(t *testing.T) {
	g, _ := rolling(t, app(t, "canary", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(signalHeader, "steps=3")
		if r.Method != http.MethodHead {
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	for _, method := range []string{http.MethodHead, http.MethodDelete} {
		withoutReports(t, "header", g.do(g.request(method, "/", nil)).header)
	}
	y := newTally(t)
	y.until(g, "two reports", func() bool { return len(y.canary.reports["steps"]) == 2 })
}

func TestHeadsBeforeTheFinalOneCarryNoReports(t *testing.T) {
	g, _ := rolling(t, app(t, "canary", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.Header().Set(signalHeader, "early=1")
		w.Header().Set(traceHeader, "forged")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del(traceHeader)
		w.Header().Set(signalHeader, "quality=1")
		fmt.Fprint(w, "answer")
	}))
	hints := 0
	r := g.request(http.MethodGet, "/", nil)
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			hints++
			withoutReports(t, "early", http.Header(header))
			if header.Get("Link") == "" {
				t.Error("the hint is lost")
			}
			return nil
		},
	}))
	withoutReports(t, "header", g.do(r).header)
	y := newTally(t)
	y.until(g, "the report", func() bool { return len(y.canary.reports) > 0 })
	if hints != 1 || len(y.canary.reports["early"]) > 0 || len(y.canary.reports["quality"]) != 1 {
		t.Errorf("%d hints; reports %v", hints, y.canary.reports)
	}
}

func TestAnUpgradedConnectionReportsByItsHead(t *testing.T) {
	g, _ := rolling(t, app(t, "canary", func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Fairlead-Signal: steps=1\r\nFairlead-Trace: forged\r\n\r\n")
		rw.Flush()
	}))
	_, _, resp := upgrade(t, g, "websocket")
	withoutReports(t, "header", resp.Header)
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get(traceHeader) == "" {
		t.Errorf("got %s, %v", resp.Status, resp.Header)
	}
	y := newTally(t)
	y.until(g, "the report", func() bool { return len(y.canary.reports["steps"]) == 1 })
}

func TestReportsOfOneAnswerAreNotThoseOfTheNextOnItsConnection(t *testing.T) {
	n := 0
	g, _ := rolling(t, app(t, "canary", func(w http.ResponseWriter, r *http.Request) {
		if n++; n%2 == 1 {
			w.Header().Set(signalHeader, "quality=1")
		}
		fmt.Fprint(w, "answer")
	}))
	conn := g.dial("")
	lines := bufio.NewReader(conn)
	traces := map[string]bool{}
	for range 10 {
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: triage.localhost\r\nTenant: one\r\n\r\n")
		resp, err := http.ReadResponse(lines, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		withoutReports(t, "header", resp.Header)
		traces[resp.Header.Get(traceHeader)] = true
	}
	if len(traces) != 10 {
		t.Errorf("%d traces of 10 requests", len(traces))
	}
	y := newTally(t)
	y.until(g, "all are counted", func() bool { return y.canary.ended == 10 })
	if got := len(y.canary.reports["quality"]); got != 5 {
		t.Errorf("%d reports, want 5", got)
	}
}

func TestAClientReportsNothing(t *testing.T) {
	heard := make(chan http.Header, 1)
	g, _ := rolling(t, app(t, "canary", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		h := r.Header.Clone()
		for name, values := range r.Trailer {
			h["Trailer-"+name] = append(values, name)
		}
		heard <- h
	}))
	conn := g.dial("POST / HTTP/1.1\r\nHost: triage.localhost\r\nfairlead-signal: quality=1\r\nFairlead-Trace: forged\r\n" +
		"Transfer-Encoding: chunked\r\nTrailer: Fairlead-Signal, Fairlead-Trace, Checksum\r\n\r\n" +
		"1\r\nx\r\n0\r\nFairlead-Signal: quality=0\r\nFairlead-Trace: forged\r\nChecksum: abc\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	withoutReports(t, "as an instance", <-heard)
	y := newTally(t)
	y.until(g, "it is counted", func() bool { return y.canary.ended == 1 })
	if len(y.canary.reports) > 0 {
		t.Errorf("reports %v", y.canary.reports)
	}
}

func TestAHostileInstanceReportsNothingThatIsNotASignalAndHarmsNobody(t *testing.T) {
	g, _ := rolling(t, app(t, "canary", func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		switch r.URL.Path {
		case "/many":
			for i := range 10_000 {
				h.Add(signalHeader, fmt.Sprintf("s%d=1", i))
			}
		case "/long":
			h.Set(signalHeader, strings.Repeat("a=1, ", 20_000))
		case "/wrong":
			h.Add(signalHeader, "Error=1, error=2, quality, =, a=NaN, b=1e13, c=0x1, ok=1, ok=0")
			h.Add(signalHeader, "ü=1;\tx=1")
		case "/names":
			h.Set(signalHeader, "n"+r.URL.Query().Get("n")+"=1")
		}
		fmt.Fprint(w, "answer")
	}))
	for _, path := range []string{"/many", "/long", "/wrong"} {
		a := g.get(path)
		withoutReports(t, "header", a.header)
		if a.status != http.StatusOK || a.body != "answer" {
			t.Errorf("%s: %d %q", path, a.status, a.body)
		}
	}
	y := newTally(t)
	y.until(g, "all are counted", func() bool { return y.canary.ended == 3 })
	if len(y.canary.reports) > 16 || len(y.canary.reports["ok"]) > 1 || y.canary.failed != [fairlead.Classes]uint32{} {
		t.Errorf("counted %+v", y.canary)
	}
	for i := range 300 {
		g.get(fmt.Sprint("/names?n=", i))
	}
	y.until(g, "all are counted", func() bool { return y.canary.ended == 303 })
	if most := 16 * len(y.complete); len(y.canary.reports) > most {
		t.Errorf("%d names in %d cells", len(y.canary.reports), len(y.complete))
	}
	text, err := g.client.Metrics(context.Background())
	if err != nil || !strings.Contains(string(text), "fairlead_gateway_signals_ignored_total 1") {
		t.Errorf("metrics %v: %s", err, text)
	}
}

func TestAReportThatComesInAnElderReachesTheGatewayInCharge(t *testing.T) {
	first, second := shared(t)
	old := startOn(t, t.TempDir(), first)
	end := make(chan string, 1)
	r := route(backend(1, app(t, "stable", says("stable"))))
	r.Split = split(fairlead.Whole, 1, backend(2, app(t, "canary", later("text/event-stream", end))))
	old.apply(r)
	resp, err := http.DefaultClient.Do(old.request(http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	successor := old.takeOver(second)
	stopped := make(chan struct{})
	go func() { old.stop(); close(stopped) }()
	end <- "quality=0.5"
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	<-stopped
	y := newTally(t)
	y.until(successor, "the report", func() bool { return len(y.canary.reports["quality"]) == 1 })
}

// deaf returns an instance that takes a request and closes the connection.
func deaf(t *testing.T, id string) gateway.Instance {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			http.ReadRequest(bufio.NewReader(conn))
			conn.Close()
		}
	}()
	return instanceOf(id, l.Addr().String())
}
