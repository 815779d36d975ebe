package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/api/client"
)

// markup would run in a page that took it for its own.
const markup = `<img src=x onerror=alert(1)><script>alert(2)</script>"'&lt;`

// planted finds what became of markup if a page took it for its own.
const planted = `document.querySelectorAll('img[src="x"], script:not([src^="/assets/"]), [onerror]').length`

func TestWhatStrangersWriteStaysTextInTheBrowser(t *testing.T) {
	t.Parallel()
	inBrowser(t)
	w := start(t)
	file := strategy(slow)
	file.lines = fmt.Sprintf("  env: {GREETING: %q}\n", markup)
	named := strings.ReplaceAll(w.lay(behaviour{Version: "bad"}, appFile{}), "bad.yaml", "named.yaml")
	write(w, named, strings.ReplaceAll(readText(w, w.dir+"/bad.yaml"), "{name: "+w.named+"}", fmt.Sprintf("{name: %q}", markup)))
	if r := w.run("deploy", "-f", named); r.code == 0 {
		t.Errorf("an app may be called %s", markup)
	}

	w.deploy(0, behaviour{Version: "v1"}, file)
	w.hostile(t)
	id := w.begin(behaviour{Version: "v2"}, file).Rollout.ID
	w.reaches("partial", partial)
	w.must("pause", w.named, "--reason", markup)
	b := w.console("operator")
	for _, page := range []struct{ path, says string }{
		{"/", ""}, {"/rollouts/" + id, markup}, {"/apps/" + w.named, ""}, {"/apps/" + w.named + "/releases/2", "<b>.txt"},
		{"/ledger", ""}, {fmt.Sprintf("/ledger/%d", w.last("rollout.paused").Seq), markup},
	} {
		b.open(page.path)
		if page.says != "" {
			b.holds("shows the markup as text", fmt.Sprintf(`document.querySelector("main").textContent.includes(%q)`, page.says))
		}
		if n := ask[int](b, planted); n != 0 {
			t.Errorf("%s has %d elements of strangers", page.path, n)
		}
	}
	b.open("/rollouts/" + id)
	byMouse(b, "resume", markup)
	b.shows("main", "It stands in the ledger with your name")
	w.subject(b)
}

// hostile leaves markup in the file that v2 brings, and in all that a request carries.
func (w *world) hostile(t *testing.T) {
	t.Helper()
	for _, version := range []string{"v2"} {
		dir := filepath.Join(w.dir, version)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		write(w, filepath.Join(dir, "<b>.txt"), markup+"\n")
	}
	for _, header := range []string{"User-Agent", "X-Request-Id", "Fairlead-Run", "Referer", "Cookie"} {
		r, err := http.NewRequest(http.MethodGet, "http://"+w.host()+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(header, "fairlead_session="+markup)
		c := &connection{address: w.plane.at.Gateway}
		_, _ = c.do(r) // refused or not
		c.close()
	}
}

// subject releases a commit whose subject is markup, and looks at its page.
func (w *world) subject(b *tab) {
	w.Helper()
	w.must("abort", w.named)
	w.reaches("aborted", func(r client.Rollout) bool { return r.Outcome != "" })
	repo := filepath.Join(w.dir, "repo")
	w.lay(behaviour{Version: "repo"}, appFile{})
	from := w.lay(behaviour{Version: "other"}, appFile{artifact: "{from: {git: ., ref: main, build: [./app, build, out], directory: out}}"})
	file := filepath.Join(repo, "fairlead.yaml")
	write(w, file, readText(w, from))
	w.git(repo, "init", "-q", "-b", "main")
	w.git(repo, "add", ".")
	w.git(repo, "commit", "-q", "-m", markup)
	release := see[client.Deployed](w, "deploy", "-f", file).Release.Number
	b.open(fmt.Sprintf("/apps/%s/releases/%d", w.named, release))
	b.holds("shows the subject as text", fmt.Sprintf(`document.querySelector("main").textContent.includes(%q)`, markup))
	if n := ask[int](b, planted); n != 0 {
		w.Errorf("the release's page has %d elements of strangers", n)
	}
}

func readText(w *world, file string) string {
	w.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		w.Fatal(err)
	}
	return string(data)
}
