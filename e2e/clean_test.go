package e2e

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/workload"
)

func TestTheCensusSeesWhatIsLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plant := func(path string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		write(w, path, "")
	}
	for _, file := range []string{".new-admin.token.0", "content/trees/.making-1", "content/tmp/blob-1", "scratch/build-1", "run/jobs/build-x", "run/instances/a", "gateway/.new-snapshot.json.0", "gateway/spool/.new-1", "fairlead.db-wal"} {
		plant(filepath.Join(w.state, file))
	}
	plant(filepath.Join(w.temp(), "fairlead-git-1"))
	socket, err := net.Listen("unix", filepath.Join(w.state, "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	sleeper := exec.Command("sleep", "60")
	sleeper.Args[0] = w.dir + "/sleep" // it counts by its command line
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(w.census(), "\n")
	for _, want := range []string{
		"s/.new-admin.token.0", "s/content/trees/.making-1", "s/content/tmp/blob-1", "s/scratch/build-1", "s/run/jobs/build-x", "s/run/instances/a",
		"s/gateway/.new-snapshot.json.0", "s/gateway/spool/.new-1", "s/fairlead.db-wal", "fairlead-git-1", "file " + w.state + "/control.sock", "socket ", "/sleep 60)",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("the census does not see %s: %s", want, all)
		}
	}
	_ = sleeper.Process.Kill() // and not waited for: a zombie
	eventually(t, 10*time.Second, "the zombie", func() bool {
		found := strings.Join(w.census(), "\n")
		return strings.Contains(found, "or its zombie") && !strings.Contains(found, "process "+process{pid: sleeper.Process.Pid, line: sleeper.Args[0] + " 60"}.String())
	})
	_ = sleeper.Wait()
	_ = socket.Close()
	remove(t, w.state)
	remove(t, w.temp())
	if left := w.census(); len(left) > 0 {
		t.Errorf("the census sees what is not there: %q", left)
	}
}

// victims are the processes of a world with one instance, by what they are.
func (w *world) victims() map[string]process {
	w.Helper()
	all := processes()
	app, shim := w.instance(w.site().Instances[0].ID)
	gateway, gatewayShim := w.gateway()
	return map[string]process{
		"the control plane": all[w.plane.cmd.Process.Pid], "the gateway": gateway, "the gateway's shim": gatewayShim,
		"the app": app, "the app's shim": shim, "the app's shim-init": all[app.parent],
	}
}

func TestWhateverIsKilledNothingIsLeftAfterTheNextStartAndItsEnd(t *testing.T) {
	t.Parallel()
	for _, victim := range []string{"the control plane", "the gateway", "the gateway's shim", "the app", "the app's shim", "the app's shim-init", "everything"} {
		t.Run(victim, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			w.deploy(0, behaviour{Version: "v1"}, appFile{})
			w.slay(victim)
			w.plane.kill()
			w.up()
			w.serves()
			w.proven()
			// The world's own end sends down, and counts.
		})
	}
}

func TestDownEndsWhatIsLeftWithoutAControlPlaneAndRecordsIt(t *testing.T) {
	t.Parallel()
	for _, victim := range []string{"the control plane", "the gateway's shim", "the app's shim", "everything"} {
		t.Run(victim, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			w.deploy(0, behaviour{Version: "v1"}, appFile{})
			w.slay(victim)
			w.plane.kill()
			w.must("down")
			w.nothingLeft()
			if out := w.must("down"); !strings.Contains(out, "nothing runs") {
				t.Errorf("a second down says %q", out)
			}
			w.proven()
			w.up()
			w.serves()
			if e := w.last("server.ending"); !strings.Contains(string(e.Data), "no control plane was running") {
				t.Errorf("on record: %s", e.Data)
			}
		})
	}
}

// slay kills a process of a world, or all of them at once, as a power cut would.
func (w *world) slay(victim string) {
	w.Helper()
	victims := w.victims()
	if victim != "everything" {
		w.kill(victims[victim])
		return
	}
	for _, p := range victims {
		_ = syscall.Kill(p.pid, syscall.SIGKILL) // some end with others
	}
}

