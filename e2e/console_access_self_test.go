package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// sound is a page without faults, into which each fault is put.
const sound = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Sound</title>
<link rel="icon" href="data:,">
<style>body { background: #fff; color: #222; font: 16px sans-serif } :focus-visible { outline: 2px solid #00f } .pale { color: #aaa }
.quiet:focus { outline: none } .wide { width: 3000px } .small { display: block; width: 10px; height: 10px; overflow: hidden }</style></head>
<body><header><a href="/">Home</a></header><main><h1>Sound</h1><p>All is well, and <a href="#x">so is this</a>.</p>%s</main></body></html>`

func TestTheAccessibilityCheckFindsEachFaultInTheBrowser(t *testing.T) {
	t.Parallel()
	inBrowser(t)
	for name, c := range map[string]struct{ rule, put, from, to string }{
		"no fault":                   {},
		"no language":                {rule: "language", from: ` lang="en"`},
		"no title":                   {rule: "title", from: "<title>Sound</title>"},
		"no header":                  {rule: "landmark", from: "header>", to: "div>"},
		"no main":                    {rule: "landmark", from: "main>", to: "section>"},
		"two first headings":         {rule: "heading", put: "<h1>Another</h1>"},
		"a heading skipped":          {rule: "heading", put: "<h3>Deep</h3>"},
		"a picture without words":    {rule: "picture", put: `<img src="data:," width="30" height="30">`},
		"a drawing without a role":   {rule: "picture", put: `<svg width="30" height="30"><circle r="9"/></svg>`},
		"a drawing without a name":   {rule: "picture", put: `<svg role="img" width="30" height="30"><circle r="9"/></svg>`},
		"a field without a label":    {rule: "label", put: `<input type="search">`},
		"a button without a name":    {rule: "name", put: `<button><span aria-hidden="true">×</span></button>`},
		"a link without a name":      {rule: "name", put: `<a href="#y"><svg aria-hidden="true" width="30" height="30"></svg></a>`},
		"a focus without a role":     {rule: "role", put: `<div tabindex="0">Press me</div>`},
		"a table without a caption":  {rule: "table", put: `<table><tr><th scope="col">A</th></tr><tr><td>1</td></tr></table>`},
		"a table without headers":    {rule: "table", put: `<table><caption>Numbers</caption><tr><td>1</td></tr></table>`},
		"a header cell of nothing":   {rule: "table", put: `<table><caption>Numbers</caption><tr><th>A</th></tr><tr><td>1</td></tr></table>`},
		"an id that is there twice":  {rule: "id", put: `<p id="a">A</p><p id="a">B</p>`},
		"a name from nowhere":        {rule: "reference", put: `<p aria-labelledby="nobody">A</p>`},
		"pale text":                  {rule: "contrast", put: `<p class="pale">Hardly to be read</p>`},
		"pale text in a drawing":     {rule: "contrast", put: `<svg role="img" aria-label="x" width="90" height="30"><text y="20" fill="#bbb">42</text></svg>`},
		"text that shines through":   {rule: "contrast", put: `<p><span><b style="opacity:.4">Ghost</b></span></p>`},
		"targets side by side":       {rule: "target", put: `<a class="small" href="#1">1</a><a class="small" href="#2">2</a>`},
		"wider than the screen":      {rule: "width", put: `<p class="wide">Wide</p>`},
		"a focus that is not seen":   {rule: "focus", put: `<p><button class="quiet">Quiet</button></p>`},
		"a focus that is covered":    {rule: "focus", put: `<button>Under</button><p style="position:fixed;inset:0;background:#fff">Cover</p>`},
		"an order against the eye":   {rule: "order", put: `<div style="display:flex;flex-direction:column-reverse"><button>Low</button><button>High</button></div>`},
		"an order of its own":        {rule: "order", put: `<button tabindex="2">First</button>`},
		"a focus that never leaves":  {rule: "trap", put: `<button id="t">Trap</button><script>document.getElementById("t").onkeydown = (e) => e.preventDefault()</script>`},
		"text outside of landmarks":  {rule: "landmark", from: "</main>", to: "</main><p>Lost</p>"},
		"a dialog without a name":    {rule: "name", put: `<dialog open><p>Really?</p></dialog>`},
		"a heading without any text": {rule: "heading", put: "<h2></h2>"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.ReplaceAll(fmt.Sprintf(sound, c.put), c.from, c.to)
			if c.from == "" {
				text = fmt.Sprintf(sound, c.put)
			}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }))
			defer server.Close()
			b := openTab(t, server.URL)
			b.open("/")
			found := b.barriers()
			rules := map[string]bool{}
			for _, f := range found {
				rules[f.Rule] = true
			}
			if c.rule == "" && len(found) > 0 || c.rule != "" && !rules[c.rule] {
				t.Errorf("want %q, found %v", c.rule, found)
			}
		})
	}
}

// What a tab watches for is found, each by itself.
func TestATabTakesDownWhatGoesWrongInTheBrowser(t *testing.T) {
	t.Parallel()
	inBrowser(t)
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	for name, c := range map[string]struct{ body, want string }{
		"an error in the console": {`<script>console.error("no good")</script>`, "no good"},
		"an exception":            {`<script>throw new Error("thrown")</script>`, "thrown"},
		"a promise that breaks":   {`<script>Promise.reject(new Error("rejected"))</script>`, "rejected"},
		"a dialog":                {`<script>setTimeout(() => alert("hello"))</script>`, "dialog: hello"},
		"another host":            {`<img src="` + other.URL + `/x.png" alt="">`, "a request to " + other.URL},
		"a missing file":          {`<img src="/missing.png" alt="">`, "missing.png"},
		"a breach of the policy":  {`<meta http-equiv="Content-Security-Policy" content="script-src 'none'"><script>1</script>`, "Content Security Policy"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/" {
					http.NotFound(w, r)
					return
				}
				fmt.Fprintf(w, "<!doctype html><link rel=icon href=data:,><title>x</title>%s", c.body)
			}))
			defer server.Close()
			b := openTab(t, server.URL)
			b.open("/")
			found := ""
			eventually(t, patience, "it is taken down: "+c.want, func() bool {
				found += strings.Join(b.forgive(), "\n")
				return strings.Contains(found, c.want)
			})
		})
	}
}
