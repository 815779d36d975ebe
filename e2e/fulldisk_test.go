package e2e

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/api/client"
)

var fullDisk = regexp.MustCompile("no space left|full")

// hasNoRoom says that a refusal is that of a full disk.
func (w *world) hasNoRoom(r refusal) {
	w.Helper()
	if !fullDisk.MatchString(r.String()) || !strings.HasPrefix(r.Hint, "make room") {
		w.Errorf("on a full disk: %s", r)
	}
}

func TestUpOnAFullDiskSaysSoAndWorksOnceThereIsRoom(t *testing.T) {
	t.Parallel()
	w, r := newRoom(t, "8m")
	refused := 0
	for _, left := range []int64{0, 4096, 16384, 65536, 131072, 262144, 524288} {
		r.fill(left)
		ended := make(chan result, 1)
		go func() {
			ended <- w.run(append([]string{"up", "--output", "json", "--log-level", "error"}, anyPort...)...)
		}()
		eventually(t, time.Minute, "a start, or its end", func() bool {
			return len(ended) > 0 || strings.Contains(w.run("version", "--output", "json").out, `"server"`)
		})
		r.free()
		if len(ended) == 0 {
			t.Logf("%d bytes are room enough", left)
			w.must("down")
			<-ended
			continue
		}
		refused++
		w.hasNoRoom(w.refusalOf(<-ended, 1))
	}
	if refused == 0 {
		t.Error("the disk never was full")
	}
	w.up()
	w.must("status")
	w.must("down")
	w.nothingLeft()
	w.must("ledger", "verify")
}

func TestADeployOnAFullDiskSaysSoMakesNoReleaseAndWorksOnceThereIsRoom(t *testing.T) {
	t.Parallel()
	w, r := newRoom(t, "96m")
	w.up()
	file := w.lay(behaviour{Version: "v1"}, appFile{})
	write(w, filepath.Join(w.dir, "v1", "model"), strings.Repeat("weights ", 1<<20))
	r.fill(1_000_000)
	w.hasNoRoom(w.refused(1, "deploy", "-f", file)) // in the middle of the upload
	r.fill(0)
	w.hasNoRoom(w.refused(1, "deploy", "-f", file))
	w.hasNoRoom(w.refusalOf(w.feed("hunter2", "secret", "set", "key", "--env", "production", "--output", "json"), 1))
	w.must("status")
	w.exits(1, "releases", w.named) // a refused deploy makes none
	for _, dir := range []string{"content/tmp", "scratch"} {
		below(w.seen(filepath.Join(w.state, dir)), func(path string, _ fs.DirEntry) { t.Errorf("half done: %s/%s", dir, path) })
	}
	r.free()
	w.must("deploy", "-f", file, "--wait")
	if all := see[[]client.Release](w, "releases", w.named); len(all) != 1 {
		t.Errorf("%d releases", len(all))
	}
	w.proven()
}
