package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
	"github.com/fairlead/fairlead/internal/dialpass"
	"github.com/fairlead/fairlead/internal/unixsock"
)

// resetting returns an instance that takes connections, reads a request, and
// resets them; tries counts the requests.
func resetting(t *testing.T, id string, tries *atomic.Int32) gateway.Instance {
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
			go func() {
				if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					io.Copy(io.Discard, r.Body)
					tries.Add(1)
				}
				conn.(*net.TCPConn).SetLinger(0)
				conn.Close()
			}()
		}
	}()
	return instanceOf(id, l.Addr().String())
}

func TestARequestThatAnInstanceTookIsNeverSentAgain(t *testing.T) {
	g := start(t, t.TempDir())
	var tries atomic.Int32
	r := route(backend(1, resetting(t, "bad1", &tries), resetting(t, "bad2", &tries)))
	r.Split = split(fairlead.Whole, 1, backend(2, resetting(t, "bad3", &tries)))
	g.apply(r)
	for i := range 20 {
		if got := g.do(g.request(http.MethodPost, "/", strings.NewReader("order"))); got.status != http.StatusBadGateway {
			t.Fatalf("got %+v", got)
		}
		if n := tries.Load(); n != int32(i+1) {
			t.Fatalf("%d requests came for %d sent", n, i+1)
		}
	}
	y := newTally(t)
	y.until(g, "all counted", func() bool { return y.canary.ended == 20 })
	if y.canary.failed[fairlead.Reset] != 20 || len(y.canary.hits[fairlead.Failures]) != 20 {
		t.Errorf("counted %+v", y.canary)
	}
}

func TestARequestThatNoInstanceTookGoesToAnotherOfItsRelease(t *testing.T) {
	g := start(t, t.TempDir())
	var got atomic.Int32
	echo := func(w http.ResponseWriter, r *http.Request) { got.Add(1); io.Copy(w, r.Body) }
	r := route(backend(1, app(t, "other", says("wrong arm"))))
	r.Split = split(fairlead.Whole, 1, backend(2, refusing(t, "down1"), app(t, "up", echo), refusing(t, "down2")))
	g.apply(r)
	for i := range 30 {
		body := fmt.Sprintf("order %d", i)
		if a := g.do(g.request(http.MethodPost, "/", strings.NewReader(body))); a.status != 200 || a.body != body {
			t.Fatalf("got %+v", a)
		}
	}
	if got.Load() != 30 {
		t.Errorf("%d requests came", got.Load())
	}
	y := newTally(t)
	y.until(g, "all counted", func() bool { return y.canary.ended == 30 })
	if y.canary.failed != [fairlead.Classes]uint32{} {
		t.Errorf("failures %v", y.canary.failed)
	}
	if len(g.events("ejected")) == 0 {
		t.Error("nothing was ejected")
	}
}

func TestWhenNoneOfTheReleaseIsReachedTheOtherArmServesAndTheReleaseIsBlamed(t *testing.T) {
	g := start(t, t.TempDir())
	for _, canary := range []gateway.Backend{backend(2), backend(2, refusing(t, "down1"), refusing(t, "down2"))} {
		r := route(backend(1, app(t, "up", says("stable"))))
		r.Split = split(fairlead.Whole, 1, canary)
		g.apply(r)
		if a := g.get("/", "Tenant", "a"); a.status != 200 || a.body != "stable" {
			t.Fatalf("got %+v", a)
		}
	}
	y := newTally(t)
	y.until(g, "both counted", func() bool { return y.canary.ended == 2 })
	if y.canary.failed[fairlead.Reset] != 2 || y.stable.requests != 0 || len(y.canary.hits[fairlead.Failures]) != 1 {
		t.Errorf("canary %+v, stable %+v", y.canary, y.stable)
	}
}

func TestACanaryWithoutWeightServesNobodyEvenInNeed(t *testing.T) {
	g := start(t, t.TempDir())
	r := route(backend(1, refusing(t, "down")))
	r.Split = split(0, 1, backend(2, app(t, "canary", says("unproven"))))
	g.apply(r)
	if a := g.get("/"); a.status != 503 {
		t.Errorf("got %+v", a)
	}
}

