package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/workload"
)

// long skips a test that takes too long for every change; `make fire` runs it.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("FAIRLEAD_FIRE") == "" {
		t.Skip("make fire runs it")
	}
}

// storm kills what it likes under traffic, and knows when.
type storm struct {
	w      *world
	f      *fire
	random *rand.Rand
	builds [2]string
	deaths []death // of gateways and instances
}

// strike kills one thing.
func (s *storm) strike() (what string) {
	s.w.Helper()
	switch s.random.IntN(6) {
	case 0:
		s.w.plane.kill()
		s.w.up()
		return "control plane"
	case 1:
		s.w.build = s.builds[s.random.IntN(2)]
		s.w.plane.kill()
		s.w.up()
		return "control plane, and another build or the same"
	case 2:
		gateway, ok := s.pick(" gateway --dir ")
		if ok {
			s.deaths = append(s.deaths, s.w.killed(gateway))
		}
		return "gateway"
	case 3:
		shim, ok := s.pick(" shim --dir ", "/instances/")
		if ok {
			s.deaths = append(s.deaths, s.w.killedShim(shim))
		}
		return "shim"
	case 4:
		app, ok := s.pick("./app")
		if ok {
			s.deaths = append(s.deaths, s.w.killed(app))
		}
		return "instance"
	default:
		return "nothing"
	}
}

// pick returns one of the world's processes with some words.
func (s *storm) pick(words ...string) (process, bool) {
	found := s.w.having(words...)
	if len(found) == 0 {
		return process{}, false
	}
	return found[s.random.IntN(len(found))], true
}

func (s *storm) excused(l loss) bool {
	return slices.ContainsFunc(s.deaths, func(d death) bool { return d.excuses(l) })
}

func TestUnderFireOnlyWhatWasInFlightInWhatWasKilledIsLost(t *testing.T) {
	long(t)
	w := start(t)
	f := w.newFire()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	s := &storm{w: w, f: f, random: rand.New(rand.NewPCG(seed, 0)), builds: [2]string{built.fairlead, w.nextBuild()}}
	file := f.file(lenient("25, 50", "1s", "2s"))
	w.deploy(0, f.version(behaviour{Version: "v0"}), file)
	f.start().flows(200)
	strikes := map[string]int{}
	for i := 1; i <= 15; i++ {
		before := w.rollout().ID
		b := f.version(behaviour{Version: fmt.Sprint("v", i)})
		if i%4 == 0 {
			b.Failures = 0.7
		}
		w.begin(b, file)
		for range 2 {
			time.Sleep(time.Duration(s.random.IntN(2500)) * time.Millisecond) // anywhere
			at := time.Now()
			what := s.strike()
			strikes[what]++
			t.Logf("%s, during v%d: %s", at.Format("05.000"), i, what)
		}
		w.calm(before)
	}
	t.Logf("struck: %v", strikes)
	w.calm("")
	eventually(t, 60*time.Second, "two ready instances", func() bool {
		ready := 0
		for _, i := range w.site().Instances {
			if i.State == workload.Ready {
				ready++
			}
		}
		return ready == 2
	})
	f.flows(200)
	f.lostOnly(s.excused)
	w.proven()
}

// calm waits until a rollout after before is decided and makes room for another, and
// lets it go on if it is held because nobody attended the gateway.
func (w *world) calm(before string) {
	w.Helper()
	w.reaches("decided and out of the way", func(r client.Rollout) bool {
		if unattended(r) {
			w.run("resume", w.named) // it may have gone on meanwhile
		}
		return r.ID != before && r.Outcome != "" && r.Phase != "returning"
	})
}

func TestUnderFireABuildThatACrashCutOffIsDoneAgain(t *testing.T) {
	long(t)
	t.Parallel()
	w := start(t)
	f := w.newFire()
	file := f.file(appFile{environments: twoReplicas})
	f.serves(file)
	b := f.version(behaviour{Version: "repo"})
	b.Gate.Last = time.Second
	w.lay(b, file)
	repo := filepath.Join(w.dir, "repo")
	file.artifact = "{from: {git: ., build: [./app, build, out], directory: out}}"
	text, err := os.ReadFile(w.lay(f.version(behaviour{Version: "other"}), file))
	if err != nil {
		t.Fatal(err)
	}
	spec := filepath.Join(repo, "fairlead.yaml")
	write(w, spec, string(text))
	w.git(repo, "init", "-q", "-b", "main")
	w.git(repo, "add", ".")
	w.git(repo, "commit", "-q", "-m", "Build slowly")

	deploy := w.command("deploy", "-f", spec)
	if err := deploy.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "the build", func() bool {
		return len(w.having("./app build")) > 0
	})
	w.plane.kill()
	if err := deploy.Wait(); err == nil {
		t.Error("a deploy whose control plane died says that all is well")
	} else if exit, ok := err.(*exec.ExitError); ok {
		t.Logf("the deploy ended with %s", exit)
	}
	w.up()
	w.exits(0, "deploy", "-f", spec, "--wait")
	f.flows(100, 2)
	f.nothingLost()
	w.proven()
}
