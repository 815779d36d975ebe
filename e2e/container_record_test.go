package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/fairlead/fairlead"
)

// tellsOfLooseness: what a file asks to go without stands in the ledger, the status and the
// doctor's answer, and nothing else is loosened.
func tellsOfLooseness(w *world) {
	w.ship(0, behaviour{Version: "v1"}, appFile{lines: "  loosen: {root: true}\n"})
	const words = "they run as root"
	began := w.last("rollout.began")
	if !carries(began.Data, words) {
		w.Errorf("the ledger tells nothing of it: %s", began.Data)
	}
	if out := w.must("status"); !strings.Contains(out, words) {
		w.Errorf("status tells nothing of it: %s", out)
	}
	var told struct {
		Loosened []struct {
			App     string
			Release int
			Allows  []string
		}
	}
	out := w.run("doctor", "--engine", w.engine.Socket(), "--output", "json").out // whatever this machine's sandbox holds
	if err := json.Unmarshal([]byte(out), &told); err != nil || len(told.Loosened) != 1 ||
		told.Loosened[0].App != w.named || told.Loosened[0].Release != 1 || strings.Join(told.Loosened[0].Allows, "; ") != words {
		w.Errorf("the doctor tells %+v of it, %v", told, err)
	}
	app := w.appIn(w.box(w.site().Instances[0].ID))
	if user, _, _ := strings.Cut(app.status["Uid"], "\t"); user != "0" {
		w.Errorf("it runs as user %s", user)
	}
	if !app.without("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb") || app.status["NoNewPrivs"] != "1" || app.status["Seccomp"] != "2" || !app.readOnly("/") {
		w.Errorf("more than the user is loosened: %v", app.status)
	}
}

// recordsBases: a release that was built says what from, by digest, and keeps the build's log.
func recordsBases(w *world) {
	b := behaviour{Version: "v1"}
	file := w.imaged(b, appFile{}, byDockerfile)
	base := "localhost/" + w.named + "-base:1"
	from := filepath.Join(w.dir, "base")
	if err := os.Mkdir(from, 0o755); err != nil {
		w.Fatal(err)
	}
	write(w, filepath.Join(from, "Dockerfile"), "FROM scratch\nCOPY note /note\n")
	write(w, filepath.Join(from, "note"), "a base\n")
	id := w.engine.Build(w, base, from)
	dockerfile := filepath.Join(w.dir, b.Version, "Dockerfile")
	text, err := os.ReadFile(dockerfile)
	if err != nil {
		w.Fatal(err)
	}
	write(w, dockerfile, strings.Replace(string(text), "FROM scratch", "FROM "+base, 1))
	d := w.deploy(0, b, file)
	image := d.Release.Content.Image
	if image == nil || len(image.Bases) != 1 || !fairlead.Digest(image.Bases[base]).Valid() || !strings.HasSuffix(image.Bases[base], strings.TrimPrefix(id, "sha256:")) {
		w.Errorf("of %s, which is %s, is recorded %+v", base, id, image)
	}
	w.servedInABox("v1")
}
