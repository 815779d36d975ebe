package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/api/client"
)

const three = `    - {name: dev, strategy: ` + fast + `}
    - {name: staging, strategy: ` + fast + `}
    - {name: production, strategy: ` + fast + `}
`

func TestAReleaseIsPromotedFromDevToProductionWithoutARebuild(t *testing.T) {
	t.Parallel()
	w := start(t)
	d := w.deploy(0, behaviour{Version: "v1"}, appFile{environments: three})
	os.RemoveAll(filepath.Join(w.dir, "v1")) // nothing can be built or uploaded again
	name := fmt.Sprintf("%s@%d", w.named, d.Release.Number)
	for _, env := range []string{"staging", "production"} {
		p := see[client.Deployed](w, "promote", name, "--to", env, "--wait")
		if p.Release.Digest != d.Release.Digest || p.Rollout.Env != env || p.Rollout.Outcome != client.Promoted {
			t.Errorf("promoted to %s: %+v", env, p)
		}
	}
	instances := map[string]bool{}
	for _, host := range []string{"dev." + w.host(), "staging." + w.host(), w.host()} {
		status, header, _ := w.get(host, "/")
		if status != 200 || header.Get("X-Release") != "1" {
			t.Errorf("%s answers %d by release %s", host, status, header.Get("X-Release"))
		}
		instances[header.Get("X-Instance")] = true
	}
	if len(instances) != 3 {
		t.Errorf("the environments share instances: %v", instances)
	}
	if all := see[[]client.Release](w, "releases", w.named); len(all) != 1 || len(all[0].Live) != 3 {
		t.Errorf("releases %+v", all)
	}
	if status, _, _ := w.get("qa."+w.host(), "/"); status != 404 {
		t.Errorf("a host that no environment has answers %d", status)
	}
}

func TestARollbackReturnsThePreviousReleaseInTheWatchAndAfterIt(t *testing.T) {
	t.Parallel()
	w := start(t)
	quick := appFile{environments: "    - {name: production, strategy: " + strings.Replace(fast, "10m", "2s", 1) + "}\n"}
	w.deploy(0, behaviour{Version: "v1"}, quick)
	w.says(w.refused(1, "rollback", w.named), "no release was live there before")
	l := w.startLoad(w.host())
	w.deploy(0, behaviour{Version: "v2"}, quick)
	w.reaches("past its watch", func(r client.Rollout) bool { return r.Phase == "ended" })
	w.must("rollback", w.named, "--reason", "a person says so", "--wait")
	seen := l.by(1)
	eventually(t, 10*time.Second, "traffic on the release before", func() bool { return l.by(1) > seen+200 })
	if s := w.site(); s.Stable != 1 {
		t.Errorf("%s@%d is live", s.App, s.Stable)
	}

	w.deploy(0, behaviour{Version: "v3"}, appFile{}) // watched for 10 minutes
	if r := w.rollout(); r.Phase != "watching" {
		t.Errorf("v3 is %s", r.Phase)
	}
	w.must("rollback", w.named, "--wait")
	w.reaches("rolled back", outcome(client.RolledBack))
	w.reaches("at its end", func(r client.Rollout) bool { return r.Phase == "ended" })
	seen, last := l.by(1), l.by(3)
	eventually(t, 10*time.Second, "traffic on the release before", func() bool { return l.by(1) > seen+200 })
	if now := l.by(3); now > last+connections {
		t.Errorf("the release that was rolled back took %d requests more", now-last)
	}
	l.stop()
	w.proven()
}

func TestAPausedRolloutWaitsGoesOnWhenResumedAndEndsWhenAborted(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.deploy(0, behaviour{Version: "v1"}, appFile{})
	l := w.startLoad(w.host())
	w.begin(behaviour{Version: "v2"}, appFile{})
	w.reaches("partial", partial)
	w.must("pause", w.named, "--reason", "lunch")
	if r := w.rollout(); r.Held != "paused" {
		t.Errorf("held: %q", r.Held)
	}
	seen := l.by(2)
	eventually(t, 30*time.Second, "more traffic than the step needs", func() bool { return l.by(2) > seen+500 })
	if r := w.rollout(); r.Held != "paused" || r.Weight != 5000 {
		t.Errorf("a paused rollout is held %q at %s", r.Held, r.Weight)
	}
	w.must("resume", w.named)
	w.reaches("promoted", outcome(client.Promoted))
	w.begin(behaviour{Version: "v3"}, appFile{})
	w.reaches("partial", partial)
	w.must("abort", w.named, "--reason", "enough", "--wait")
	if r := w.rollout(); r.Outcome != client.Aborted {
		t.Errorf("outcome %s", r.Outcome)
	}
	l.stop()
	w.proven()
}

