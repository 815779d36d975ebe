package e2e

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// endAll ends what a world runs, in order where that is possible, and counts what
// is left of it on this machine: nothing but what the state directory keeps.
func (w *world) endAll() {
	w.Helper()
	w.mine() // to know them, also those that down ends
	if _, err := os.Stat(w.seen(filepath.Join(w.state, "fairlead.db"))); err == nil {
		r := w.run("down")
		if r.code != 0 {
			r = w.run("down", "--force")
		}
		if r.code != 0 {
			w.Errorf("the world cannot be ended: %s", r)
		}
	}
	if w.plane != nil {
		w.plane.awaitEnd()
	}
	w.nothingLeft()
	for _, p := range w.mine() {
		w.kill(p)
	}
}

// awaitEnd waits for a control plane that was asked to end, and kills one that does not.
func (p *plane) awaitEnd() {
	select {
	case <-p.exited:
	case <-time.After(20 * time.Second):
		p.kill()
	}
}

// nothingLeft says that a world that was ended has left nothing. What ended a
// moment ago has a moment to be gone.
func (w *world) nothingLeft() {
	w.Helper()
	var left []string
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if left = w.census(); len(left) == 0 || time.Now().After(deadline) {
			break
		}
	}
	for _, what := range left {
		w.Errorf("left: %s", what)
	}
}

// census lists what a world has on this machine: processes, zombies among them,
// mounts, cgroups, sockets and files. The files that the state directory keeps when
// nothing runs are not counted.
func (w *world) census() []string {
	w.Helper()
	var found []string
	add := func(kind string, what any) { found = append(found, fmt.Sprintf("%s %v", kind, what)) }
	for _, p := range w.mine() {
		add("process", p)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.known {
		if p.alive() {
			add("process of before, or its zombie,", p)
		}
	}
	for path := range w.outside {
		if _, err := os.Stat(path); path != "" && err == nil {
			add("outside", path)
		}
	}
	for _, table := range []struct{ kind, file string }{{"mount", "/proc/self/mountinfo"}, {"socket", "/proc/net/unix"}} {
		text, _ := os.ReadFile(table.file)
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, w.dir+"/") {
				add(table.kind, strings.TrimSpace(line))
			}
		}
	}
	shared, _ := filepath.Glob("/dev/shm/fairlead-*" + w.named + "*")
	for _, file := range shared {
		add("shared memory", file)
	}
	below("/sys/fs/cgroup", func(path string, d fs.DirEntry) {
		if d.IsDir() && strings.Contains(d.Name(), "fairlead-"+w.named) {
			add("cgroup", path)
		}
	})
	if w.engine != nil && w.engine.Runs() {
		for _, what := range w.inEngine() {
			add("in the engine", what)
		}
	}
	below(w.seen(w.temp()), func(path string, _ fs.DirEntry) { add("temporary file", path) })
	below(w.seen(w.state), func(path string, d fs.DirEntry) {
		if !slices.Contains(w.spared, path) && !kept.MatchString(path) || d.Type()&os.ModeSocket != 0 {
			add("file", filepath.Join(w.state, path))
		}
	})
	return found
}

// noteOutside remembers what instances and jobs have outside the state directory,
// as they noted it down. It needs the lock.
func (w *world) noteOutside() {
	files, _ := filepath.Glob(w.seen(filepath.Join(w.state, "run", "*", "*", "outside.json")))
	for _, file := range files {
		var noted struct {
			Cgroups []string
			Scratch string
		}
		text, _ := os.ReadFile(file) // it may be gone
		if json.Unmarshal(text, &noted) == nil {
			for _, path := range append(noted.Cgroups, noted.Scratch) {
				w.outside[path] = true
			}
		}
	}
}

// kept are the files that the state directory keeps on purpose, see
// docs/design/state.md.
var kept = regexp.MustCompile(`^(` + strings.Join([]string{
	`fairlead\.db`, `keys\.db`, `ledger\.key`, `ledger\.vkey`, `lock`,
	`admin\.token`, `evidence\.key`, `vault\.key`, `vault(/[0-9a-f]{64}\.age)?`,
	`content(/tmp|/blobs(/[0-9a-f]{2}(/[0-9a-f]{64})?)?|/trees(/[0-9a-f]{64}(/.*)?)?)?`, `scratch`,
	`run(/term\.json|/owner|/engines?|/networks\.lock|/instances|/services|/jobs)?`,
	`gateway(/lock|/journal|/snapshot\.json|/order|/spool(/[^.].*)?)?`,
	`volumes(/.*)?`,
}, "|") + `)$`)

// below calls each with the paths below dir, relative to it. What goes away
// meanwhile is not there.
func below(dir string, each func(path string, d fs.DirEntry)) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if rel, relErr := filepath.Rel(dir, path); err == nil && relErr == nil && rel != "." {
			each(rel, d)
		}
		return nil
	})
}
