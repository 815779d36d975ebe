package gateway_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
)

// BenchmarkForward compares the gateway, in a rollout and with copies, with
// httputil.ReverseProxy as it comes and with no proxy at all: a POST of 0.4 KB
// that is answered with 1 KB, on kept connections. Client, proxy and app share the
// process, so only the differences between the rows mean something.
func BenchmarkForward(b *testing.B) {
	body := bytes.Repeat([]byte("a"), 1024)
	handler := func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Write(body)
	}
	b.Run("direct", func(b *testing.B) {
		drive(b, strings.TrimPrefix(app(b, "a", handler).Address, "tcp:"))
	})
	b.Run("reverseproxy", func(b *testing.B) {
		target, err := url.Parse("http://" + strings.TrimPrefix(app(b, "a", handler).Address, "tcp:"))
		if err != nil {
			b.Fatal(err)
		}
		proxy := httptest.NewServer(httputil.NewSingleHostReverseProxy(target))
		defer proxy.Close()
		drive(b, proxy.Listener.Addr().String())
	})
	b.Run("gateway", func(b *testing.B) {
		g := start(b, b.TempDir())
		r := route(backend(1, app(b, "a", handler)))
		r.Split = split(5000, 1, backend(2, app(b, "c", handler)))
		r.Assignment = fairlead.Assignment{}
		g.apply(r)
		drive(b, g.address)
	})
	b.Run("mirrored", func(b *testing.B) { // a tenth of the requests have a copy
		g := start(b, b.TempDir())
		r := mirrored(app(b, "a", handler), app(b, "c", handler), 10, http.MethodPost)
		r.Assignment = fairlead.Assignment{}
		g.apply(r)
		drive(b, g.address)
	})
}

func drive(b *testing.B, address string) {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	payload := bytes.Repeat([]byte("q"), 400)
	b.ReportAllocs()
	b.SetParallelism(16)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, err := http.NewRequest(http.MethodPost, "http://"+address+"/", bytes.NewReader(payload))
			if err != nil {
				b.Error(err)
				return
			}
			req.Host = "triage.localhost"
			resp, err := client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	})
}
