package inprocess_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fairlead/fairlead/internal/inprocess"
)

// call sends a request to a handler of this process.
func call(t *testing.T, ctx context.Context, h http.HandlerFunc, method, body string) (*http.Response, error) {
	t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://fairlead/v1/things?a=1", in)
	if err != nil {
		t.Fatal(err)
	}
	return (&http.Client{Transport: inprocess.Transport{Handler: h, Log: slog.New(slog.DiscardHandler)}}).Do(r)
}

func get(t *testing.T, h http.HandlerFunc) (*http.Response, error) {
	t.Helper()
	return call(t, t.Context(), h, http.MethodGet, "")
}

func TestAHandlerSeesTheRequestAndTheCallerItsAnswer(t *testing.T) {
	resp, err := call(t, t.Context(), func(w http.ResponseWriter, r *http.Request) {
		sent, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Said", "yes")
		w.WriteHeader(http.StatusTeapot)
		w.Header().Set("X-Late", "yes")
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.RequestURI, r.Host, sent)
	}, http.MethodPost, "sent")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if want := "POST /v1/things?a=1 fairlead sent"; string(got) != want || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if resp.StatusCode != http.StatusTeapot || resp.Header.Get("X-Said") != "yes" || resp.Header.Get("X-Late") != "" {
		t.Errorf("the head is %s %v", resp.Status, resp.Header)
	}
}

func TestAHandlerThatSaysNothingAnswers200(t *testing.T) {
	resp, err := get(t, func(_ http.ResponseWriter, r *http.Request) {
		if n, err := r.Body.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("the body of a request without one: %d, %v", n, err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || len(got) != 0 || err != nil {
		t.Errorf("got %s %q, %v", resp.Status, got, err)
	}
}

func TestAnAnswerStreams(t *testing.T) {
	next := make(chan string)
	resp, err := get(t, func(w http.ResponseWriter, _ *http.Request) {
		control := http.NewResponseController(w)
		if err := control.Flush(); err != nil {
			t.Error(err)
		}
		for line := range next {
			fmt.Fprintln(w, line)
			_ = control.Flush()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for _, line := range []string{"one", "two"} {
		next <- line
		if got, err := lines.ReadString('\n'); got != line+"\n" {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	close(next)
	if got, err := lines.ReadString('\n'); got != "" || err != io.EOF {
		t.Errorf("at the end: %q, %v", got, err)
	}
}

func TestALongAnswerIsWholeAndNeverFarAheadOfItsReader(t *testing.T) {
	synctest.Test(t, testLongAnswer)
}

func testLongAnswer(t *testing.T) {
	const pieces, piece = 100, 32 << 10
	written := make(chan int, pieces)
	resp, err := get(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := range pieces {
			if _, err := w.Write(make([]byte, piece)); err != nil {
				t.Error(err)
			}
			written <- i
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	synctest.Wait() // until it waits for its reader
	if n := len(written); n == 0 || n > 10 {
		t.Errorf("%d pieces were written that nobody read", n)
	}
	if n, err := io.Copy(io.Discard, resp.Body); n != pieces*piece || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestClosingAnAnswerEndsItsHandlerAndAwaitsIt(t *testing.T) {
	ended := false
	resp, err := get(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		ended = true
	})
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close() != nil || !ended {
		t.Error("the handler goes on")
	}
}

func TestClosingAnAnswerEndsAHandlerThatWrites(t *testing.T) {
	ended := false
	resp, err := get(t, func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 4<<10)); err != nil {
				ended = true
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close() != nil || !ended {
		t.Error("the handler goes on")
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	before := func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done(); close(done) }
	if _, err := call(t, ctx, before, http.MethodGet, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("a call without an answer: %v", err)
	}
	<-done
	if _, err := call(t, ctx, func(http.ResponseWriter, *http.Request) { t.Error("called") }, http.MethodGet, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("a call that comes too late: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	resp, err := call(t, ctx, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}, http.MethodGet, "")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	cancel()
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
		t.Errorf("a call in the middle of its answer: %v", err)
	}
}

func TestWhatAHandlerPanicsWithEndsItsCallOnly(t *testing.T) {
	if _, err := get(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("before the answer: %v", err)
	}
	resp, err := get(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "half")
		panic(http.ErrAbortHandler)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); string(got) != "half" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("in the answer: %q, %v", got, err)
	}
	if _, err := get(t, func(http.ResponseWriter, *http.Request) { panic("a fault") }); err == nil || !strings.Contains(err.Error(), "a fault") {
		t.Errorf("of a fault: %v", err)
	}
}

func TestWhatIsOnTheWayIsNoAnswer(t *testing.T) {
	resp, err := get(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusAccepted)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Errorf("got %s", resp.Status)
	}
}

func TestASentBodyIsClosed(t *testing.T) {
	body := &closes{Reader: strings.NewReader("x")}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://fairlead/", body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := inprocess.Transport{Handler: http.NotFoundHandler(), Log: slog.New(slog.DiscardHandler)}.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close() != nil || !body.closed {
		t.Error("it is open")
	}
}

type closes struct {
	io.Reader
	closed bool
}

func (c *closes) Close() error { c.closed = true; return nil }

func TestARequestWithoutAHostHasThatOfItsAddress(t *testing.T) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://fairlead/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host, r.Body = "", nil
	resp, err := inprocess.Transport{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host) })}.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); string(got) != "fairlead" || err != nil {
		t.Errorf("the host is %q, %v", got, err)
	}
}
