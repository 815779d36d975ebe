//go:build linux

package container_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/workloadtest"
)

// TestFigures prints how long a start takes beside `docker run -d` of the same image,
// each until the app answers. It runs with $FAIRLEAD_FIGURES set and asserts nothing:
// times are for an idle machine.
func TestFigures(t *testing.T) {
	if os.Getenv("FAIRLEAD_FIGURES") == "" {
		t.Skip("FAIRLEAD_FIGURES is not set")
	}
	eachEngine(t, func(t *testing.T, w world) {
		const rounds = 15
		root := t.TempDir()
		r := openRuntime(t, root)
		keep := w.spec("keep", "serve") // an app has more than one instance: its network is there
		workloadtest.Start(t, r, keep, nil).AwaitState(workload.Ready)
		var ours, theirs, returned []time.Duration
		for n := range rounds {
			spec := w.spec(fmt.Sprint("n", n), "serve")
			spec.Resources.Memory, spec.Resources.CPU = "64Mi", "1"
			began := time.Now()
			i := workloadtest.Start(t, r, spec, nil)
			for i.Status().State != workload.Ready {
				time.Sleep(time.Millisecond)
			}
			ours = append(ours, time.Since(began))
			if err := r.Stop(t.Context(), workloadtest.Order(), spec.ID, time.Second); err != nil {
				t.Fatal(err)
			}
			came, answered := w.plainRun(t, fmt.Sprint("plain", n))
			returned, theirs = append(returned, came), append(theirs, answered)
		}
		t.Logf("%s: start until ready %v; docker run -d until it answers %v, until it returns %v; beyond it %v (medians of %d)",
			w.Name, median(ours), median(theirs), median(returned), median(ours)-median(theirs), rounds)
	})
}

// plainRun runs the image by the engine's own client.
func (w world) plainRun(t *testing.T, name string) (returned, answered time.Duration) {
	t.Helper()
	began := time.Now()
	run := exec.Command("docker", "-H", w.Host, "run", "-d", "--name", name, "-e", "PORT=8080", "-e", "LISTEN=0.0.0.0", "--memory", "64m", "--cpus", "1",
		"--ulimit", "nproc=20000", "--ulimit", "nofile=20000", string(w.image.ID), "/app", "serve")
	if output, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	returned = time.Since(began)
	var found inspected
	w.Ask(t, "GET", "/containers/"+name+"/json", nil, &found)
	url := "http://" + found.address(t) + ":8080/ready"
	for {
		response, err := http.Get(url)
		if err == nil {
			response.Body.Close()
			answered = time.Since(began)
			break
		}
		if time.Since(began) > time.Minute || !strings.Contains(err.Error(), "refused") {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	w.Ask(t, "DELETE", "/containers/"+name+"?force=1", nil, nil)
	return returned, answered
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2].Round(time.Millisecond)
}