func TestALateAnswerIs504AndKnownBeforeTheInstanceEnds(t *testing.T) {
	g := start(t, t.TempDir())
	hold := make(chan struct{})
	defer close(hold)
	r := route(backend(1, app(t, "stable", says("ok"))))
	r.Timeout = fairlead.Duration(100 * time.Millisecond)
	r.Split = split(fairlead.Whole, 1, backend(2, app(t, "hangs", func(http.ResponseWriter, *http.Request) { <-hold })))
	g.apply(r)
	if a := g.get("/"); a.status != http.StatusGatewayTimeout {
		t.Errorf("got %+v", a)
	}
	y := newTally(t)
	y.until(g, "the timeout is known", func() bool { return y.canary.failed[fairlead.Timeout] == 1 && y.canary.ended == 1 })
}

func TestAnAnswerThatBreaksOffIsAReset(t *testing.T) {
	g := start(t, t.TempDir())
	g.apply(route(backend(1, app(t, "breaks", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "half")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}))))
	resp, err := http.DefaultClient.Do(g.request(http.MethodGet, "/", nil))
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("the client saw a whole answer")
	}
	y := newTally(t)
	y.until(g, "the reset is counted", func() bool { return y.stable.failed[fairlead.Reset] == 1 && y.stable.ended == 1 })
}

func TestAClientThatGoesAwayIsNoFailure(t *testing.T) {
	g := start(t, t.TempDir())
	arrived := make(chan struct{})
	g.apply(route(backend(1, app(t, "waits", func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	}))))
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-arrived; cancel() }()
	if _, err := http.DefaultClient.Do(g.request(http.MethodGet, "/", nil).WithContext(ctx)); err == nil {
		t.Fatal("an answer came")
	}
	y := newTally(t)
	y.until(g, "it ended", func() bool { return y.stable.ended == 1 })
	if y.stable.failed != [fairlead.Classes]uint32{} {
		t.Errorf("failures %v", y.stable.failed)
	}
}

func TestAServerErrorIsPassedOnAndCounted(t *testing.T) {
	g := start(t, t.TempDir())
	g.apply(route(backend(1, app(t, "fails", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "sorry", 500) }))))
	if a := g.get("/"); a.status != 500 || a.body != "sorry\n" {
		t.Errorf("got %+v", a)
	}
	y := newTally(t)
	y.until(g, "it is counted", func() bool { return y.stable.failed[fairlead.ServerError] == 1 })
}

func TestAStatusThatIsNoneIsAFailure(t *testing.T) {
	g := start(t, t.TempDir())
	g.apply(route(backend(1, app(t, "garbage", func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 099 Fine\r\nContent-Length: 0\r\n\r\n")
	}))))
	if a := g.get("/"); a.status != http.StatusBadGateway {
		t.Errorf("got %+v", a)
	}
	y := newTally(t)
	y.until(g, "it is counted", func() bool { return y.stable.failed[fairlead.Reset] == 1 && y.stable.ended == 1 })
}

func TestASlowUploadIsTheClientsFault(t *testing.T) {
	g := start(t, t.TempDir())
	r := route(backend(1, app(t, "reads", func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })))
	r.Timeout = fairlead.Duration(100 * time.Millisecond)
	g.apply(r)
	body, client := io.Pipe()
	defer client.Close()
	go client.Write([]byte("a little"))
	if a := g.do(g.request(http.MethodPost, "/", body)); a.status != http.StatusRequestTimeout {
		t.Errorf("got %+v", a)
	}
	y := newTally(t)
	y.until(g, "it ended", func() bool { return y.stable.ended == 1 })
	if y.stable.failed != [fairlead.Classes]uint32{} {
		t.Errorf("failures %v", y.stable.failed)
	}
}

func TestAnInstanceBehindASupervisorIsReached(t *testing.T) {
	g := start(t, t.TempDir())
	inner := app(t, "inner", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	path := filepath.Join(t.TempDir(), "dial.sock")
	l, err := unixsock.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- dialpass.Serve(ctx, l, func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", strings.TrimPrefix(inner.Address, "tcp:"))
		})
	}()
	defer func() { cancel(); <-done }()
	g.apply(route(backend(1, gateway.Instance{ID: "passed", Address: "pass:" + path})))
	for range 10 {
		if a := g.do(g.request(http.MethodPost, "/", strings.NewReader("through"))); a.body != "through" {
			t.Fatalf("got %+v", a)
		}
	}
}
