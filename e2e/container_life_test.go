package e2e

import (
	"os"
	"strings"
	"time"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/container"
)

// adopts: containers and their supervision go on without the control plane, which finds them
// again.
func adopts(w *world) {
	w.ship(0, behaviour{Version: "v1"}, appFile{environments: twoReplicas})
	l := w.startLoad(w.host())
	eventually(w, 10*time.Second, "traffic", func() bool { return l.by(1) > 100 })
	before := w.boxes()
	w.plane.kill()
	seen := l.by(1)
	eventually(w, 10*time.Second, "traffic while nobody attends", func() bool { return l.by(1) > seen+200 })
	w.up()
	after := map[string]boxed{}
	for _, b := range w.boxes() {
		after[b.ID] = b
	}
	for _, b := range before {
		if now, ok := after[b.ID]; !ok || now.State.Pid != b.State.Pid {
			w.Errorf("before %s with pid %d, after %+v", b.Name, b.State.Pid, now.State)
		}
	}
	if len(before) != 2 || len(after) != 2 {
		w.Errorf("%d containers before, %d after", len(before), len(after))
	}
	w.ship(0, behaviour{Version: "v2"}, appFile{environments: twoReplicas})
	l.stop()
	w.proven()
}

// healsARemovedContainer: what somebody removed is there again, and says so.
func healsARemovedContainer(w *world) {
	w.ship(0, behaviour{Version: "v1"}, appFile{environments: twoReplicas})
	l := w.startLoad(w.host())
	eventually(w, 10*time.Second, "traffic", func() bool { return l.by(1) > 100 })
	gone := w.box(w.site().Instances[0].ID)
	w.engine.Ask(w, "DELETE", "/containers/"+gone.ID+"?force=true", nil, nil)
	eventually(w, 30*time.Second, "two ready instances again", func() bool {
		ready := 0
		for _, i := range w.site().Instances {
			if i.State == workload.Ready {
				ready++
			}
		}
		return ready == 2 && len(w.running()) == 2
	})
	for _, b := range w.running() {
		if b.ID == gone.ID {
			w.Errorf("%s is still there", b.Name)
		}
	}
	seen := l.by(1)
	eventually(w, 10*time.Second, "traffic", func() bool { return l.by(1) > seen+200 })
	l.onlyBroken()
	w.proven()
}

// running are the world's containers that run.
func (w *world) running() (running []boxed) {
	w.Helper()
	for _, b := range w.boxes() {
		if b.State.Running {
			running = append(running, b)
		}
	}
	return running
}

// endsTheDeaf: an app that ignores SIGTERM is killed after its time to drain.
func endsTheDeaf(w *world) {
	brief := strategy("{steps: [50], beta: 0.3, margin: {ratio: 5, absolute: 0.2}, warmup: 100ms, minStep: 1s, rollbackWindow: 500ms}")
	brief.lines = "  drain: 1s\n"
	w.ship(0, behaviour{Version: "v1", Deaf: true}, brief)
	l := w.startLoad(w.host())
	w.ship(0, behaviour{Version: "v2"}, brief)
	w.reaches("at its end", func(r client.Rollout) bool { return r.Phase == "ended" })
	eventually(w, 30*time.Second, "the end of the deaf containers", func() bool {
		for _, b := range w.boxes() {
			if b.Config.Labels[container.LabelRelease] == "1" {
				return false
			}
		}
		return true
	})
	l.stop()
	w.proven()
}

// tellsOfTheWrongPort: nobody answers where the App file says, and the reason names the port.
func tellsOfTheWrongPort(w *world) {
	file := appFile{readiness: "{path: /readyz, interval: 100ms, deadline: 10s}"}
	b := behaviour{Version: "v1", Port: "9999"}
	r := w.exits(1, "deploy", "-f", w.lay(b, w.imaged(b, file, byName)), "--wait")
	if !strings.Contains(r.out+r.err, "8080") {
		w.Errorf("the reason does not name the port where nobody answers: %s", r)
	}
}

// sharesPorts: two apps that listen on one port do not meet, for each has its own network.
func sharesPorts(w *world) {
	b := behaviour{Version: "v1"}
	file := w.lay(b, w.imaged(b, appFile{environments: twoReplicas}, byName))
	w.must("deploy", "-f", file, "--wait")
	text, err := os.ReadFile(file)
	if err != nil {
		w.Fatal(err)
	}
	other := w.named + "b"
	write(w, file, strings.Replace(string(text), "metadata: {name: "+w.named, "metadata: {name: "+other, 1))
	w.must("deploy", "-f", file, "--wait")
	seen := map[string]bool{}
	for _, host := range []string{w.host(), other + ".localhost"} {
		status, header, _ := w.get(host, "/")
		if status != 200 {
			w.Errorf("%s answers %d", host, status)
		}
		seen[header.Get("X-Instance")] = true
	}
	if len(seen) != 2 {
		w.Errorf("two apps are answered by %v", seen)
	}
}
