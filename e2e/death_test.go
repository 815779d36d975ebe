package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/workload"
)

func TestAnAppThatIsKilledIsRestartedByItsShim(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.deploy(0, behaviour{Version: "v1"}, appFile{})
	id := w.site().Instances[0].ID
	w.plane.kill() // nobody but the shim can restart it
	app, shim := w.instance(id)
	w.kill(app)
	eventually(t, 10*time.Second, "an answer from the restarted app", func() bool {
		if app.alive() {
			return false
		}
		status, header, _ := w.get(w.host(), "/")
		return status == 200 && header.Get("X-Instance") == id
	})
	if !shim.alive() {
		t.Error("the shim ended with the app")
	}
	w.up()
	eventually(t, 5*time.Second, "the restart in the status", func() bool {
		i := w.site().Instances
		return len(i) == 1 && i[0].ID == id && i[0].Restarts == 1 && i[0].State == workload.Ready
	})
}

func TestAShimThatIsKilledTakesItsInstanceAlongWhichIsReplaced(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.deploy(0, behaviour{Version: "v1"}, appFile{environments: twoReplicas})
	l := w.startLoad(w.host())
	eventually(t, 10*time.Second, "traffic", func() bool { return l.by(1) > 100 })
	id := w.site().Instances[0].ID
	app, shim := w.instance(id)
	w.kill(shim)
	eventually(t, 5*time.Second, "the end of the app", func() bool { return !app.alive() })
	eventually(t, 20*time.Second, "another instance in its place", func() bool {
		ready := 0
		for _, i := range w.site().Instances {
			if i.State == workload.Ready && i.ID != id {
				ready++
			}
		}
		return ready == 2
	})
	seen := l.by(1)
	eventually(t, 10*time.Second, "traffic", func() bool { return l.by(1) > seen+200 })
	l.onlyBroken()
}

func TestAGatewayThatIsKilledIsRestartedAndNoConnectionIsRefused(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.deploy(0, behaviour{Version: "v1"}, appFile{})
	w.plane.kill() // nobody but the shim can restart it
	l := w.startLoad(w.host())
	eventually(t, 10*time.Second, "traffic", func() bool { return l.by(1) > 200 })
	gateway, shim := w.gateway()
	w.kill(gateway)
	seen := l.by(1)
	eventually(t, 20*time.Second, "traffic through the next gateway", func() bool { return l.by(1) > seen+400 })
	if next, again := w.gateway(); next.is(gateway) || !again.is(shim) {
		t.Errorf("%s followed %s under %s", next, gateway, again)
	}
	l.onlyBroken()
	w.up()
}

// onlyBroken ends the traffic and says that nothing but calls in flight broke.
func (l *load) onlyBroken() {
	l.t.Helper()
	l.end()
	if len(l.lost) > connections {
		l.t.Errorf("%d lost: %.10q", len(l.lost), l.lost)
	}
	for _, why := range l.lost {
		if !strings.Contains(why, "EOF") && !strings.Contains(why, "reset") && !strings.Contains(why, "502") {
			l.t.Errorf("lost %s", why)
		}
	}
}

func TestAGatewayWhoseShimDiedIsStartedAgainAtTheSameAddress(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.deploy(0, behaviour{Version: "v1"}, appFile{})
	_, shim := w.gateway()
	w.kill(shim)
	eventually(t, 20*time.Second, "answers at the same address", func() bool {
		c := &connection{address: w.plane.at.Gateway}
		defer c.close()
		a, err := c.do(request(w.host(), "again", 1))
		return !shim.alive() && err == nil && a.StatusCode == 200
	})
	eventually(t, 20*time.Second, "the ledger tells of it", func() bool {
		return strings.Contains(w.must("events"), "server.gatewayRestarted")
	})
}

func TestALeaseThatRunsOutUnattendedGivesTheTrafficBackAndHoldsTheRollout(t *testing.T) {
	t.Parallel()
	w := start(t)
	slow := appFile{environments: half}
	w.deploy(0, behaviour{Version: "v1"}, slow)
	l := w.startLoad(w.host())
	w.begin(behaviour{Version: "v2"}, slow)
	w.reaches("partial", partial)
	eventually(t, 10*time.Second, "traffic on the canary", func() bool { return l.by(2) > 100 })
	_ = w.plane.cmd.Process.Signal(syscall.SIGSTOP)
	stopped := time.Now()
	for last := l.by(2); ; last = l.by(2) {
		time.Sleep(500 * time.Millisecond)
		if l.by(2) == last {
			break
		}
		if time.Since(stopped) > 20*time.Second {
			t.Fatal("the canary still has traffic 20 s after its last lease of 15 s")
		}
	}
	if lasted := time.Since(stopped); lasted < 10*time.Second {
		t.Errorf("the canary lost its traffic after %s", lasted)
	}
	seen := l.by(1)
	eventually(t, 5*time.Second, "all traffic on the old release", func() bool { return l.by(1) > seen+200 })
	_ = w.plane.cmd.Process.Signal(syscall.SIGCONT)
	held := w.reaches("held", unattended)
	if held.Weight != 0 || held.Outcome != "" {
		t.Errorf("held at %s, outcome %q", held.Weight, held.Outcome)
	}
	if out := w.must("events", "--tail", "500"); !strings.Contains(out, "gateway.leaseExpired") {
		t.Errorf("the ledger does not tell of it: %s", out)
	}
	w.must("resume", w.named)
	w.reaches("partial again", partial)
	seen = l.by(2)
	eventually(t, 10*time.Second, "traffic on the canary", func() bool { return l.by(2) > seen+50 })
	l.stop()
	w.must("abort", w.named, "--wait")
	w.proven()
}
