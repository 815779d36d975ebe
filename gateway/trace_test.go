package gateway_test

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway/trace"
)

// echoes answers with a request header, and tries to give the client a trace of its own.
func echoes(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(traceHeader, "forged")
		fmt.Fprint(w, r.Header.Get(name))
	}
}

func TestInstanceAndClientOfARolloutGetATraceThatTellsCellArmAndUnit(t *testing.T) {
	g := start(t, t.TempDir())
	r := route(backend(1, app(t, "stable", echoes(traceHeader))))
	r.Split = split(5000, 7, backend(2, app(t, "canary", echoes(traceHeader))))
	g.apply(r)
	var traces []trace.Trace
	for i := range 20 {
		a := g.get("/", "Tenant", fmt.Sprint("tenant-", i), traceHeader, "forged")
		token := a.header.Get(traceHeader)
		if token != a.body || len(a.header[traceHeader]) != 1 {
			t.Fatalf("the client has %q, the instance %q", a.header[traceHeader], a.body)
		}
		got, err := trace.Open(r.Split.Salt, token)
		if err != nil {
			t.Fatal(err)
		}
		if got.Epoch != 7 || got.Mirrored || got.Second < time.Now().Add(-time.Minute).Unix() {
			t.Errorf("it tells %+v", got)
		}
		traces = append(traces, got)
	}
	y := newTally(t)
	y.until(g, "all are in blocks", func() bool { return len(y.stable.units)+len(y.canary.units) == 20 })
	for _, got := range traces {
		if _, there := y.complete[[2]int64{got.Second, 7}]; !there {
			t.Errorf("no cell is that of %+v", got)
		}
		if y.canary.units[got.Unit] != got.Canary || y.stable.units[got.Unit] == got.Canary {
			t.Errorf("the unit is not in the arm of %+v", got)
		}
	}
	if len(y.canary.units) == 0 || len(y.stable.units) == 0 {
		t.Error("all are on one arm")
	}
}

func TestAnAnswerOfTheGatewayItselfHasATraceToo(t *testing.T) {
	g, r := rolling(t, deaf(t, "canary"))
	a := g.get("/")
	if a.status != http.StatusBadGateway {
		t.Fatalf("got %+v", a)
	}
	if got, err := trace.Open(r.Split.Salt, a.header.Get(traceHeader)); err != nil || !got.Canary {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestARunOfAnEarlierEpochHasNoTrace(t *testing.T) {
	g := start(t, t.TempDir())
	r := route(backend(1, app(t, "stable", echoes(traceHeader))))
	r.Split = split(5000, 1, backend(2, app(t, "canary", echoes(traceHeader))))
	r.Assignment = fairlead.Assignment{By: fairlead.ByRun}
	g.apply(r)
	if a := g.get("/", "Fairlead-Run", "one"); a.header.Get(traceHeader) == "" || a.body != a.header.Get(traceHeader) {
		t.Errorf("in its own epoch: %+v", a)
	}
	r.Split.Epoch = 2
	g.apply(r)
	if a := g.get("/", "Fairlead-Run", "one"); a.header.Get(traceHeader) != "" || a.body != "" {
		t.Errorf("it is no evidence, but has %q and %q", a.header.Get(traceHeader), a.body)
	}
}

func TestATraceparentPassesAsItCame(t *testing.T) {
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	g, _ := rolling(t, app(t, "canary", echoes("Traceparent")))
	if a := g.get("/", "traceparent", parent); a.body != parent {
		t.Errorf("got %q", a.body)
	}
}

func TestATraceTellsNobodyWhoAsked(t *testing.T) {
	g, _ := rolling(t, app(t, "canary", says("ok")))
	one, two := g.get("/", "Tenant", "one").header.Get(traceHeader), g.get("/", "Tenant", "one").header.Get(traceHeader)
	if len(one) != trace.Size || one == two || bytes.Contains([]byte(one), []byte("one")) {
		t.Errorf("got %q and %q", one, two)
	}
}
