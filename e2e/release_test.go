package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fairlead/fairlead/api/client"
)

// behaviour is the configuration of a release of the fixture app, see e2e/app.
type behaviour struct {
	Version  string
	Failures float64
	Latency  time.Duration
	Exit     bool
	Deaf     bool
	Port     string
	Unready  bool
	Warmup   time.Duration
	Signals  []string
	Queue    float64
	Record   string
	Writes   string
	Gate     struct {
		Exit int
		Dial string
		Last time.Duration
	}
}

// fast is a strategy that proves a release in seconds at some 200 requests/s.
const fast = `{steps: [50], beta: 0.3, margin: {ratio: 5, absolute: 0.2}, warmup: 100ms, minStep: 1s, rollbackWindow: 10m}`

// appFile is an App file. Lines go below spec, environments below its list.
type appFile struct {
	lines        string // such as "  drain: 2s\n"
	environments string // such as "    - {name: production}\n"; default production with the strategy fast
	artifact     string // default the directory of the release
	image        bool   // the artifact is an image, which has a command
	readiness    string // default GET /readyz each 200 ms
}

// lay writes a release and its App file, and returns the file.
func (w *world) lay(b behaviour, f appFile) string {
	w.Helper()
	dir := filepath.Join(w.dir, b.Version)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		w.Fatal(err)
	}
	copyFile(w, built.app, filepath.Join(dir, "app"))
	config, err := json.Marshal(b)
	if err != nil {
		w.Fatal(err)
	}
	write(w, filepath.Join(dir, "config.json"), string(config))
	if f.artifact == "" {
		f.artifact = "{directory: ./" + b.Version + "}"
	}
	if f.environments == "" {
		f.environments = "    - {name: production, strategy: " + fast + "}\n"
	}
	command := "  command: [./app]\n"
	if f.image {
		command = "" // it is the image's
	}
	file := filepath.Join(w.dir, b.Version+".yaml")
	write(w, file, fmt.Sprintf(`apiVersion: fairlead.dev/v1
kind: App
metadata: {name: %s}
spec:
  artifact: %s
%s  readiness: %s
%s  environments:
%s`, w.named, f.artifact, command, cmp.Or(f.readiness, "{path: /readyz, interval: 200ms}"), f.lines, f.environments))
	return file
}

// deploy releases a behaviour and waits for the exit status that says how it ends.
func (w *world) deploy(code int, b behaviour, f appFile) client.Deployed {
	w.Helper()
	r := w.exits(code, "deploy", "-f", w.lay(b, f), "--wait", "--output", "json")
	var d client.Deployed
	if err := json.Unmarshal([]byte(r.out), &d); err != nil {
		w.Fatalf("%v: %s", err, r)
	}
	return d
}

// begin releases a behaviour and does not wait.
func (w *world) begin(b behaviour, f appFile) client.Deployed {
	w.Helper()
	return see[client.Deployed](w, "deploy", "-f", w.lay(b, f))
}

// rollout returns a rollout as it is now.
func (w *world) rollout(env ...string) client.Rollout {
	w.Helper()
	s := w.site(env...)
	if s.Rollout == nil {
		w.Fatalf("no rollout at %+v", s)
	}
	return *s.Rollout
}

// reaches waits for a rollout to be as said.
func (w *world) reaches(what string, holds func(client.Rollout) bool, env ...string) client.Rollout {
	w.Helper()
	var r client.Rollout
	deadline := time.Now().Add(60 * time.Second)
	for {
		if r = w.rollout(env...); holds(r) {
			return r
		}
		if time.Now().After(deadline) {
			w.Fatalf("the rollout never was %s: phase %s, outcome %q, held %q, weight %s, story %q\n%s",
				what, r.Phase, r.Outcome, r.Held, r.Weight, strings.Join(r.Story, "; "), w.why())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func partial(r client.Rollout) bool { return r.Phase == "stepping" && r.Weight > 0 }

// unattended holds where the gateway's lease ran out.
func unattended(r client.Rollout) bool { return r.Held == "lease expired" }

func outcome(o client.Outcome) func(client.Rollout) bool {
	return func(r client.Rollout) bool { return r.Outcome == o }
}

func write(w *world, file, text string) {
	w.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		w.Fatal(err)
	}
}

func copyFile(w *world, from, to string) {
	w.Helper()
	in, err := os.Open(from)
	if err != nil {
		w.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		w.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		w.Fatal(err)
	}
	if err := out.Close(); err != nil {
		w.Fatal(err)
	}
}
