package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/container"
	"github.com/fairlead/fairlead/workload/container/enginetest"
	"github.com/fairlead/fairlead/workload/shim"
)

// What the figures of containers are made of.
const (
	rolloutsVariable = "FAIRLEAD_ROLLOUTS" // how many rollouts under traffic
	startsVariable   = "FAIRLEAD_STARTS"   // how many starts of each kind
)

// often returns how often the variable says, or skips the test.
func often(t *testing.T, variable string) int {
	t.Helper()
	inEngines(t)
	n, err := strconv.Atoi(os.Getenv(variable))
	if err != nil || n < 1 {
		t.Skipf("set %s to how many", variable)
	}
	return n
}

// TestInContainersNoRequestIsLostInManyRollouts measures how many requests Fairlead loses in
// consecutive rollouts of images, promoted and rolled back, under traffic.
func TestInContainersNoRequestIsLostInManyRollouts(t *testing.T) {
	n := often(t, rolloutsVariable)
	for _, name := range enginetest.Names {
		t.Run(name, func(t *testing.T) {
			w := startWith(t, enginetest.Start(t, name))
			f := w.newFire()
			file := f.file(lenient("50", "500ms", "1s"))
			f.manyDeploys(n, func(b behaviour) appFile { return w.imaged(b, file, byName) })
		})
	}
}

// starts are the milliseconds that starts took.
type starts struct {
	Engine   string    `json:"engine"`
	Bare     []float64 `json:"bare"`     // docker run, until the app answers
	Fairlead []float64 `json:"fairlead"` // the runtime's Start, until the instance is ready
}

// TestInContainersAStartIsTimed prints what starts of one image cost, by Fairlead and by docker run
// in turns, as JSON in lines that begin with "starts:".
func TestInContainersAStartIsTimed(t *testing.T) {
	n := often(t, startsVariable)
	for _, name := range enginetest.Names {
		t.Run(name, func(t *testing.T) {
			e := enginetest.Start(t, name)
			w := newWorld(t)
			w.engine = e
			timed := &timing{w: w, image: "localhost/" + w.named + ":v1", runtime: openRuntime(w)}
			timed.prepare()
			all := starts{Engine: name}
			for i := range n + 1 {
				bare, ours := timed.bare(i), timed.fairlead(i)
				if i > 0 { // the first of all reads the disk
					all.Bare, all.Fairlead = append(all.Bare, bare), append(all.Fairlead, ours)
				}
			}
			text, err := json.Marshal(all)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Printf("starts: %s\n", text)
			bare, ours := median(all.Bare), median(all.Fairlead)
			t.Logf("%s: medians of %d: docker run %.0f ms, Fairlead %.0f ms, overhead %.0f ms", name, n, bare, ours, ours-bare)
		})
	}
}

// median is the one in the middle.
func median(samples []float64) float64 {
	sorted := slices.Sorted(slices.Values(samples))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// timing times starts of one image.
type timing struct {
	w       *world
	image   string
	id      string
	runtime *shim.Runtime
	orders  uint64
}

// bareAddress is where containers of docker run are, in a network that is made for them.
const bareNetwork, bareSubnet, bareAddress = "fairlead-figures", "10.231.77.0/24", "10.231.77.10"

func openRuntime(w *world) *shim.Runtime {
	w.Helper()
	runtime, err := shim.New(shim.Config{
		Root: filepath.Join(w.dir, "run"), Shim: built.fairlead, Log: slog.New(slog.DiscardHandler), Kinds: shim.Kinds{Container: container.Containers{}},
	})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = runtime.Close() })
	return runtime
}

// prepare makes the image, and the networks in which both start it.
func (m *timing) prepare() {
	m.w.Helper()
	m.w.imaged(behaviour{Version: "v1"}, appFile{}, byName)
	var made struct{ ID string }
	m.w.engine.Ask(m.w, "GET", "/images/"+m.image+"/json", nil, &made)
	m.id = made.ID
	m.w.engine.Ask(m.w, "POST", "/networks/create", map[string]any{
		"Name": bareNetwork, "Internal": true, "IPAM": map[string]any{"Config": []map[string]string{{"Subnet": bareSubnet}}},
	}, nil)
	m.w.Cleanup(func() { m.w.engine.Ask(m.w, "DELETE", "/networks/"+bareNetwork, nil, nil) })
	m.start(m.w.named + "-first") // so that Fairlead has a network as well
	m.w.Cleanup(func() { m.end(m.w.named + "-first") })
}

// bare runs docker run until the app answers, and removes the container.
func (m *timing) bare(i int) float64 {
	m.w.Helper()
	name := fmt.Sprintf("%s-%d", m.w.named, i)
	run := exec.Command("docker", "-H", m.w.engine.Host, "run", "-d", "--name", name, "--network", bareNetwork, "--ip", bareAddress, "-e", "PORT=8080",
		"--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", m.image)
	began := time.Now()
	if out, err := run.CombinedOutput(); err != nil {
		m.w.Fatalf("docker run: %v\n%s", err, out)
	}
	ask := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	for {
		answer, err := ask.Get("http://" + bareAddress + ":8080/readyz")
		if err == nil {
			_ = answer.Body.Close()
			break
		}
		if time.Since(began) > time.Minute {
			m.w.Fatalf("what docker run started does not answer: %v", err)
		}
		time.Sleep(2 * time.Millisecond)
	}
	took := time.Since(began)
	m.w.engine.Ask(m.w, "DELETE", "/containers/"+name+"?force=true", nil, nil)
	return float64(took) / float64(time.Millisecond)
}

// fairlead starts an instance until it is ready, and removes it.
func (m *timing) fairlead(i int) float64 {
	m.w.Helper()
	began, id := time.Now(), fmt.Sprintf("%s-%d", m.w.named, i)
	m.start(id)
	took := time.Since(began)
	m.end(id)
	return float64(took) / float64(time.Millisecond)
}

// start starts an instance and waits until it is ready.
func (m *timing) start(id string) {
	m.w.Helper()
	spec := workload.Spec{
		ID: id, Site: fairlead.Site{App: m.w.named, Env: "production"}, Release: 1,
		Image:   &workload.Image{ID: fairlead.Digest(m.id), Name: "v1", Engine: m.w.engine.Host, WorkDir: "/app"},
		Command: []string{"./app"}, Port: 8080, Readiness: fairlead.Check{Path: "/readyz"}, Sandbox: fairlead.SandboxRequired,
	}
	if err := m.runtime.Start(m.w.Context(), m.order(), spec, nil); err != nil {
		m.w.Fatal(err)
	}
	for began := time.Now(); !m.ready(id); time.Sleep(2 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			m.w.Fatalf("%s is not ready within a minute", id)
		}
	}
}

func (m *timing) ready(id string) bool {
	m.w.Helper()
	all, err := m.runtime.List(m.w.Context())
	if err != nil {
		m.w.Fatal(err)
	}
	return slices.ContainsFunc(all, func(s workload.Status) bool { return s.ID == id && s.State == workload.Ready })
}

func (m *timing) end(id string) {
	m.w.Helper()
	ctx := context.Background() // the test's own has ended when it cleans up
	if err := m.runtime.Stop(ctx, m.order(), id, time.Second); err != nil {
		m.w.Fatal(err)
	}
	if err := m.runtime.Remove(ctx, m.order(), id); err != nil {
		m.w.Fatal(err)
	}
}

func (m *timing) order() fairlead.Order {
	m.orders++
	return fairlead.Order{Term: 1, Seq: m.orders}
}
