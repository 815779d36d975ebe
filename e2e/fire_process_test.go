package e2e

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/workload"
)

// death is when a process was killed, and when it was gone with its connections.
type death struct{ killed, gone time.Time }

// excuses excuses a request that was under way when the process died: it began before
// that was gone, ended after it was killed, and was not answered wrongly but not at all.
func (d death) excuses(l loss) bool {
	broken := false
	for _, sign := range []string{"EOF", "reset", "broken pipe", "502"} {
		broken = broken || strings.Contains(l.why, sign)
	}
	cut := strings.HasPrefix(l.why, "stream: ") && !strings.Contains(l.why, "503")
	return l.began.Before(d.gone) && l.ended.After(d.killed) && (broken || cut)
}

// killed kills a process and returns when it is gone, with all that it had open.
func (w *world) killed(p process) death {
	w.Helper()
	at := time.Now()
	w.kill(p)
	eventually(w, 10*time.Second, "the end of "+p.String(), func() bool { return !p.alive() || p.zombie() })
	return death{at, time.Now()}
}

// killedShim kills the shim of an instance, and returns when its app is gone too.
func (w *world) killedShim(shim process) death {
	w.Helper()
	children := map[int]process{}
	all := processes()
	for _, p := range all {
		if p.parent == shim.pid || all[p.parent].parent == shim.pid {
			children[p.pid] = p
		}
	}
	d := w.killed(shim)
	for _, p := range children {
		eventually(w, 10*time.Second, "the end of "+p.String(), func() bool { return !p.alive() || p.zombie() })
	}
	d.gone = time.Now()
	return d
}

// zombie reports whether nothing of p is left but its status. Its memory is given
// back before its connections are closed, and its first thread may end before others.
func (p process) zombie() bool {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.pid))
	_, state, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(state, "Z") && len(threads) <= 1
}

// oneAndTwo are environments with one replica and with two.
var oneAndTwo = map[string]string{"OfTwo": twoReplicas, "TheOnlyOne": ""}

func TestOnlyCallsInFlightInAKilledInstanceAreLost(t *testing.T) {
	for name, environments := range oneAndTwo {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			f := w.newFire()
			f.serves(f.file(appFile{environments: environments}))
			id := w.site().Instances[0].ID
			app, _ := w.instance(id)
			gone := w.killed(app)
			f.flows(400, 1)
			eventually(t, 10*time.Second, "the restart in the status", func() bool {
				for _, i := range w.site().Instances {
					if i.ID == id {
						return i.State == workload.Ready && i.Restarts == 1
					}
				}
				return false
			})
			f.lostOnly(gone.excuses)
			w.proven()
		})
	}
}

func TestOnlyCallsInFlightInAnInstanceAreLostWithItsShim(t *testing.T) {
	for name, environments := range oneAndTwo {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			f := w.newFire()
			f.serves(f.file(appFile{environments: environments}))
			before := w.site().Instances
			id := before[0].ID
			_, shim := w.instance(id)
			gone := w.killedShim(shim)
			f.flows(400, 1)
			eventually(t, 20*time.Second, "another instance in its place", func() bool {
				ready := 0
				for _, i := range w.site().Instances {
					if i.State == workload.Ready && i.ID != id {
						ready++
					}
				}
				return ready == len(before)
			})
			f.lostOnly(gone.excuses)
			w.proven()
		})
	}
}

func TestOnlyCallsInFlightInAKilledGatewayAreLostWhichComesBackOnItsListener(t *testing.T) {
	t.Parallel()
	w := start(t)
	f := w.newFire()
	f.serves(f.file(appFile{environments: twoReplicas}))
	gateway, shim := w.gateway()
	gone := w.killed(gateway)
	f.flows(400, 1)
	next, again := w.gateway()
	if next.is(gateway) || !again.is(shim) {
		t.Errorf("%s followed %s under %s", next, gateway, again)
	}
	eventually(t, 10*time.Second, "the restart in the ledger", func() bool { return w.count("gateway.started") == 2 })
	f.lostOnly(gone.excuses)
	w.proven()
}

func TestAKilledInstanceOfTheCanaryDoesNotLoseWhatWasNeverSentToIt(t *testing.T) {
	t.Parallel()
	w := start(t)
	f := w.newFire()
	slow := f.file(strategy("{steps: [50], maxStep: 10m, minStep: 10m, warmup: 100ms}"))
	slow.environments = strings.Replace(slow.environments, "replicas: 2", "replicas: 1", 1)
	f.splits(slow)
	for _, i := range w.site().Instances {
		if i.Release == 2 {
			app, _ := w.instance(i.ID)
			gone := w.killed(app)
			f.flows(400)
			f.lostOnly(gone.excuses)
		}
	}
	r := w.rollout()
	t.Logf("the rollout is %s, outcome %q, weight %s: %s", r.Phase, r.Outcome, r.Weight, r.Story[len(r.Story)-1])
	w.proven()
}

func TestUnderFireAShimThatHangsHindersNoRolloutAndLosesNothing(t *testing.T) {
	long(t)
	t.Parallel()
	w := start(t)
	f := w.newFire()
	file := f.file(lenient("50", "1s", "1s"))
	f.serves(file)
	app, shim := w.instance(w.site().Instances[0].ID)
	if err := syscall.Kill(shim.pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// Calls to the instance do not pass its shim; those of the instance to the test's
	// recorder do, so POSTs there wait.
	w.deploy(0, f.version(behaviour{Version: "v2"}), file)
	f.flows(200, 2)
	if !app.alive() {
		t.Error("the app ended while its shim hung")
	}
	if err := syscall.Kill(shim.pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	w.settled(2, 2)
	f.nothingLost()
	w.proven()
}
