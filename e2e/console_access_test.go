package e2e

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// accessRules are evaluated in a page by the browser's protocol; the console serves none
// of it.
//
//go:embed testdata/access.js
var accessRules string

// barrier is something that keeps a person from using a page.
type barrier struct {
	Rule  string `json:"rule"`
	Where string `json:"where"`
	What  string `json:"what"`
}

func (f barrier) String() string { return fmt.Sprintf("%s: %s: %s", f.Rule, f.Where, f.What) }

// barriers returns what is wrong with the page as it stands.
func (b *tab) barriers() []barrier {
	b.Helper()
	found := append(ask[[]barrier](b, accessRules), b.nameless()...)
	return append(found, b.walk()...)
}

// accessible says that nobody is kept from using the page, by light and in the dark, at
// a desk and on a phone.
func (b *tab) accessible(name string) {
	b.Helper()
	for _, s := range []screen{desktop, phone} {
		for _, scheme := range []string{"light", "dark"} {
			b.size(s)
			b.scheme(scheme)
			found := b.barriers()
			for _, f := range found[:min(len(found), 12)] {
				b.Errorf("%s, %s on a %s: %s", name, scheme, s.name, f)
			}
			if len(found) > 12 {
				b.Errorf("%s, %s on a %s: and %d more", name, scheme, s.name, len(found)-12)
			}
		}
	}
	b.size(desktop)
	b.scheme("light")
}

// acting are the roles of what a person acts on, and of pictures: all of them need a name.
var acting = []string{"button", "link", "textbox", "searchbox", "combobox", "checkbox", "radio", "menuitem", "tab", "switch", "slider",
	"spinbutton", "listbox", "option", "image", "img", "graphics-document", "DisclosureTriangle", "dialog", "alertdialog"}

// nameless finds in the tree that screen readers get what has no name, and what takes
// the focus without a role.
func (b *tab) nameless() []barrier {
	b.Helper()
	var tree accessibility.GetFullAXTreeResult
	b.call("read the accessibility tree", func(ctx context.Context) (err error) {
		tree, err = chromedp.Call(ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		return err
	})
	var found []barrier
	for _, n := range tree.Nodes {
		role, name := textOf(n.Role), textOf(n.Name)
		focusable := slices.ContainsFunc(n.Properties, func(p *accessibility.Property) bool {
			return p.Name == accessibility.PropertyNameFocusable && p.Value != nil && string(p.Value.Value) == "true"
		})
		switch {
		case n.Ignored:
		case slices.Contains(acting, role) && strings.TrimSpace(name) == "":
			found = append(found, barrier{"name", role, fmt.Sprintf("node %d has no name", n.BackendDOMNodeID)})
		case focusable && (role == "generic" || role == "none" || role == ""):
			found = append(found, barrier{"role", role, fmt.Sprintf("%q takes the focus and has no role", name)})
		}
	}
	return found
}

func textOf(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	var s string
	_ = json.Unmarshal([]byte(v.Value), &s) // a number is no name
	return s
}

// stop is where the focus rests on its way through a page, and how that lies to the stop
// before it, of which all is read at one moment: a page that is followed changes.
type stop struct {
	Path   string
	Before string // path of the stop before, "" for none that is still there
	None   bool   // nothing has the focus
	First  bool   // it is where the way began
	Same   bool   // it is the stop before
	Back   bool   // the stop before comes later in the document
	Above  bool   // it stands above the stop before
	Ring   bool
	Hidden bool
}

// What has the focus is scrolled to in the next frames, on a busy machine a little later.
const focusNow = `(async () => {
  const e = document.activeElement;
  if (!e || e === document.body || e === document.documentElement) return {None: true};
  const seen = () => { const b = e.getBoundingClientRect(); return b.bottom > 0 && b.top < innerHeight; };
  for (let n = 0; n < 60 && !seen(); n++) await new Promise((resolve) => setTimeout(resolve, 16));
  const style = getComputedStyle(e), box = e.getBoundingClientRect();
  const ring = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1) || style.boxShadow !== "none";
  const top = document.elementFromPoint(Math.min(box.right - 1, Math.max(box.left + 1, (box.left + box.right) / 2)), (box.top + box.bottom) / 2);
  const name = (e) => e.localName + (e.id ? "#" + e.id : "") + " \"" + (e.innerText ?? "").trim().slice(0, 30) + "\"";
  const was = globalThis.walk.before, first = globalThis.walk.first ??= e;
  globalThis.walk.before = e;
  const stop = {Path: name(e), First: was !== undefined && e === first, Same: e === was, Ring: ring,
    Hidden: !top || !(e.contains(top) || top.contains(e)) && !e.labels?.length};
  if (!was?.isConnected) return stop;
  const over = was.getBoundingClientRect();
  return {...stop, Before: name(was), Back: (was.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_PRECEDING) > 0,
    Above: box.bottom <= over.top && box.left < over.right};
})()`

// maxStops is more than any page has; fieldStops is more than a field has of its own, such
// as the day, month and year of a date.
const (
	maxStops   = 400
	fieldStops = 12
)

// walk goes through the page with the Tab key and tells where the way is not as the eye
// expects it: the focus cannot be seen, jumps back, or never leaves.
func (b *tab) walk() []barrier {
	b.Helper()
	ask[bool](b, `(globalThis.walk = {}, document.activeElement?.blur(), scrollTo(0, 0), document.getSelection().removeAllRanges(), true)`)
	var found []barrier
	var now stop
	still := 0
	for range maxStops {
		b.press(kb.Tab)
		now = ask[stop](b, focusNow)
		if now.Same {
			if still++; still > fieldStops {
				return append(found, barrier{"trap", now.Path, "the focus does not leave it"})
			}
			continue
		}
		still = 0
		if now.None || now.First {
			return found
		}
		found = append(found, now.faults()...)
	}
	return append(found, barrier{"trap", now.Path, fmt.Sprintf("after %d steps the focus is not through", maxStops)})
}

func (s stop) faults() []barrier {
	var found []barrier
	if !s.Ring {
		found = append(found, barrier{"focus", s.Path, "nothing shows that it has the focus"})
	}
	if s.Hidden {
		found = append(found, barrier{"focus", s.Path, "it is covered while it has the focus"})
	}
	if s.Back {
		found = append(found, barrier{"order", s.Path, "the focus goes back to it from " + s.Before})
	}
	if s.Above {
		found = append(found, barrier{"order", s.Path, "it stands above " + s.Before + ", which has the focus before it"})
	}
	return found
}
