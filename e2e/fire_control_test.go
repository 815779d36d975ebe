package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/workload"
)

// reaper kills the control plane with each kind of entry that the ledger gets, the
// first time in an act, and starts it again. It sees to it that a dead control
// plane takes nothing along.
type reaper struct {
	w       *world
	next    uint64 // position in the ledger
	kinds   map[string]bool
	kills   int
	killed  []string           // kinds, in order
	shims   map[string]process // of instances that were seen at a kill, by id
	gateway [2]process         // the gateway and its shim
}

func (w *world) newReaper() *reaper {
	w.Helper()
	r := &reaper{w: w, shims: map[string]process{}}
	r.gateway[0], r.gateway[1] = w.gateway()
	if all := w.entries(); len(all) > 0 {
		r.next = all[len(all)-1].Seq + 1
	}
	return r
}

// during lets the world act while the control plane is killed at every kind of
// entry, until a kind that ends it. command begins the act, and is tried again when
// the kill took its request along.
func (r *reaper) during(until string, command ...string) {
	r.w.Helper()
	r.kinds, r.killed = map[string]bool{}, nil
	act := make(chan result, 1)
	begin := func() { go func() { act <- r.w.run(command...) }() }
	begin()
	ended := false
	for deadline := time.Now().Add(3 * time.Minute); !ended; {
		if time.Now().After(deadline) {
			r.w.Fatalf("%v never came to %s; killed at %v\n%s", command, until, r.killed, r.w.why())
		}
		kind := r.await(time.Second)
		if kind != "" {
			r.kill(kind)
			ended = kind == until
		}
		select {
		case done := <-act:
			if done.code != 0 && !r.kinds["rollout.began"] {
				begin()
			}
		default:
		}
	}
	r.w.Logf("%s: killed at %s", command[0], strings.Join(r.killed, ", "))
}

// await follows the ledger until an entry of a kind that is new in this act, for a
// while.
func (r *reaper) await(within time.Duration) (kind string) {
	cmd := r.w.command("events", "-f", "--from", fmt.Sprint(r.next), "--output", "json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.w.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.w.Fatal(err)
	}
	timer := time.AfterFunc(within, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	defer cmd.Wait()
	defer cmd.Process.Kill()
	lines := json.NewDecoder(out)
	for {
		var e client.Event
		if lines.Decode(&e) != nil {
			return ""
		}
		r.next = e.Seq + 1
		if !r.kinds[e.Kind] && !strings.HasPrefix(e.Kind, "server.") && !strings.HasPrefix(e.Kind, "gateway.") {
			return e.Kind
		}
	}
}

// kill ends the control plane and starts another one.
func (r *reaper) kill(kind string) {
	r.w.Helper()
	r.w.plane.kill()
	r.kinds[kind], r.killed, r.kills = true, append(r.killed, kind), r.kills+1
	maps.Copy(r.shims, r.w.shims())
	r.w.up()
	if gateway, shim := r.w.gateway(); !gateway.is(r.gateway[0]) || !shim.is(r.gateway[1]) {
		r.w.Errorf("killed at %s, the gateway %s is now %s", kind, r.gateway[0], gateway)
	}
}

// shims are those of the world's instances, by id.
func (w *world) shims() map[string]process {
	shims := map[string]process{}
	for _, p := range w.mine() {
		if dir, ok := strings.CutPrefix(p.line[strings.Index(p.line+" ", " "):], " shim --dir "); ok && strings.Contains(dir, "/instances/") {
			shims[filepath.Base(dir)] = p
		}
	}
	return shims
}

// adopted says that every instance that outlived a kill runs on as it did, or was
// stopped by an intent in the ledger.
func (r *reaper) adopted() {
	r.w.Helper()
	stopped := map[string]bool{}
	for _, e := range r.w.entries() {
		var intent struct{ Target string }
		if e.Kind == "instance.stop" && json.Unmarshal(e.Data, &intent) == nil {
			stopped[intent.Target] = true
		}
	}
	for id, shim := range r.shims {
		if !stopped[id] && !shim.alive() {
			r.w.Errorf("%s of instance %s is gone", shim, id)
		}
	}
	for _, i := range r.w.site().Instances {
		if i.Restarts != 0 && !stopped[i.ID] {
			r.w.Errorf("%s was restarted %d times: %s", i.ID, i.Restarts, i.LastExit)
		}
	}
}

// settled waits until a release alone has instances, and says how many.
func (w *world) settled(release, replicas int) {
	w.Helper()
	eventually(w, 60*time.Second, fmt.Sprintf("%d instances of release %d alone", replicas, release), func() bool {
		all := w.site().Instances
		for _, i := range all {
			if i.Release != release || i.State != workload.Ready {
				return false
			}
		}
		return len(all) == replicas && len(w.shims()) == replicas
	})
}

func TestNothingIsLostWhereverInARolloutTheControlPlaneIsKilled(t *testing.T) {
	t.Parallel()
	w := start(t)
	f := w.newFire()
	file := f.file(lenient("25, 50", "1s", "3s"))
	file.lines += gateLines
	f.serves(file)

	r := w.newReaper()
	r.during("rollout.ended", "deploy", "-f", w.lay(f.version(behaviour{Version: "v2"}), file))
	r.went("gate.run", "gate.passed", "release.created", "rollout.began", "rollout.starting", "instance.start", "instance.started",
		"rollout.stepped", "traffic.shifted", "rollout.advanced", "rollout.promoted", "rollout.ended")
	w.settled(2, 2)
	f.flows(100, 2)

	r.during("rollout.ended", "deploy", "-f", w.lay(f.version(behaviour{Version: "v3", Failures: 0.7}), file))
	r.went("rollout.rolledBack", "rollout.ended")
	w.settled(2, 2)
	f.flows(100, 2)

	r.during("rollout.promoted", "rollback", w.named)
	r.went("rollout.began", "instance.start", "rollout.promoted")
	w.settled(1, 2)
	f.flows(100, 1)
	r.adopted()
	f.nothingLost()
	w.proven()
	t.Logf("the control plane was killed %d times", r.kills)
}

// went says that the control plane was killed at each of these kinds in the newest act.
func (r *reaper) went(kinds ...string) {
	r.w.Helper()
	for _, kind := range kinds {
		if !slices.Contains(r.killed, kind) {
			r.w.Errorf("it was never killed at %s, only at %v", kind, r.killed)
		}
	}
}
