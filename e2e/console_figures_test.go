package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// rounds is how often a figure is measured; the median is told.
const rounds = 20

// livePages is how many pages are open at once where their memory is measured.
const livePages = 200

// TestFiguresOfTheConsole measures what the console promises and judges nothing:
// FAIRLEAD_BROWSER=1 FAIRLEAD_FIGURES=1 go test -v -run FiguresOfTheConsole ./e2e
func TestFiguresOfTheConsole(t *testing.T) {
	if os.Getenv("FAIRLEAD_FIGURES") == "" {
		t.Skip("it measures, and judges nothing")
	}
	inBrowser(t)
	w := start(t)
	id := w.busy()
	b := w.console("operator")
	for _, page := range []string{"/", "/rollouts/" + id, "/apps/" + w.named + "/releases/2", "/ledger"} {
		var paints []float64
		for range rounds {
			b.open(page)
			b.holds("is painted", `performance.getEntriesByName("first-contentful-paint").length === 1`)
			paints = append(paints, ask[float64](b, `performance.getEntriesByName("first-contentful-paint")[0].startTime`))
		}
		slices.Sort(paints)
		t.Logf("first paint of %-40s median %.0f ms, worst %.0f ms of %d", page, paints[rounds/2], paints[rounds-1], rounds)
	}
	w.delays(b, id)
	w.memory(b.cookie(), b.server, "/live/rollouts/"+id)
}

// delays measures how long after the API has answered an action the page shows it.
func (w *world) delays(b *tab, id string) {
	w.Helper()
	b.open("/rollouts/" + id)
	b.shows("#link-state", "Live")
	site := fairlead.Site{App: w.named, Env: "production"}
	var late []float64
	for i := range rounds {
		action, offers := "pause", "resume"
		if i%2 == 1 {
			action, offers = "resume", "pause"
		}
		ask[bool](b, fmt.Sprintf(`((there) => {
			window.shownAt = 0;
			const look = () => { if (!window.shownAt && there()) window.shownAt = performance.timeOrigin + performance.now(); };
			new MutationObserver(look).observe(document.querySelector("main"), {childList: true, subtree: true});
			return true;
		})(() => !!document.getElementById("do-%s"))`, offers))
		if _, err := w.api().Act(context.Background(), site, action, client.Act{}); err != nil {
			w.Fatal(err)
		}
		answered := float64(time.Now().UnixMicro()) / 1000
		b.holds("offers to "+offers, "window.shownAt > 0")
		late = append(late, ask[float64](b, "window.shownAt")-answered)
	}
	slices.Sort(late)
	w.Logf("an action on screen after the API has answered it: median %.0f ms, worst %.0f ms of %d", late[rounds/2], late[rounds-1], rounds)
}

// memory measures what open live pages cost the control plane.
func (w *world) memory(cookie *http.Cookie, server, path string) {
	w.Helper()
	before := w.anonymous()
	ctx, cancel := context.WithCancel(context.Background())
	var open, all sync.WaitGroup
	refused := make(chan error, livePages)
	for range livePages {
		open.Add(1)
		all.Go(func() {
			opened := sync.OnceFunc(open.Done)
			defer opened()
			if err := w.followed(ctx, cookie, server, path, opened); err != nil && ctx.Err() == nil {
				refused <- err
			}
		})
	}
	open.Wait()
	time.Sleep(10 * time.Second) // of streaming, so that what is kept for each is there
	after := w.anonymous()
	w.Logf("%d open live pages, %d refused: RssAnon %.1f MB before, %.1f MB with them, %.1f MB more", livePages, len(refused), before, after, after-before)
	cancel()
	all.Wait()
}

// followed reads a live stream until ctx ends, and says when the first parts have come.
func (w *world) followed(ctx context.Context, cookie *http.Cookie, server, path string, opened func()) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.plane.at.API+path, nil)
	if err != nil {
		return err
	}
	r.Host = strings.TrimPrefix(server, "http://")
	r.AddCookie(cookie)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		switch {
		case lines.Text() == "event: parts":
			opened()
		case lines.Text() == "event: end":
			return fmt.Errorf("the stream ended")
		}
	}
	return lines.Err()
}

// anonymous is the control plane's own memory in MB.
func (w *world) anonymous() float64 {
	w.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.plane.at.Pid))
	if err != nil {
		w.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "RssAnon:")
	kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		w.Fatal(err)
	}
	return kb / 1000
}
