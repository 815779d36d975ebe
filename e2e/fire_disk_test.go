package e2e

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/api/client"
)

// room is a mount namespace in which a world's state directory is a small disk of
// its own.
type room struct {
	w      *world
	keeper *exec.Cmd // a process in it
	enter  []string  // what runs a command in it
}

// newRoom makes a world whose state directory is a disk of some size.
func newRoom(t *testing.T, size string) (*world, *room) {
	t.Helper()
	w := newWorld(t)
	if err := os.Mkdir(w.state, 0o700); err != nil {
		t.Fatal(err)
	}
	r := &room{w: w, enter: []string{"nsenter", "-m"}}
	flags := []string{"-m"}
	if os.Getuid() != 0 {
		flags, r.enter = []string{"-m", "-U", "-r"}, []string{"nsenter", "-m", "-U", "--preserve-credentials"}
	}
	script := "mount -t tmpfs -o mode=700,size=" + size + " disk " + w.state + " && echo ready && exec cat"
	r.keeper = exec.Command("unshare", append(flags, "sh", "-c", script)...)
	in, err := r.keeper.StdinPipe() // its end ends the keeper
	if err != nil {
		t.Fatal(err)
	}
	out, err := r.keeper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.keeper.Stderr = os.Stderr
	if err := r.keeper.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
		t.Fatalf("no mount namespace: %v", err)
	}
	r.enter = append(r.enter, "-t", fmt.Sprint(r.keeper.Process.Pid), "--wd="+w.dir, "--")
	w.enter, w.root = r.enter, fmt.Sprintf("/proc/%d/root", r.keeper.Process.Pid)
	t.Cleanup(func() { // after the world has ended, for cleanups run backwards
		w.endAll()
		w.plane, w.enter, w.root = nil, nil, ""
		in.Close()
		_ = r.keeper.Wait()
	})
	return w, r
}

// filler is a file that takes all room.
func (r *room) filler() string {
	return r.w.seen(filepath.Join(r.w.state, "filler"))
}

// fill leaves not a byte on the disk.
func (r *room) fill() {
	r.w.Helper()
	file, err := os.OpenFile(r.filler(), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		r.w.Fatal(err)
	}
	defer file.Close()
	for chunk := 1 << 20; chunk > 0; {
		if _, err = file.Write(make([]byte, chunk)); err != nil {
			chunk /= 2
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		r.w.Fatal(err)
	}
}

// free gives the room back.
func (r *room) free() {
	r.w.Helper()
	if err := os.Remove(r.filler()); err != nil {
		r.w.Fatal(err)
	}
}

func TestAFullDiskLosesNothingAndTheRolloutGoesOnWhenThereIsRoomAgain(t *testing.T) {
	t.Parallel()
	w, r := newRoom(t, "96m")
	w.up()
	f := w.newFire()
	file := f.file(strategy("{steps: [50], beta: 0.3, margin: {ratio: 5, absolute: 0.2}, warmup: 100ms, minStep: 5s, rollbackWindow: 3s}"))
	w.deploy(0, f.version(behaviour{Version: "v1"}), file)
	f.start().flows(200, 1)
	w.begin(f.version(behaviour{Version: "v2"}), file)
	w.reaches("partial", partial)
	f.flows(100, 2)
	another := w.lay(f.version(behaviour{Version: "v3"}), file)

	r.fill()
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
	file := f.file(strategy("{steps: [50], beta: 0.3, margin: {ratio: 5, absolute: 0.2}, warmup: 100ms, minStep: 5s, rollbackWindow: 3s}"))
	w.deploy(0, f.version(behaviour{Version: "v1"}), file)
	f.start().flows(200, 1)
	w.begin(f.version(behaviour{Version: "v2"}), file)
	w.reaches("partial", partial)
	f.flows(100, 2)

	serving := w.site().Instances[0].ID

	r.fill()
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