// serves waits until the app answers through the gateway from one ready instance.
func (w *world) serves() {
	w.Helper()
	eventually(w, 30*time.Second, "an answer", func() bool {
		s := w.site()
		ready := len(s.Instances) == 1 && s.Instances[0].State == workload.Ready
		return ready && w.answers()
	})
}

// answers reports whether the app answers through the gateway now.
func (w *world) answers() bool {
	c := &connection{address: w.plane.at.Gateway}
	defer c.close()
	a, err := c.do(request(w.host(), "one", 1))
	return err == nil && a.StatusCode == 200
}

func TestABuildThatIsCutOffLeavesNothing(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(*world){
		"by down":                        func(w *world) { w.must("down") },
		"by kill -9, then down":          func(w *world) { w.plane.kill(); w.must("down") },
		"by kill -9, then up, then down": func(w *world) { w.plane.kill(); w.up(); w.must("down") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			slow := behaviour{Version: "repo"}
			slow.Gate.Last = time.Hour
			file := w.lay(slow, appFile{artifact: "{from: {git: ./repo, build: [./app, gate], timeout: 1h}}"})
			repo := filepath.Join(w.dir, "repo")
			for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"commit", "-q", "-m", "x"}} {
				w.git(repo, args...)
			}
			deploy := w.command("deploy", "-f", file)
			if err := deploy.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, 30*time.Second, "the build", func() bool {
				jobs, _ := os.ReadDir(filepath.Join(w.state, "run", "jobs"))
				clones, _ := os.ReadDir(filepath.Join(w.state, "scratch"))
				return len(jobs) == 1 && len(clones) == 1 && len(w.having("./app gate")) == 1
			})
			if len(w.outside) == 0 {
				t.Error("the census knows of no cgroup of the build")
			}
			cut(w)
			_ = deploy.Wait() // it fails: the server is gone
			w.nothingLeft()
			if r := w.run("ledger", "verify"); r.code != 0 {
				t.Error(r)
			}
		})
	}
}

func TestAGateThatIsCutOffLeavesNothingAndIsRunAgain(t *testing.T) {
	t.Parallel()
	w := start(t)
	slow := behaviour{Version: "v1"}
	slow.Gate.Last = time.Hour
	w.begin(slow, appFile{lines: "  gates:\n    - {name: check, command: [./app, gate], timeout: 1h}\n"})
	runs := func() bool { return len(w.having("./app gate")) == 1 }
	eventually(t, 30*time.Second, "the gate", runs)
	gate := w.having("./app gate")[0]
	w.plane.kill()
	eventually(t, 10*time.Second, "the end of the gate", func() bool { return !gate.alive() })
	w.up()
	eventually(t, 30*time.Second, "the gate again", runs)
	if n := w.count("gate.interrupted"); n != 1 {
		t.Errorf("%d runs are recorded as interrupted", n)
	}
	w.must("abort", w.named)
	w.reaches("aborted", outcome(client.Aborted))
}

func TestAStartThatIsToldToEndLeavesNothingUnlessItWasReady(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cut := 0
	for delay := time.Millisecond; delay < 2*time.Second; delay = delay * 3 / 2 {
		var out strings.Builder
		up := w.command(append([]string{"up", "--output", "json"}, anyPort...)...)
		up.Stdout = &out
		if err := up.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(delay) // wherever it is by then
		_ = up.Process.Signal(syscall.SIGTERM)
		_ = up.Wait() // one that had no handler yet ends by the signal
		if out.Len() > 0 {
			w.must("down") // the gateway goes on without a control plane, as it should
			w.nothingLeft()
			break
		}
		cut++
		w.nothingLeft()
	}
	if cut == 0 {
		t.Error("every start was ready at once")
	}
	w.up()
}

func TestAStartThatIsKilledLeavesNothingThatDownDoesNotEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for delay := 2 * time.Millisecond; delay < time.Second; delay = delay * 7 / 4 {
		up := w.command(append([]string{"up"}, anyPort...)...)
		if err := up.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(delay) // wherever it is by then
		w.mine()          // to know them
		_ = up.Process.Kill()
		_ = up.Wait()
		if r := w.run("down"); r.code != 0 && r.code != 6 { // 6 before there is a ledger
			t.Fatalf("killed after %s: %s", delay, r)
		}
		w.nothingLeft()
	}
	w.up()
}
