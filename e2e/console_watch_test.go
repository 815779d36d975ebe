package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/api/client"
)

// worse is a strategy under which a release that fails more often is seen in seconds, at
// the default error of a rollback.
const worse = "{steps: [25, 50], minStep: 2s, rollbackWindow: 10m}"

// figures are what a rollout's page and the API both tell, each as its page writes it.
type figures struct {
	Headline, Weight                             string
	NewRequests, NewFailed, OldRequests, OldFail string
}

// pageFigures reads all of them at one moment.
const pageFigures = `(() => {
  const digits = (e) => (e?.innerText ?? "").replaceAll(/[^0-9]/g, "");
  const row = (arm) => [...document.querySelectorAll(".ro-arms tbody tr")].find((r) => r.querySelector("th").innerText.includes(arm));
  const cell = (arm, label) => digits(row(arm)?.querySelector('td[data-label="' + label + '"]'));
  const [newer, older] = document.querySelector("main").dataset.arms?.split(" ") ?? [%q, %q];
  return {Headline: document.querySelector("#ro-headline .lede").innerText.replaceAll("\u00a0", " ").trim(), Weight: document.querySelector("#ro-status .ro-big").innerText.trim(),
    NewRequests: cell(newer, "Requests"), NewFailed: cell(newer, "Failed"), OldRequests: cell(older, "Requests"), OldFail: cell(older, "Failed")};
})()`

// figuresOf are the API's, as a page writes them. A page shows no table before there is
// a request.
func figuresOf(r client.Rollout) figures {
	f := figures{Headline: r.Headline, Weight: r.Weight.String()}
	if r.Canary.Requests+r.Stable.Requests > 0 {
		f.NewRequests, f.NewFailed = fmt.Sprint(r.Canary.Requests), fmt.Sprint(r.Canary.Failed)
		f.OldRequests, f.OldFail = fmt.Sprint(r.Stable.Requests), fmt.Sprint(r.Stable.Failed)
	}
	return f
}

// reader asks the API for a rollout again and again, and keeps all that it told.
type reader struct {
	mu   sync.Mutex
	told map[figures]bool
	quit chan struct{}
	done sync.WaitGroup
}

func (w *world) readRollout(id string) *reader {
	r := &reader{told: map[figures]bool{}, quit: make(chan struct{})}
	api := w.api()
	r.done.Go(func() {
		for {
			if now, err := api.Rollout(context.Background(), id); err == nil {
				r.mu.Lock()
				r.told[figuresOf(now)] = true
				r.mu.Unlock()
			}
			select {
			case <-r.quit:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	w.Cleanup(r.end)
	return r
}

// told reports whether the API told just these figures at one moment.
func (r *reader) saw(f figures) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.told[f]
}

func (r *reader) end() {
	select {
	case <-r.quit:
	default:
		close(r.quit)
	}
	r.done.Wait()
}

// main is all that a page says but for its instances, which go on after a rollout, and
// how long ago things were.
const mainText = `(() => {
  const main = document.querySelector("main").cloneNode(true);
  for (const e of main.querySelectorAll("#ro-instances, #ro-said, time[data-span], #live-notice, .link-state")) e.remove();
  return main.textContent.replaceAll(/\s+/g, " ");
})()`

func TestARolloutIsWatchedFromItsStartToItsRollbackInTheBrowser(t *testing.T) {
	t.Parallel()
	inBrowser(t)
	w := start(t)
	file := strategy(worse)
	w.deploy(0, behaviour{Version: "v1"}, file)
	b := w.console("viewer")
	id := w.begin(behaviour{Version: "v2", Failures: 0.03}, file).Rollout.ID
	api := w.readRollout(id)
	b.open("/rollouts/" + id)
	b.shows("#link-state", "Live")
	w.startLoad(w.host())
	script := fmt.Sprintf(pageFigures, w.named+"@2", w.named+"@1")

	seen := map[figures]bool{}
	deadline := time.Now().Add(3 * patience)
	for over := false; !over; {
		over = w.apiRollout(id).Phase == "ended"
		shown := ask[figures](b, script)
		seen[shown] = true
		eventually(t, 5*time.Second, fmt.Sprintf("the API told what the page shows: %+v", shown), func() bool { return api.saw(shown) })
		if time.Now().After(deadline) {
			t.Fatalf("it never ended: %+v", shown)
		}
	}
	if len(seen) < 3 {
		t.Errorf("the page showed only %d moments of the rollout: %+v", len(seen), seen)
	}

	ended := w.apiRollout(id)
	want := figuresOf(ended)
	eventually(t, patience, fmt.Sprintf("the page shows how it ended: %+v", want), func() bool { return ask[figures](b, script) == want })
	if ended.Outcome != client.RolledBack {
		t.Errorf("it ended %s: %s", ended.Outcome, ended.Headline)
	}
	for _, sentence := range ended.Story {
		if !strings.Contains(ask[string](b, mainText), strings.Join(strings.Fields(sentence), " ")) {
			t.Errorf("the page does not tell %q", sentence)
		}
	}
	w.staysTheRecord(b)
}

// staysTheRecord says that the page of an ended rollout is the same after a restart of
// the control plane, and with the session of before.
func (w *world) staysTheRecord(b *tab) {
	w.Helper()
	b.open(ask[string](b, "location.pathname"))
	before := ask[string](b, mainText)
	b.excuse(true)
	address := w.plane.at.API
	w.plane.stop(w)
	w.up("--api", address)
	b.open(ask[string](b, "location.pathname"))
	b.excuse(false)
	if after := ask[string](b, mainText); after != before {
		w.Errorf("after a restart the record is\n%s\nbefore it was\n%s", after, before)
	}
}

func TestAPageGoesOnWhenTheControlPlaneComesBackInTheBrowser(t *testing.T) {
	t.Parallel()
	inBrowser(t)
	w := start(t)
	file := strategy("{steps: [50], minStep: 10m, rollbackWindow: 10m}")
	w.deploy(0, behaviour{Version: "v1"}, file)
	l := w.startLoad(w.host())
	id := w.begin(behaviour{Version: "v2"}, file).Rollout.ID
	w.reaches("partial", partial)
	b := w.console("operator")
	b.open("/rollouts/" + id)
	b.shows("#link-state", "Live")
	ask[bool](b, `(window.notReloaded = true)`)

	b.excuse(true)
	address, answered := w.plane.at.API, l.by(1)
	w.plane.kill()
	b.shows("#link-state", "Disconnected")
	b.shows("#live-notice", "The control plane does not answer")
	b.accessible("a page that is disconnected")
	eventually(t, patience, "traffic goes on without the control plane", func() bool { return l.by(1) > answered+100 })
	w.up("--api", address)
	b.shows("#link-state", "Live")
	b.holds("takes the notice away", `document.getElementById("live-notice").innerText.trim() === ""`)
	script := fmt.Sprintf(pageFigures, w.named+"@2", w.named+"@1")
	stood := ask[figures](b, script)
	eventually(t, patience, "its numbers go on", func() bool { return ask[figures](b, script).OldRequests != stood.OldRequests })
	if !ask[bool](b, "window.notReloaded === true") {
		t.Error("the page was loaded again")
	}
	l.end()
	for _, loss := range l.lost {
		if !strings.Contains(loss, "could not be sent") { // by a machine that is too busy to send it
			t.Errorf("lost: %s", loss)
		}
	}
}
