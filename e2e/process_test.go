package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// process is one process of this machine. Its start tells it from a later one
// with the same pid.
type process struct {
	pid, parent int
	start       string
	line        string // arguments, separated by spaces; empty for a zombie
}

// identity tells a process from all others of this machine's life.
type identity struct {
	pid   int
	start string
}

func (p process) String() string { return fmt.Sprintf("%d (%s)", p.pid, p.line) }

// processes returns all processes of this machine.
func processes() map[int]process {
	all := map[int]process{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		stat, err := os.ReadFile(dir + "/stat")
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		line, _ := os.ReadFile(dir + "/cmdline")
		pid, _ := strconv.Atoi(filepath.Base(dir))
		parent, _ := strconv.Atoi(fields[1])
		all[pid] = process{pid, parent, fields[19], strings.TrimSpace(string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))}
	}
	return all
}

// is reports whether p and other are the same process, whatever became of its parent.
func (p process) is(other process) bool { return p.pid == other.pid && p.start == other.start }

// alive reports whether p still is there, as a zombie too.
func (p process) alive() bool {
	now, ok := processes()[p.pid]
	return ok && now.start == p.start
}

// mine returns the processes of a world: those that name its directory, and their
// children.
func (w *world) mine() []process {
	all := processes()
	var mine []process
	for _, p := range all {
		for at := p; at.pid > 1; at = all[at.parent] {
			if strings.Contains(at.line, w.dir+"/") {
				mine = append(mine, p)
				break
			}
			if at.parent == os.Getpid() && w.plane != nil && at.pid == w.plane.cmd.Process.Pid {
				mine = append(mine, p)
				break
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noteOutside()
	for _, p := range mine {
		w.known[identity{p.pid, p.start}] = p
	}
	return mine
}

// having returns the world's processes whose command line has all words.
func (w *world) having(words ...string) []process {
	return slices.DeleteFunc(w.mine(), func(p process) bool {
		return slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(p.line, word) })
	})
}

// one returns the only process whose command line has all words.
func (w *world) one(words ...string) process {
	w.Helper()
	found := w.having(words...)
	if len(found) != 1 {
		w.Fatalf("want one process with %q, found %v", words, found)
	}
	return found[0]
}

// gateway returns the gateway's process and the shim that holds its listener.
func (w *world) gateway() (gateway, shim process) {
	w.Helper()
	return w.one(" gateway --dir ", w.state), w.one(" shim --dir ", "/services/gateway")
}

// instance returns the app's process in an instance, and its shim.
func (w *world) instance(id string) (app, shim process) {
	w.Helper()
	shim = w.one(" shim --dir ", "/instances/"+id)
	all := processes()
	for _, p := range all {
		if all[all[p.parent].parent].pid == shim.pid && strings.HasPrefix(p.line, "./app") {
			return p, shim
		}
	}
	w.Fatalf("%s has no app among %v", id, w.mine())
	return
}

// kill -9 a process that this test started.
func (w *world) kill(p process) {
	w.Helper()
	if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil {
		w.Fatalf("kill %s: %v", p, err)
	}
}

var _ testing.TB = (*world)(nil)
