package dialpass_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/dialpass"
	"github.com/fairlead/fairlead/internal/unixsock"
)

// supervise serves dials to address on a fresh socket until the test ends.
func supervise(t *testing.T, dial func(ctx context.Context) (net.Conn, error)) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "dial.sock")
	listener, err := unixsock.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- dialpass.Serve(ctx, listener, dial) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return path
}

func tcp(address string) func(ctx context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "tcp", address)
	}
}

func TestAPassedConnectionReachesThePort(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "app") }))
	defer app.Close()
	path := supervise(t, tcp(app.Listener.Addr().String()))
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialpass.Dial(ctx, path)
			}}
			defer transport.CloseIdleConnections()
			resp, err := (&http.Client{Transport: transport}).Get("http://app/")
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if body, err := io.ReadAll(resp.Body); string(body) != "app" {
				t.Errorf("got %q, %v", body, err)
			}
		})
	}
	all.Wait()
}

func TestAPortThatRefusesIsToldFromASupervisorThatIsGone(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	_, err = dialpass.Dial(context.Background(), supervise(t, tcp(closed.Addr().String())))
	if !errors.Is(err, dialpass.ErrNotConnected) || !errors.Is(err, dialpass.ErrRefused) {
		t.Errorf("refusing port: %v", err)
	}
	_, err = dialpass.Dial(context.Background(), filepath.Join(t.TempDir(), "none.sock"))
	if !errors.Is(err, dialpass.ErrNotConnected) || errors.Is(err, dialpass.ErrRefused) {
		t.Errorf("no supervisor: %v", err)
	}
}

func TestADialEndsWithItsContext(t *testing.T) {
	asked := make(chan struct{})
	path := supervise(t, func(ctx context.Context) (net.Conn, error) {
		close(asked)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-asked; cancel() }()
	if _, err := dialpass.Dial(ctx, path); !errors.Is(err, context.Canceled) || !errors.Is(err, dialpass.ErrNotConnected) {
		t.Errorf("got %v", err)
	}
}

func TestASupervisorThatSpeaksNonsenseIsAnError(t *testing.T) {
	for _, answer := range []string{"", "+", "?what"} {
		path := filepath.Join(t.TempDir(), "s")
		listener, err := unixsock.Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			conn, err := listener.Accept()
			if err == nil {
				io.WriteString(conn, answer)
				conn.Close()
			}
		}()
		if _, err := dialpass.Dial(context.Background(), path); !errors.Is(err, dialpass.ErrNotConnected) {
			t.Errorf("answer %q: %v", answer, err)
		}
		listener.Close()
	}
}
