//go:build linux

package container_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/workload"
)

// slow is an engine that takes its time to make a container, and makes it whether or not
// anybody waits for it.
type slow struct {
	host         string
	asked, ended chan struct{}
}

// slowed puts itself before an engine until the test ends.
func slowed(t *testing.T, w world) slow {
	t.Helper()
	path := filepath.Join(w.Dir(), "slow.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := slow{host: "unix://" + path, asked: make(chan struct{}), ended: make(chan struct{})}
	var asking, ending sync.Once
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite:       func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "engine" },
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", w.Socket())
		}},
	}
	server := &http.Server{Handler: http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/containers/create") {
			asking.Do(func() { close(s.asked) })
			defer ending.Do(func() { close(s.ended) })
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			time.Sleep(time.Second) // the engine's own time, in which its caller goes away
			r = r.WithContext(context.WithoutCancel(r.Context()))
			r.Body = io.NopCloser(bytes.NewReader(body))
			out = struct{ http.ResponseWriter }{out} // one that does not tell the proxy that its caller has gone
		}
		proxy.ServeHTTP(out, r)
	})}
	go server.Serve(listener) // ends with the server
	t.Cleanup(func() { server.Close() })
	return s
}

func TestAContainerThatIsMadeLateIsNotLeft(t *testing.T) {
	eachEngine(t, func(t *testing.T, w world) {
		s := slowed(t, w)
		image := *w.image
		image.Engine = s.host
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { // ends with the engine's first question at the latest
			<-s.asked
			cancel()
		}()
		_, err := openRuntime(t, t.TempDir()).RunJob(ctx, workload.Job{ID: "late", Image: &image, Command: []string{"/app", "sleep"}, Timeout: time.Minute})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("it was not broken off: %v", err)
		}
		<-s.ended
		if names := w.containers(t); len(names) > 0 {
			t.Errorf("containers are left: %v", names)
		}
	})
}
