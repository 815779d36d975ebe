package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/fairlead/fairlead/api/client"
)

// slow is a strategy whose first step nobody earns within a test.
const slow = "{steps: [50], minStep: 10m, rollbackWindow: 10m}"

// asks opens the confirmation of an action and confirms it with a reason.
type asks func(b *tab, action, reason string)

// byMouse clicks.
func byMouse(b *tab, action, reason string) {
	b.Helper()
	b.click("#do-" + action)
	b.holds("asks for confirmation", `!!document.querySelector("dialog[open] textarea")`)
	b.click("dialog[open] textarea")
	b.press(reason)
	b.click("dialog[open] form button")
}

// byKeyboard uses nothing but Tab, Enter and letters.
func byKeyboard(b *tab, action, reason string) {
	b.Helper()
	b.holds("offers "+action, fmt.Sprintf(`!!document.getElementById("do-%s")`, action))
	ask[bool](b, `(document.activeElement?.blur(), true)`)
	b.tabTo(`document.activeElement?.id === "do-` + action + `"`)
	b.press(kb.Enter)
	b.holds("has the focus in the dialog", `document.querySelector("dialog[open]")?.contains(document.activeElement) ?? false`)
	b.press(kb.Escape)
	b.holds("gives the focus back", fmt.Sprintf(`!document.querySelector("dialog[open]") && document.activeElement?.id === "do-%s"`, action))
	b.press(kb.Enter)
	b.holds("has the focus in the dialog", `document.querySelector("dialog[open]")?.contains(document.activeElement) ?? false`)
	b.tabTo(`document.activeElement?.localName === "textarea"`)
	b.press(reason)
	b.tabTo(`document.activeElement?.localName === "button" && !!document.activeElement.closest("dialog")`)
	b.press(kb.Enter)
}

// tabTo presses Tab until the focus is where it is wanted.
func (b *tab) tabTo(there string) {
	b.Helper()
	for range maxStops {
		if b.says(there) {
			return
		}
		b.press(kb.Tab)
	}
	b.Fatalf("Tab never comes to where %s", there)
}

func TestEachActionIsDoneFromThePageByMouseAndKeyboardInTheBrowser(t *testing.T) {
	t.Parallel()
	inBrowser(t)
	w := start(t)
	file := strategy(slow)
	w.deploy(0, behaviour{Version: "v1"}, file)
	b, viewer := w.console("operator"), w.console("viewer")
	version := 2
	for _, way := range []struct {
		name string
		do   asks
	}{{"the mouse", byMouse}, {"the keyboard", byKeyboard}} {
		for _, end := range []string{"abort", "rollback"} {
			id := w.begin(behaviour{Version: fmt.Sprintf("v%d", version)}, file).Rollout.ID
			version++
			w.reaches("partial", func(r client.Rollout) bool { return partial(r) && r.ID == id })
			viewer.open("/rollouts/" + id)
			viewer.shows("#ro-actions", "look and not act")
			if n := ask[int](viewer, `document.querySelectorAll("a[data-act], form:not(.who)").length`); n != 0 {
				t.Errorf("a viewer sees %d actions", n)
			}
			for _, action := range []string{"pause", "resume", end} {
				b.open("/rollouts/" + id)
				reason := fmt.Sprintf("by %s to %s %d", way.name, action, version)
				way.do(b, action, reason)
				b.shows("main", "It stands in the ledger with your name")
				w.recorded(b.text(".who b"), action, reason)
			}
			w.reaches("over", func(r client.Rollout) bool { return r.ID != id || r.Outcome != "" })
		}
	}
	w.proven()
}

// recorded says that one of the newest entries has the person's name and reason.
func (w *world) recorded(name, action, reason string) {
	w.Helper()
	all := w.entries()
	var others []string
	for _, e := range all[max(0, len(all)-40):] {
		proven, err := w.api().Proven(context.Background(), e.Seq)
		if err != nil {
			w.Fatal(err)
		}
		if proven.Reason == reason {
			if e.Principal != name {
				w.Errorf("%s was done by %q, and %q was at the page", e.Kind, e.Principal, name)
			}
			return
		}
		if proven.Reason != "" {
			others = append(others, fmt.Sprintf("%s of %s: %q", e.Kind, e.Time, proven.Reason))
		}
	}
	w.Errorf("no entry of %s has the reason %q, but the newest have %s", action, reason, others)
}
