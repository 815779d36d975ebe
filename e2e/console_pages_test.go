package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/api/client"
)

// leaf is a page and what it has to say, as the API tells it.
type leaf struct {
	name, path string
	says       []string
	still      bool // an error: the browser notes it
}

// busy is a world with a rollout that goes on for as long as a test looks at it.
func (w *world) busy() (rollout string) {
	w.Helper()
	file := strategy(slow)
	file.lines += gateLines
	w.deploy(0, behaviour{Version: "v1"}, file)
	w.startLoad(w.host())
	id := w.begin(behaviour{Version: "v2"}, file).Rollout.ID
	w.reaches("partial with requests", func(r client.Rollout) bool { return partial(r) && r.Canary.Requests > 50 })
	return id
}

// leaves are the console's pages in a busy world.
func (w *world) leaves(id string) []leaf {
	w.Helper()
	r := w.apiRollout(id)
	releases := see[[]client.Release](w, "releases", w.named)
	newest := slices.MaxFunc(releases, func(a, b client.Release) int { return a.Number - b.Number })
	began := w.last("rollout.began")
	if proven, err := w.api().Proven(context.Background(), began.Seq); err != nil || !proven.Holds {
		w.Fatalf("the entry is not proven: %v %s", err, proven.Problem)
	}
	name := w.named + "@2"
	return []leaf{
		{name: "the fleet", path: "/", says: []string{w.named, "production", w.named + "@1", name, "ready"}},
		{name: "a rollout", path: "/rollouts/" + id, says: append(append([]string{name, "50 %", "check", r.ID}, r.Story...), instances(w.site())...)},
		{name: "an action", path: "/rollouts/" + id + "/pause", says: []string{"Pause " + name + "?", r.Would["pause"], "Reason"}},
		{name: "a release", path: "/apps/" + w.named + "/releases/2", says: []string{name, "config.json", string(newest.Digest)[7:15], w.named + "@1"}},
		{name: "an app", path: "/apps/" + w.named, says: []string{w.named, "production", name, w.named + "@1"}},
		{name: "the ledger", path: "/ledger", says: []string{began.Text}},
		{name: "an entry", path: fmt.Sprintf("/ledger/%d", began.Seq), says: []string{began.Text, began.Kind, "Proof holds"}},
		{name: "the verification", path: "/ledger/verify", says: []string{"Verify now"}},
		{name: "a page that is not there", path: "/nowhere", says: []string{"nothing here", "/nowhere"}, still: true},
	}
}

func instances(s client.Site) []string {
	var ids []string
	for _, i := range s.Instances {
		ids = append(ids, i.ID)
	}
	return ids
}

// told checks that a page says all it has to, in whatever whitespace.
func (l leaf) told(b *tab, how string) {
	b.Helper()
	text := ask[string](b, `document.querySelector("main").textContent.replaceAll(/\s+/g, " ")`)
	for _, fact := range l.says {
		if fact != "" && !strings.Contains(text, strings.Join(strings.Fields(fact), " ")) {
			b.Errorf("%s %s does not say %q, only\n%.1500s", l.name, how, fact, text)
		}
	}
}

// mostBytes is what a page may have in all: markup, styles, modules and drawings.
const mostBytes = 100_000

func TestEveryPageSaysWhatTheAPISaysAndKeepsNobodyOutInTheBrowser(t *testing.T) {
	t.Parallel()
	inBrowser(t)
	w := start(t)
	id := w.busy()
	b := w.console("operator")
	b.uncached()
	for _, page := range w.leaves(id) {
		b.excuse(page.still)
		b.weight()
		b.open(page.path)
		page.told(b, "with scripts")
		all, parts := b.weight()
		t.Logf("%-26s %6d bytes: %s", page.name, all, strings.Join(parts, ", "))
		if all > mostBytes {
			t.Errorf("%s has %d bytes, of %d: %v", page.name, all, mostBytes, parts)
		}
		b.accessible(page.name)
		b.scripts(false)
		b.open(page.path)
		b.scripts(true) // for the question, not for the page: it is loaded
		page.told(b, "without scripts")
	}
	b.excuse(false)
	b.open("/rollouts/" + id)
	b.click("#do-pause")
	b.holds("asks for confirmation", `!!document.querySelector("dialog[open] textarea")`)
	b.accessible("a dialog")
}