func TestExitStatusesSayWhatHappened(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.deploy(0, behaviour{Version: "v1"}, appFile{}) // 0 done
	w.deploy(1, behaviour{Version: "crash", Exit: true}, appFile{})
	for _, usage := range []string{"frobnicate", "deploy", "status --nonsense", "promote nothing --to production", "status a b", "status --output yaml"} {
		w.exits(2, strings.Fields(usage)...)
	}
	noToken := w.command("status", "--server", "http://"+w.plane.at.API)
	if out, err := noToken.CombinedOutput(); err == nil || noToken.ProcessState.ExitCode() != 5 {
		t.Errorf("without a token: %v %s", err, out)
	}
	wrong := filepath.Join(w.dir, "wrong")
	write(w, wrong, "fl_0123")
	w.exits(5, "status", "--server", "http://"+w.plane.at.API, "--token-file", wrong)
	w.exits(0, "status", "--server", "http://"+w.plane.at.API, "--token-file", filepath.Join(w.state, "admin.token"))
	w.exits(6, "status", "--state", filepath.Join(w.dir, "nothing"))
	w.exits(6, "status", "--server", "http://127.0.0.1:1", "--token-file", wrong)
}

func TestBadInputIsOneClearErrorAndLeavesNothingHalfDone(t *testing.T) {
	t.Parallel()
	w := start(t)
	good := w.lay(behaviour{Version: "v1"}, appFile{})
	w.says(w.refused(1, "deploy", "-f", "nothing.yaml"), "not_found", "nothing.yaml")
	misspelt := filepath.Join(w.dir, "misspelt.yaml")
	text, _ := os.ReadFile(good)
	write(w, misspelt, strings.Replace(string(text), "readiness:", "readyness:", 1))
	w.says(w.refused(1, "deploy", "-f", misspelt), "invalid", "misspelt.yaml:7:3", "readyness", "readiness")
	w.says(w.refused(1, "status", "nobody"), "not_found", "nobody", "fairlead status")
	w.says(w.refused(1, "releases", "nobody"), "not_found", "nobody")
	w.says(w.refused(1, "promote", w.named+"@1", "--to", "production"), "not_found", w.named)
	w.says(w.refused(1, "rollback", w.named), "not_found")

	linked := w.lay(behaviour{Version: "linked"}, appFile{})
	if err := os.Symlink("/etc/passwd", filepath.Join(w.dir, "linked", "out")); err != nil {
		t.Fatal(err)
	}
	w.says(w.refused(1, "deploy", "-f", linked), "invalid", "out")
	gone := w.lay(behaviour{Version: "gone"}, appFile{})
	os.RemoveAll(filepath.Join(w.dir, "gone"))
	w.says(w.refused(1, "deploy", "-f", gone), "gone")
	if r := w.run("releases", w.named); r.code != 1 {
		t.Errorf("a refused deploy left a release: %s", r)
	}

	w.must("deploy", "-f", good, "--wait")
	w.says(w.refused(1, "deploy", "-f", good, "--env", "moon"), "moon", "production")
	w.says(w.refused(1, "promote", w.named+"@9", "--to", "production"), "not_found", "9")
	w.says(w.refused(1, "promote", w.named+"@1", "--to", "moon"), "moon")
	w.says(w.refused(1, "pause", w.named), "conflict")
	w.begin(behaviour{Version: "never", Unready: true}, appFile{})
	w.says(w.refused(1, "deploy", "-f", w.lay(behaviour{Version: "v3"}, appFile{})), "conflict", "on its way", "abort")
	if all := see[[]client.Release](w, "releases", w.named); len(all) != 2 {
		t.Errorf("a refused deploy made a release: %d of them", len(all))
	}
	w.must("abort", w.named, "--wait")
	w.proven()
}

func TestASecondUpAndATakenPortAreRefused(t *testing.T) {
	t.Parallel()
	w := start(t)
	second := w.refusedUp("--listen", "127.0.0.1:0", "--api", "127.0.0.1:0")
	if !strings.Contains(second, "conflict") || !strings.Contains(second, "hint") {
		t.Errorf("a second up says %s", second)
	}
	w.must("version")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, flags := range [][]string{
		{"--listen", taken.Addr().String(), "--api", "127.0.0.1:0"}, {"--listen", "127.0.0.1:0", "--api", taken.Addr().String()},
	} {
		other := newWorld(t)
		said := other.refusedUp(flags...)
		if !strings.Contains(said, taken.Addr().String()) || !strings.Contains(said, `"hint"`) || !strings.Contains(said, `"conflict"`) {
			t.Errorf("up %v says %s", flags, said)
		}
		if left := other.mine(); len(left) > 0 {
			t.Errorf("up %v left %v", flags, left)
		}
		other.up() // nothing is half done: it starts with other ports
	}
}

// refusedUp runs an up that must fail, and returns its error.
func (w *world) refusedUp(flags ...string) string {
	w.Helper()
	r := w.run(append([]string{"up", "--output", "json"}, flags...)...)
	if r.code != 1 {
		w.Fatalf("want exit status 1: %s", r)
	}
	lines := strings.Split(strings.TrimSpace(r.err), "\n")
	last := lines[len(lines)-1]
	if !json.Valid([]byte(last)) {
		w.Errorf("the last line is no JSON: %s", r)
	}
	return last
}
