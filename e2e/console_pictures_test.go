package e2e

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/examples/triage/release"
)

// album takes pictures of the console in all looks.
type album struct {
	*tab
	dir string
}

// take keeps the page as it stands: console-<name>-<light|dark>-<phone|desktop>.png.
func (a album) take(name string) {
	a.Helper()
	for _, s := range []screen{desktop, phone} {
		a.size(s)
		for _, scheme := range []string{"light", "dark"} {
			a.scheme(scheme)
			file := filepath.Join(a.dir, fmt.Sprintf("console-%s-%s-%s.png", name, scheme, s.name))
			if err := os.WriteFile(file, small(a.picture(s)), 0o644); err != nil {
				a.Fatal(err)
			}
		}
	}
	a.size(desktop)
	a.scheme("light")
}

// of opens a page and takes it.
func (a album) of(name, path string) {
	a.Helper()
	a.open(path)
	a.take(name)
}

// mostColours is how many colours a picture keeps: those that its pixels have most often.
const mostColours = 128

// small returns a picture with a palette. One that cannot be read stays as it is.
func small(data []byte) []byte {
	full, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return data
	}
	box := full.Bounds()
	count := map[color.RGBA]int{}
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(full.At(x, y)).(color.RGBA) }
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			count[at(x, y)]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int {
		return cmp.Or(count[b]-count[a], cmp.Compare(uint32(a.R)<<16|uint32(a.G)<<8|uint32(a.B), uint32(b.R)<<16|uint32(b.G)<<8|uint32(b.B)))
	})
	palette := color.Palette{}
	for _, c := range colours[:min(len(colours), mostColours)] {
		palette = append(palette, c)
	}
	index := map[color.RGBA]uint8{}
	for _, c := range colours {
		index[c] = uint8(palette.Index(c))
	}
	less := image.NewPaletted(box, palette)
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			less.SetColorIndex(x, y, index[at(x, y)])
		}
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, less); err != nil {
		return data
	}
	return out.Bytes()
}

// tickets are what users ask the triage example.
var tickets = []string{"I cannot log in since yesterday.", "The invoice of March is wrong.", "Export to CSV ends with an error.", "How do I add a colleague?"}

// asked sends users' requests to an app until the test ends.
func (w *world) asked(host, path string) {
	p := startPace(w.plane.at.Gateway, func(int) bool { return true }, func(c *connection, seq int) {
		body := fmt.Sprintf(`{"model":"triage","messages":[{"role":"user","content":%q}]}`, tickets[seq%len(tickets)])
		r, err := http.NewRequest(http.MethodPost, "http://"+host+path, strings.NewReader(body))
		if err != nil {
			panic(err) // plain text
		}
		r.Header.Set("Content-Type", "application/json")
		r.AddCookie(&http.Cookie{Name: "fairlead_session", Value: "u" + strconv.Itoa(rand.IntN(sessions))})
		_, _ = c.do(r) // pictures need traffic, and keep no books
	}, func(int) {})
	w.Cleanup(p.end)
}

const triageFile = `apiVersion: fairlead.dev/v1
kind: App
metadata: {name: triage}
spec:
  artifact: {directory: ./triage-%s}
  command: [./triage]
  readiness: {path: /readyz}
  model: [model/weights.json]
  prompt: [prompt/reply.txt]
  config: [config/triage.json]
  gates:
    - {name: accuracy, command: [./triage, eval, -floor, "0.8"]}
  environments:
    - name: production
      replicas: 2
      strategy: {steps: [25, 50]}
`

// triage lays out a release of the example and returns its file.
func (w *world) triage(version string) string {
	w.Helper()
	if err := release.Write(filepath.Join(w.dir, "triage-"+version), built.triage, version); err != nil {
		w.Fatal(err)
	}
	file := filepath.Join(w.dir, "triage-"+version+".yaml")
	write(w, file, fmt.Sprintf(triageFile, version))
	return file
}

