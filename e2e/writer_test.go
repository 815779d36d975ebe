package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/api/client"
)

func TestAnAppThatMustWriteAloneIsReplacedUnderTrafficWithoutALostRequest(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.writesAlone(func(b behaviour) { w.deploy(0, b, storing) })
}

func replacesTheWriter(w *world) {
	w.writesAlone(func(b behaviour) { w.ship(0, b, storing) })
}

// writesAlone says that of an app with one writer there are never two, and that requests
// wait for the next one, whatever the app runs in. release releases a behaviour of an
// app with the volumes of storing.
func (w *world) writesAlone(release func(behaviour)) {
	w.Helper()
	release(behaviour{Version: "v1", Writes: "/data"})
	c := w.startCallers()
	want := []string{"began 1"}
	for number := 2; number <= 3; number++ {
		eventually(w, 30*time.Second, "traffic", func() bool { return c.by(number-1) > 100 })
		release(behaviour{Version: fmt.Sprint("v", number), Writes: "/data"})
		w.reaches("at its end", func(r client.Rollout) bool { return r.Phase == "ended" })
		want = append(want, fmt.Sprint("ended ", number-1), fmt.Sprint("began ", number))
	}
	eventually(w, 30*time.Second, "traffic", func() bool { return c.by(3) > 100 })
	c.stop()
	for number := 2; number <= 3; number++ {
		if c.held[fmt.Sprint(number)] == 0 {
			w.Errorf("no request waited for release %d and was answered by it", number)
		}
	}
	journal, err := os.ReadFile(w.seen(filepath.Join(w.state, "volumes", "production", w.named, "data", "data", "journal")))
	if err != nil {
		w.Fatal(err)
	}
	if got := strings.Split(strings.TrimSpace(string(journal)), "\n"); !slices.Equal(got, want) {
		w.Errorf("who wrote in the volume: %q, want %q", got, want)
	}
	for _, i := range w.site().Instances {
		if i.Restarts != 0 {
			w.Errorf("%s has started %d times again", i.ID, i.Restarts)
		}
	}
	w.proven()
}

// callers are clients of which each sends its next request when it has the answer to
// the one before, and none a second time: however long requests wait, no more than one
// of each does.
type callers struct {
	w    *world
	quit chan struct{}
	done sync.WaitGroup

	mu       sync.Mutex
	answered map[string]int // by release
	held     map[string]int // of these that waited at the gateway
	lost     []string
}

// startCallers starts traffic to a world's app. stop ends it.
func (w *world) startCallers() *callers {
	c := &callers{w: w, quit: make(chan struct{}), answered: map[string]int{}, held: map[string]int{}}
	for caller := range connections {
		c.done.Go(func() { c.call(caller, w.plane.at.Gateway, w.host()) })
	}
	w.Cleanup(c.end)
	return c
}

func (c *callers) call(caller int, address, host string) {
	kept := &connection{address: address}
	defer kept.close()
	for seq := 0; ; seq++ {
		id := fmt.Sprintf("e2e-%d-%d", caller, seq)
		a, err := kept.do(request(host, id, seq))
		c.mu.Lock()
		switch {
		case err != nil:
			c.lost = append(c.lost, id+": "+err.Error())
		case a.StatusCode != 200 || a.Header.Get("X-Request-Id") != id || a.Header.Get("X-Release") == "":
			c.lost = append(c.lost, id+": "+a.Status)
		default:
			c.answered[a.Header.Get("X-Release")]++
			if a.Header.Get("Fairlead-Queued") != "" {
				c.held[a.Header.Get("X-Release")]++
			}
		}
		c.mu.Unlock()
		select {
		case <-c.quit:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// by returns how many requests a release has answered so far.
func (c *callers) by(release int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answered[fmt.Sprint(release)]
}

// end waits until what was begun is answered. It may be called more than once.
func (c *callers) end() {
	select {
	case <-c.quit:
	default:
		close(c.quit)
	}
	c.done.Wait()
}

// stop ends the traffic and says that nothing was lost.
func (c *callers) stop() {
	c.w.Helper()
	c.end()
	c.w.Logf("answered %v, of which waited %v", c.answered, c.held)
	if len(c.lost) > 0 {
		c.w.Errorf("%d requests were lost: %.10q", len(c.lost), c.lost[:min(5, len(c.lost))])
	}
}
