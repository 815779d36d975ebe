package e2e

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/api/client"
)

// nextBuild builds the program once more, as another version.
func (w *world) nextBuild() string {
	w.Helper()
	path := filepath.Join(w.dir, "next", "fairlead")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X main.version=v99-next", "-o", path, "../cmd/fairlead")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		w.Fatalf("%v\n%s", err, out)
	}
	return path
}

func TestAnUpgradeInTheMiddleOfARolloutLosesNothingAndReplacesOnlyTheGateway(t *testing.T) {
	t.Parallel()
	w := start(t)
	next := w.nextBuild() // now, for the rollout does not wait for it
	f := w.newFire()
	file := f.file(lenient("50", "8s", "3s"))
	f.splits(file)
	lines := make(chan string, 1000)
	if status := w.open("/stream?n=500", lines); status != 200 { // 10 s
		t.Fatalf("the stream answers %d", status)
	}
	gateway, shim := w.gateway()
	shims := w.shims()

	w.plane.kill()
	w.build = next
	w.up()
	newer, again := w.charge(next)
	if newer.is(gateway) || !again.is(shim) {
		t.Errorf("%s under %s followed %s under %s", newer, again, gateway, shim)
	}
	if r := w.rollout(); r.Held != "" || r.Outcome != "" {
		t.Errorf("the rollout is held %q, outcome %q", r.Held, r.Outcome)
	}
	for id, was := range shims {
		if !was.alive() {
			t.Errorf("%s of instance %s is gone", was, id)
		}
	}
	f.flows(200)

	w.plane.kill()
	w.up()
	if same, _ := w.charge(next); !same.is(newer) {
		t.Errorf("the same build replaced %s by %s", newer, same)
	}
	w.reaches("promoted", outcome(client.Promoted))
	events, last := 0, ""
	for line := range lines {
		if strings.HasPrefix(line, "data: ") {
			events, last = events+1, line
		}
	}
	if events != 501 || last != "data: [DONE]" {
		t.Errorf("the long stream had %d events, the last %q", events, last)
	}
	eventually(t, 30*time.Second, "the end of the gateway before", func() bool { return !gateway.alive() })
	f.nothingLost()
	w.ledgerHas(map[string]int{"server.gatewayReplaced": 1, "gateway.started": 2, "gateway.leaseExpired": 0, "server.gatewayKept": 0})
	w.proven()
}

// charge returns the gateway in charge, which runs from a program, and its shim. The
// one before may still end its requests.
func (w *world) charge(program string) (gateway, shim process) {
	w.Helper()
	for _, p := range w.mine() {
		if at, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.pid)); strings.Contains(p.line, " gateway --dir ") && at == program {
			gateway = p
		}
	}
	if gateway.pid == 0 {
		w.Fatalf("no gateway runs from %s among %v", program, w.mine())
	}
	return gateway, w.one(" shim --dir ", "/services/gateway")
}

// ledgerHas says how many entries of some kinds there are.
func (w *world) ledgerHas(want map[string]int) {
	w.Helper()
	got := map[string]int{}
	for _, e := range w.entries() {
		got[e.Kind]++
	}
	for _, kind := range slices.Sorted(maps.Keys(want)) {
		if got[kind] != want[kind] {
			w.Errorf("%d entries %s, want %d", got[kind], kind, want[kind])
		}
	}
}
