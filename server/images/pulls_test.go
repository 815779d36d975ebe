package images

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload/container"
)

// gated is a registry in front of another one that hands out no layer until it is
// opened, and counts those that are asked for.
type gated struct {
	*httptest.Server
	open chan struct{}
	once sync.Once

	mu    sync.Mutex
	asked int
}

func newGated(t *testing.T, registry string) *gated {
	behind := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: registry})
	g := &gated{open: make(chan struct{})}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			g.mu.Lock()
			g.asked++
			g.mu.Unlock()
			select {
			case <-g.open:
			case <-r.Context().Done():
				return
			}
		}
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		g.opens() // who failed has left requests
		g.Close()
	})
	return g
}

func (g *gated) opens() { g.once.Do(func() { close(g.open) }) }

func (g *gated) layers() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked
}

// order is a pull of an image of the yard's registry by way of the gate.
func (g *gated) order(y *yard, name string) container.Pull {
	return container.Pull{Name: strings.Replace(name, y.registry, strings.TrimPrefix(g.URL, "http://"), 1), Attempts: 1}
}

// underWay are the pulls of the yard, and how many wait for all of them.
func (y *yard) underWay() (pulls, waiting int) {
	y.pulls.mu.Lock()
	defer y.pulls.mu.Unlock()
	for _, at := range y.pulls.running {
		at.mu.Lock()
		waiting += at.waiting
		at.mu.Unlock()
	}
	return len(y.pulls.running), waiting
}

// until waits for a condition.
func (y *yard) until(what string, holds func() bool) {
	y.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			y.Fatalf("not within a minute: %s", what)
		}
	}
}

// pulled is what became of a pull.
type pulled struct {
	digest fairlead.Digest
	err    error
}

// pulling pulls in the background.
func (y *yard) pulling(ctx context.Context, order container.Pull) <-chan pulled {
	engine, err := y.engine.get(ctx)
	if err != nil {
		y.Fatal(err)
	}
	end := make(chan pulled, 1)
	go func() { // ends with ctx or the pulls
		digest, err := y.pulls.pull(ctx, engine, order)
		end <- pulled{digest, err}
	}()
	return end
}

func TestAPullIsSharedAndOutlastsWhoBeganIt(t *testing.T) {
	y := newYard(t, "docker")
	gate := newGated(t, y.registry)
	order := gate.order(y, y.push("team/triage", "1", "one"))
	began, leave := context.WithCancel(t.Context())
	first := y.pulling(began, order)
	y.until("a layer is asked for", func() bool { return gate.layers() > 0 })
	second := y.pulling(t.Context(), order)
	y.until("two wait for one pull", func() bool { pulls, waiting := y.underWay(); return pulls == 1 && waiting == 2 })
	leave()
	if got := <-first; !errors.Is(got.err, context.Canceled) {
		t.Errorf("who went away got %+v", got)
	}
	gate.opens()
	got := <-second
	if got.err != nil || !got.digest.Valid() {
		t.Fatalf("who came later got %+v", got)
	}
	if image, err := y.engine.used().Image(t.Context(), order.Name); err != nil || image.PinnedIn(strings.TrimSuffix(order.Name, ":1")) == "" {
		t.Errorf("%+v, %v", image, err)
	}
	if pulls, _ := y.underWay(); pulls != 0 {
		t.Errorf("%d pulls are under way still", pulls)
	}
}

func TestAPullGoesOnForAWhileWithoutAnybodyAndEndsThen(t *testing.T) {
	y := newYard(t, "docker")
	gate := newGated(t, y.registry)
	order := gate.order(y, y.push("team/triage", "1", "one"))
	began, leave := context.WithCancel(t.Context())
	first := y.pulling(began, order)
	y.until("a layer is asked for", func() bool { return gate.layers() > 0 })
	leave()
	<-first
	if pulls, waiting := y.underWay(); pulls != 1 || waiting != 0 {
		t.Errorf("after its caller went away, %d pulls are under way, and %d wait", pulls, waiting)
	}
	again, leaveAgain := context.WithCancel(t.Context())
	second := y.pulling(again, order)
	y.until("who comes back joins", func() bool { pulls, waiting := y.underWay(); return pulls == 1 && waiting == 1 })
	y.pulls.lingering = time.Millisecond
	leaveAgain()
	<-second
	y.until("it is ended", func() bool { pulls, _ := y.underWay(); return pulls == 0 })
	gate.opens()
	if got := <-y.pulling(t.Context(), order); got.err != nil {
		t.Errorf("the next one: %+v", got)
	}
}

func TestWhoComesWhileAPullIsBeingEndedBeginsAnother(t *testing.T) {
	y := newYard(t, "docker")
	engine, err := y.engine.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	order := container.Pull{Name: y.registry + "/team/none:1", Attempts: 1}
	ended := &pulling{end: func() {}, done: make(chan struct{}), changed: make(chan struct{})}
	ended.abandon()
	y.pulls.running[pullKey{name: order.Name, attempts: order.Attempts}] = ended
	at := y.pulls.join(engine, order)
	if at == ended {
		t.Error("it joined a pull that is being ended")
	}
}

func TestPullsOfOtherCredentialsOrAttemptsAreNotShared(t *testing.T) {
	y := newYard(t, "docker")
	gate := newGated(t, y.registry)
	order := gate.order(y, y.push("team/triage", "1", "one"))
	first := y.pulling(t.Context(), order)
	y.until("a layer is asked for", func() bool { return gate.layers() > 0 })
	var err error
	if order.Credentials, err = container.ReadCredentials([]byte("ada:lovelace"), order.Name); err != nil {
		t.Fatal(err)
	}
	second := y.pulling(t.Context(), order)
	order.Attempts++
	third := y.pulling(t.Context(), order)
	y.until("each has its own", func() bool { pulls, _ := y.underWay(); return pulls == 3 })
	gate.opens()
	for _, end := range []<-chan pulled{first, second, third} {
		if got := <-end; got.err != nil {
			t.Error(got.err)
		}
	}
}
