package gateway_test

import (
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// An instance that restarts closes its kept connections. Whoever sends after that must
// not find one of them, even while the machine is too busy for the gateway to hear of it.
func TestNoRequestGoesToAConnectionThatItsInstanceHasClosed(t *testing.T) {
	g := start(t, t.TempDir())
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	instance := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}),
		ConnState: func(c net.Conn, state http.ConnState) {
			mu.Lock()
			defer mu.Unlock()
			open[c] = state == http.StateIdle
		},
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go instance.Serve(listener)
	defer instance.Close()
	g.apply(route(backend(1, instanceOf("restarts", listener.Addr().String()))))
	busy(t)
	for n := range 20 {
		mu.Lock()
		for c, idle := range open {
			if idle {
				c.Close()
				delete(open, c)
			}
		}
		mu.Unlock()
		if a := g.do(g.request(http.MethodPost, "/", strings.NewReader("order"))); a.status != http.StatusOK {
			t.Fatalf("POST %d after the instance closed its connections: %+v", n, a)
		}
	}
}

// busy keeps every core busy until the test ends.
func busy(t *testing.T) {
	var over atomic.Bool
	var burning sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) {
		burning.Go(func() {
			for !over.Load() {
			}
		})
	}
	t.Cleanup(func() { over.Store(true); burning.Wait() })
}