// called runs do in the name of another app.
func (w *world) called(name string, do func()) {
	was := w.named
	w.named = name
	do()
	w.named = was
}

// TestPicturesOfTheConsole takes them for the documentation; make screenshots runs it.
func TestPicturesOfTheConsole(t *testing.T) {
	dir := os.Getenv("FAIRLEAD_PICTURES")
	if dir == "" {
		t.Skip("make screenshots runs it")
	}
	inBrowser(t)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w := start(t)
	w.named = "triage"
	guest := album{w.stranger(), dir}
	guest.excuse(true)
	guest.of("login", "/login")
	a := album{w.console("operator"), dir}
	a.excuse(true)
	a.of("fleet-empty", "/")
	a.of("error", "/nowhere")
	w.others(a)
	w.triaged(a)
	a.of("fleet-busy", "/")
	a.of("ledger", "/ledger")
	a.of("entry", fmt.Sprintf("/ledger/%d", w.last("rollout.rolledBack").Seq))
	a.of("app", "/apps/triage")
	a.of("release-diff", "/apps/triage/releases/2")
	w.plane.kill()
	a.open("about:blank")
	w.up("--api", w.plane.at.API)
	a.open("/")
	a.shows("#link-state", "Live")
	w.plane.kill()
	a.shows("#live-notice", "does not answer")
	a.take("disconnected")
	w.up("--api", w.plane.at.API)
}

// others brings apps beside the main one to where a person must look.
func (w *world) others(a album) {
	w.called("summary", func() {
		b := behaviour{Version: "sum1"}
		file := appFile{lines: "  gates:\n    - {name: evaluation, command: [./app, gate]}\n", environments: "    - {name: qa, strategy: " + fast + "}\n"}
		w.deploy(0, b, file)
		b.Version, b.Gate.Last = "sum2", 45e9
		id := w.begin(b, file).Rollout.ID
		w.reaches("gating", func(r client.Rollout) bool { return r.ID == id && len(r.Gates) > 0 && r.Gates[0].State == "running" })
		a.of("rollout-gating", "/rollouts/"+id)
	})
	w.called("search", func() {
		w.deploy(0, behaviour{Version: "s1"}, strategy(slow))
		w.asked("search.localhost", "/v1/ask")
		id := w.begin(behaviour{Version: "s2"}, strategy(slow)).Rollout.ID
		w.reaches("partial with requests", func(r client.Rollout) bool { return partial(r) && r.Canary.Requests > 300 })
		w.must("pause", "search", "--reason", "the search index is being rebuilt")
		a.of("rollout-held", "/rollouts/"+id)
	})
}

// triaged releases the example three times: better, and worse.
func (w *world) triaged(a album) {
	w.must("deploy", "-f", w.triage("v1"), "--wait")
	w.asked("triage.localhost", "/v1/chat/completions")
	good := see[client.Deployed](w, "deploy", "-f", w.triage("v2")).Rollout.ID
	w.reaches("on its way", func(r client.Rollout) bool { return r.ID == good && partial(r) && r.Canary.Requests > 600 })
	a.of("rollout-live", "/rollouts/"+good)
	a.click("#do-rollback, #do-abort")
	a.holds("asks for confirmation", `!!document.querySelector("dialog[open] textarea")`)
	a.take("confirm")
	eventually(w, 4*patience, "v2 is promoted", func() bool { return w.apiRollout(good).Outcome == client.Promoted })
	a.of("rollout-promoted", "/rollouts/"+good)
	bad := see[client.Deployed](w, "deploy", "-f", w.triage("v3")).Rollout.ID
	eventually(w, 4*patience, "v3 is rolled back", func() bool { r := w.apiRollout(bad); return r.Outcome == client.RolledBack && r.Phase == "ended" })
	a.of("rollout-rolled-back", "/rollouts/"+bad)
}
