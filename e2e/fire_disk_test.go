package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/api/client"
)

func TestAFullDiskLosesNothingAndTheRolloutGoesOnWhenThereIsRoomAgain(t *testing.T) {
	t.Parallel()
	w, r := newRoom(t, "96m")
	w.up()
	f := w.newFire()
	file := f.file(lenient("50", "5s", "3s"))
	f.splits(file)
	another := w.lay(f.version(behaviour{Version: "v3"}), file)

	r.fill(0)
	f.flows(400)
	for _, command := range [][]string{{"deploy", "-f", another}, {"pause", w.named}} {
		p := w.refused(1, command...)
		if p.Code != "unavailable" || !strings.Contains(p.Hint, "room") && !strings.Contains(p.Hint, "space") {
			t.Errorf("%v on a full disk says %s", command, p)
		}
	}
	w.must("status")
	f.flows(400)
	r.free()

	w.reaches("promoted", outcome(client.Promoted))
	w.settled(2, 2)
	w.exits(0, "deploy", "-f", another, "--wait")
	f.nothingLost()
	w.proven()
}

func TestUnderFireAFullDiskThatOutlastsTheLeaseAndTheControlPlaneLosesNothing(t *testing.T) {
	long(t)
	t.Parallel()
	w, r := newRoom(t, "96m")
	w.up()
	f := w.newFire()
	file := f.file(lenient("50", "5s", "3s"))
	f.splits(file)

	serving := w.site().Instances[0].ID

	r.fill(0)
	time.Sleep(time.Second) // of a full disk
	w.plane.kill()
	up := w.exits(1, append([]string{"up"}, anyPort...)...)
	t.Logf("up on a full disk: %s", up.err)
	if !strings.Contains(up.err, "room") && !strings.Contains(up.err, "space") {
		t.Errorf("up on a full disk says %s", up.err)
	}
	eventually(t, 30*time.Second, "all traffic on the old release, for nobody renews the lease", func() bool {
		before := f.by(2)
		f.flows(200)
		return f.by(2) == before
	})
	gateway, _ := w.gateway()
	app, _ := w.instance(serving)
	first := w.killed(gateway)
	f.flows(200)
	second := w.killed(app)
	f.flows(200)
	if again, _ := w.gateway(); again.is(gateway) || app.alive() {
		t.Errorf("%s and %s run on", again, app)
	}
	r.free()
	w.up()
	w.reaches("held", unattended)
	w.must("resume", w.named)
	w.reaches("promoted", outcome(client.Promoted))
	eventually(t, 20*time.Second, "the gateway's restart in the ledger", func() bool { return w.count("gateway.started") == 2 })
	f.lostOnly(func(l loss) bool { return first.excuses(l) || second.excuses(l) })
	w.proven()
}
