package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/consolecookie"
)

// follower is a browser that follows a page: what its stream said so far.
type follower struct {
	mu     sync.Mutex
	header http.Header
	said   strings.Builder
	gone   context.CancelFunc
	over   chan struct{} // closed when the stream has ended
}

func (f *follower) Header() http.Header { return f.header }
func (f *follower) WriteHeader(int)     {}
func (f *follower) Flush()              {}
func (f *follower) Write(data []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.said.Write(data)
}

// heard returns what the stream said since the last call.
func (f *follower) heard() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	text := f.said.String()
	f.said.Reset()
	return text
}

// scene is a page with its followers, in a bubble of its own time.
type scene struct {
	hub     *hub
	looks   atomic.Int64
	in      atomic.Bool // the followers are logged in
	mu      sync.Mutex
	frame   frame
	failure error
	entries chan uint64
}

func newScene() *scene {
	s := &scene{frame: frame{"head": "one", "body": "same"}, entries: make(chan uint64)}
	s.in.Store(true)
	s.hub = newHub(func(ctx context.Context, from uint64) (uint64, error) {
		select {
		case size := <-s.entries:
			return size, nil
		case <-ctx.Done():
			return from, ctx.Err()
		}
	}, slog.New(slog.DiscardHandler))
	return s
}

func (s *scene) show(f frame, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frame, s.failure = f, err
}

func (s *scene) look(context.Context) (frame, error) {
	s.looks.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure != nil && s.failure.Error() == "panic" {
		panic("a fault in a page")
	}
	return s.frame, s.failure
}

func (s *scene) follow(key string) *follower { return s.followAs("ada", key) }

func (s *scene) followAs(who, key string) *follower { return s.followLook(who, key, s.look) }

func (s *scene) followLook(who, key string, l look) *follower {
	ctx, gone := context.WithCancel(context.Background())
	f := &follower{header: http.Header{}, gone: gone, over: make(chan struct{})}
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/live/", nil)
	go func() {
		defer close(f.over)
		s.hub.follow(f, r, who, key, l, greeting{Build: "b", clock: time.Now}, s.in.Load)
	}()
	synctest.Wait()
	return f
}

// leave closes the streams and awaits their end.
func leave(followers ...*follower) {
	for _, f := range followers {
		f.gone()
		<-f.over
	}
}

func TestTwoFollowersShareOneLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene()
		a := s.follow("page")
		b := s.follow("page")
		if n := s.looks.Load(); n != 1 {
			t.Errorf("two followers made %d looks, want 1", n)
		}
		for name, f := range map[string]*follower{"first": a, "second": b} {
			if said := f.heard(); !strings.Contains(said, `"head":"one"`) || !strings.Contains(said, `"body":"same"`) {
				t.Errorf("the %s follower does not have the whole page: %s", name, said)
			}
		}
		time.Sleep(lookEvery)
		synctest.Wait()
		if n := s.looks.Load(); n != 2 {
			t.Errorf("after %s there were %d looks, want 2", lookEvery, n)
		}
		leave(a, b)
	})
}

func TestAPartThatChangesIsSentAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene()
		f := s.follow("page")
		f.heard()
		s.show(frame{"head": "two", "body": "same"}, nil)
		time.Sleep(lookEvery)
		synctest.Wait()
		if got, want := f.heard(), "event: parts\ndata: {\"head\":\"two\"}\n\n"; got != want {
			t.Errorf("it said %q, want %q", got, want)
		}
		leave(f)
	})
}

func TestAnEntryBringsALookAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene()
		f := s.follow("page")
		f.heard()
		s.show(frame{"head": "two", "body": "same"}, nil)
		s.entries <- 1
		time.Sleep(lookGap)
		synctest.Wait()
		if got := f.heard(); !strings.Contains(got, `"head":"two"`) {
			t.Errorf("%s after the entry it said %q", lookGap, got)
		}
		leave(f)
	})
}

func TestAFollowerThatWasAwayGetsTheNewestOnly(t *testing.T) {
	s := &stream{w: &follower{header: http.Header{}}, sent: map[string]uint64{}}
	s.control = http.NewResponseController(s.w)
	w := &watch{shot: &shot{}, news: make(chan struct{})}
	for _, text := range []template.HTML{"one", "two", "three"} {
		w.take(frame{"head": text, "body": "same"}, nil)
	}
	now, _ := w.newest()
	if err := s.send(now); err != nil {
		t.Fatal(err)
	}
	if got, want := s.w.(*follower).heard(), "event: parts\ndata: {\"body\":\"same\",\"head\":\"three\"}\n\n"; got != want {
		t.Errorf("it said %q, want %q", got, want)
	}
}

func TestALookThatFailsIsSaidAndItsEndToo(t *testing.T) {
	for _, failure := range []string{"the store is locked", "panic"} {
		synctest.Test(t, func(t *testing.T) {
			s := newScene()
			f := s.follow("page")
			f.heard()
			s.show(nil, errors.New(failure))
			time.Sleep(lookEvery)
			synctest.Wait()
			want := failure
			if failure == "panic" {
				want = "a fault of Fairlead's own, which its log names"
			}
			if got := f.heard(); got != "event: problem\ndata: {\"text\":\""+want+"\"}\n\n" {
				t.Errorf("it said %q", got)
			}
			s.show(frame{"head": "one", "body": "new"}, nil)
			time.Sleep(lookEvery)
			synctest.Wait()
			if got := f.heard(); got != "event: parts\ndata: {\"body\":\"new\"}\n\nevent: problem\ndata: {\"text\":\"\"}\n\n" {
				t.Errorf("when it could be read again, it said %q", got)
			}
			leave(f)
		})
	}
}

func TestAStreamEndsWithItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene()
		f := s.follow("page")
		f.heard()
		s.in.Store(false)
		time.Sleep(aliveEvery)
		<-f.over
		if got := f.heard(); !strings.HasSuffix(got, "event: end\ndata: {\"why\":\"session\"}\n\n") {
			t.Errorf("it said %q", got)
		}
	})
}

func TestAStreamEndsWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene()
		f := s.follow("page")
		f.heard()
		leave(f)
		if got, want := f.heard(), "event: end\ndata: {\"why\":\"server\"}\n\n"; got != want {
			t.Errorf("it said %q, want %q", got, want)
		}
	})
}

// A bubble ends with a panic when a goroutine is left in it.
func TestTheWatchEndsWithItsLastFollower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene()
		a, b := s.follow("page"), s.follow("page")
		c := s.follow("other")
		leave(a)
		if n := len(s.hub.watches); n != 2 {
			t.Errorf("with a follower left, %d pages are watched, want 2", n)
		}
		leave(b, c)
		if n := len(s.hub.watches); n != 0 || s.hub.followers != 0 {
			t.Errorf("with nobody left, %d pages are watched for %d", n, s.hub.followers)
		}
		looks := s.looks.Load()
		time.Sleep(10 * lookEvery)
		if n := s.looks.Load(); n != looks {
			t.Errorf("nobody follows, and there were %d more looks", n-looks)
		}
		d := s.follow("page")
		if got := d.heard(); !strings.Contains(got, `"head":"one"`) {
			t.Errorf("who comes later gets %q", got)
		}
		leave(d)
	})
}

func TestASilentStreamSaysThatItIsAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene()
		f := s.follow("page")
		f.heard()
		time.Sleep(aliveEvery)
		synctest.Wait()
		if got := f.heard(); !strings.HasPrefix(got, "event: alive\ndata: {\"now\":\"") {
			t.Errorf("it said %q", got)
		}
		leave(f)
	})
}

func TestTooManyFollowersAreTurnedAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene()
		s.hub.followers = maxFollowers
		f := s.follow("page")
		<-f.over
		if got, want := f.heard(), "event: end\ndata: {\"why\":\"full\"}\n\n"; got != want {
			t.Errorf("it said %q, want %q", got, want)
		}
	})
}

func TestNobodyTakesAllPlacesHoweverManyPagesTheyOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene()
		var streams []*follower
		defer func() {
			leave(streams...)
			if len(s.hub.holds) != 0 || s.hub.followers != 0 {
				t.Errorf("with nobody left, %v are held by %d", s.hub.holds, s.hub.followers)
			}
		}()
		open := func(who, page string) bool {
			f := s.followAs(who, page)
			streams = append(streams, f)
			return !strings.Contains(f.heard(), `"full"`)
		}
		most := 0
		for open("mallory", fmt.Sprintf("page?%d", most)) {
			most++
		}
		if most != maxWatches/2 {
			t.Errorf("one session began %d watches of %d", most, maxWatches)
		}
		if !open("mallory", "page?0") {
			t.Error("a page that is watched already is not followed once more")
		}
		for i := range 20 {
			if !open("ada", fmt.Sprintf("other?%d", i)) {
				t.Fatalf("another session's page %d is not followed", i)
			}
		}
		for more := true; more; {
			more = open("mallory", "page?0")
		}
		if !open("ada", "page?0") {
			t.Error("another session finds all streams taken")
		}
	})
}

func TestAFollowerThatTakesNothingLosesItsStream(t *testing.T) {
	s := newScene()
	s.hub.patience = 50 * time.Millisecond
	s.show(frame{"head": template.HTML(strings.Repeat("x", 32<<20))}, nil) // more than a connection holds
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		s.hub.follow(w, r, "ada", "page", s.look, greeting{clock: time.Now}, s.in.Load)
	}))
	defer server.Close()
	resp, err := http.Get(server.URL) // and nothing of its body is read
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("it still has its stream")
	}
}

// BenchmarkFollowers opens 200 streams of one page over loopback and reports what the
// server's side of them holds in memory. Their browsers' side is sockets alone.
func BenchmarkFollowers(b *testing.B) {
	server := openConsole(b, map[string]any{"/v1/version": about, "/v1/apps": aFleet()})
	for b.Loop() {
		before := inUse()
		var all []net.Conn
		for range 200 {
			all = append(all, followBySocket(b, server.Listener.Addr().String()))
		}
		b.ReportMetric(float64(inUse()-before)/1e6, "MB/200-followers")
		for _, c := range all {
			_ = c.Close()
		}
	}
}

// followBySocket opens a stream, and returns when it has begun.
func followBySocket(b *testing.B, address string) net.Conn {
	b.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	_, err = fmt.Fprintf(c, "GET /live/ HTTP/1.1\r\nHost: %s\r\nCookie: %s=%s\r\nAccept: text/event-stream\r\n\r\n", address, consolecookie.Of(address), aToken)
	if err != nil {
		b.Fatal(err)
	}
	said := make([]byte, 0, 16<<10)
	for !bytes.Contains(said, []byte("event: parts")) {
		n, err := c.Read(said[len(said):cap(said)])
		if err != nil {
			b.Fatalf("after %q: %v", said, err)
		}
		said = said[:len(said)+n]
	}
	return c
}

// inUse is how many bytes the heap and the stacks hold.
func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
