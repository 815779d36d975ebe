package e2e

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/workload"
)

func TestEverythingComesBackAfterAPowerCut(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.deploy(0, behaviour{Version: "v1"}, appFile{environments: twoReplicas})
	l := w.startLoad(w.host())
	w.begin(behaviour{Version: "v2"}, appFile{environments: twoReplicas})
	w.reaches("partial", partial)
	eventually(t, 10*time.Second, "traffic on the canary", func() bool { return l.by(2) > 50 })
	l.end()
	w.plane.kill()
	for _, p := range w.mine() {
		_ = syscall.Kill(p.pid, syscall.SIGKILL) // it may have gone with its shim
	}
	eventually(t, 10*time.Second, "the end of all processes", func() bool { return len(w.mine()) == 0 })

	w.up()
	eventually(t, 30*time.Second, "answers", func() bool {
		status, header, _ := w.get(w.host(), "/")
		return status == 200 && header.Get("X-Release") == "1"
	})
	w.settle()
	again := w.startLoad(w.host())
	w.reaches("promoted", outcome(client.Promoted))
	again.stop()
	w.proven()
}

// settle resumes a rollout that is held because nobody attended it, if it is.
func (w *world) settle() {
	w.Helper()
	eventually(w, 30*time.Second, "a rollout that steps or is held", func() bool {
		r := w.rollout()
		return partial(r) || r.Held != ""
	})
	if w.rollout().Held != "" {
		w.must("resume", w.named)
	}
}

func TestARolloutEndsAsItShouldHoweverOftenTheControlPlaneIsKilled(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.deploy(0, behaviour{Version: "v1"}, appFile{environments: twoReplicas})
	l := w.startLoad(w.host())
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for i, b := range []behaviour{{Version: "v2"}, {Version: "v3", Failures: 0.6}} {
		w.begin(b, appFile{environments: strings.Replace(twoReplicas, "minStep: 1s", "minStep: 6s", 1)})
		for range 4 {
			time.Sleep(time.Duration(random.IntN(900)) * time.Millisecond) // anywhere
			w.plane.kill()
			w.up()
		}
		want := []client.Outcome{client.Promoted, client.RolledBack}[i]
		w.reaches(string(want), outcome(want))
	}
	w.reaches("at its end", func(r client.Rollout) bool { return r.Phase == "ended" })
	eventually(t, 20*time.Second, "two instances of the second release alone", func() bool {
		all := w.site().Instances
		return len(all) == 2 && all[0].Release == 2 && all[1].Release == 2 && all[0].State == workload.Ready && all[1].State == workload.Ready
	})
	l.stop()
	w.proven()
}

func TestAReleaseThatNeverIsReadyFailsAfterItsDeadline(t *testing.T) {
	t.Parallel()
	w := start(t)
	file := w.lay(behaviour{Version: "v1", Unready: true}, appFile{})
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(w, file, strings.Replace(string(text), "interval: 200ms", "interval: 200ms, deadline: 300ms", 1))
	r := w.exits(1, "deploy", "-f", file, "--wait")
	if !strings.Contains(r.out, "ready") {
		t.Errorf("it does not say why: %s", r)
	}
	if status, header, body := w.get(w.host(), "/"); status != 404 && (status != 503 || header.Get("Retry-After") == "") {
		t.Errorf("an app without a release answers %d %v %s", status, header, body)
	}
}

func TestWatchersOutlastARestartOfTheControlPlane(t *testing.T) {
	t.Parallel()
	w := start(t)
	slow := appFile{environments: "    - {name: production, strategy: " + strings.Replace(fast, "minStep: 1s", "minStep: 5s", 1) + "}\n"}
	w.deploy(0, behaviour{Version: "v1"}, slow)
	l := w.startLoad(w.host())
	deploy := w.command("deploy", "-f", w.lay(behaviour{Version: "v2"}, slow), "--wait")
	events := w.command("events", "-f", "--tail", "1", "--output", "json")
	logs := w.command("logs", w.named, "-f")
	told := make(chan string, 1)
	out, err := deploy.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	for _, cmd := range []interface{ Start() error }{deploy, events, logs} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		var all strings.Builder
		for scan := bufio.NewScanner(out); scan.Scan(); {
			fmt.Fprintln(&all, scan.Text())
		}
		told <- all.String()
	}()
	w.reaches("partial", partial)
	w.plane.kill()
	w.up()
	select {
	case text := <-told:
		if !strings.Contains(text, "is promoted in production") {
			t.Errorf("deploy --wait says %s", text)
		}
	case <-time.After(60 * time.Second):
		t.Error("deploy --wait does not end")
	}
	if err := deploy.Wait(); err != nil {
		t.Errorf("deploy --wait: %v", err)
	}
	_ = events.Process.Signal(syscall.SIGINT)
	_ = logs.Process.Signal(syscall.SIGINT)
	_, _ = events.Wait(), logs.Wait() // what a restart does to them is theirs to say
	l.stop()
}
