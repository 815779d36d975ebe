package workloadtest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// Run runs the suite. Every test has a runtime of its own.
func Run(t *testing.T, harness func(t *testing.T) Harness) {
	tests := map[string]func(*testing.T, Harness){
		"AnInstanceBecomesReadyServesAndEnds":         ready,
		"StartingAgainDoesNothing":                    idempotent,
		"StopGivesGraceAndThenKills":                  grace,
		"AnInstanceThatEndsIsStartedAgain":            restarted,
		"ACrashLoopEnds":                              crashLoop,
		"AnInstanceThatIsNeverReadyIsGivenUp":         neverReady,
		"ReadinessComesAndGoes":                       unready,
		"AFailingHealthCheckRestarts":                 unhealthy,
		"LogsHaveTailsAndAreFollowed":                 logs,
		"AStaleOrderIsRefused":                        stale,
		"ANewRuntimeFindsWhatRuns":                    adopted,
		"SecretsAreFilesForTheAppAlone":               secrets,
		"TheEnvironmentIsTheAppsOwn":                  environment,
		"InvalidSpecsAreRefused":                      invalid,
		"NamesThatNeverWereAreNoErrorToStopAndRemove": unknown,
		"KillingTheSupervisorKillsTheInstance":        supervisorKilled,
		"OnlyTheEndedAreRemoved":                      removal,
		"SharedMemoryHasTheSizeThatIsAskedFor":        sharedMemory,
	}
	for _, name := range sorted(tests) {
		t.Run(name, func(t *testing.T) { tests[name](t, harness(t)) })
	}
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func ready(t *testing.T, h Harness) {
	i := Start(t, h.Open(t), h.Spec("one", "serve"), nil)
	status := i.AwaitState(workload.Ready)
	if status.Release != 7 || status.Site != i.Spec.Site || status.Digest != i.Spec.Digest || status.Started.IsZero() || status.ReadySince.IsZero() {
		t.Errorf("status %+v does not tell of %+v", status, i.Spec)
	}
	if body, err := i.Get("/"); body != "hello from one" || err != nil {
		t.Errorf("it answered %q, %v", body, err)
	}
	if err := i.Runtime.Stop(t.Context(), Order(), "one", Patience); err != nil {
		t.Fatal(err)
	}
	if status := i.Status(); status.State != workload.Exited || status.LastExit != "exit status 0" {
		t.Errorf("after stop it is %+v", status)
	}
	if body, err := i.Get("/"); err == nil {
		t.Errorf("after stop it answered %q", body)
	}
	if log := i.Log(0); !strings.Contains(log, "ending in order") {
		t.Errorf("it did not end in order:\n%s", log)
	}
}

func idempotent(t *testing.T, h Harness) {
	i := Start(t, h.Open(t), h.Spec("one", "serve"), nil)
	first := i.AwaitState(workload.Ready)
	for range 2 {
		if err := i.Runtime.Start(t.Context(), Order(), i.Spec, nil); err != nil {
			t.Fatal(err)
		}
	}
	if again := i.Status(); again.Started != first.Started || again.State != workload.Ready {
		t.Errorf("it was %+v and is %+v", first, again)
	}
	if err := i.Runtime.Stop(t.Context(), Order(), "one", Patience); err != nil {
		t.Fatal(err)
	}
	if err := i.Runtime.Start(t.Context(), Order(), i.Spec, nil); err != nil {
		t.Fatal(err)
	}
	if status := i.Status(); status.State != workload.Exited {
		t.Errorf("one that ended was started again: %+v", status)
	}
	if err := i.Runtime.Stop(t.Context(), Order(), "one", 0); err != nil {
		t.Errorf("a second stop: %v", err)
	}
}

func grace(t *testing.T, h Harness) {
	r := h.Open(t)
	slow := Start(t, r, h.Spec("slow", "slow"), nil)
	slow.AwaitState(workload.Ready)
	if err := r.Stop(t.Context(), Order(), "slow", Patience); err != nil {
		t.Fatal(err)
	}
	if status := slow.Status(); status.LastExit != "exit status 0" {
		t.Errorf("one that ends in its grace time: %+v", status)
	}
	stubborn := Start(t, r, h.Spec("stubborn", "stubborn"), nil)
	stubborn.AwaitState(workload.Ready)
	if err := r.Stop(t.Context(), Order(), "stubborn", 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if status := stubborn.Status(); status.State != workload.Exited || !strings.Contains(status.LastExit, "killed") {
		t.Errorf("one that ignores SIGTERM: %+v", status)
	}
}

func restarted(t *testing.T, h Harness) {
	i := Start(t, h.Open(t), h.Spec("one", "serve"), nil)
	i.AwaitState(workload.Ready)
	i.Get("/die") // its answer is cut
	status := i.Await("started again", func(s workload.Status) bool { return s.Restarts == 1 && s.State == workload.Ready })
	if status.LastExit != "signal: killed" {
		t.Errorf("it ended with %q", status.LastExit)
	}
	if body, err := i.Get("/"); body != "hello from one" || err != nil {
		t.Errorf("it answered %q, %v", body, err)
	}
}

func crashLoop(t *testing.T, h Harness) {
	i := Start(t, h.Open(t), h.Spec("one", "crash"), nil)
	i.Await("backing off", func(s workload.Status) bool { return s.State == workload.Backoff && s.LastExit == "exit status 3" })
	status := i.AwaitState(workload.CrashLoop)
	if status.Restarts != 4 || status.LastExit != "exit status 3" {
		t.Errorf("it gave up as %+v, want 4 restarts", status)
	}
	if n := strings.Count(i.Log(0), "stdout app crash"); n != 5 {
		t.Errorf("it was started %d times, want 5", n)
	}
}

func neverReady(t *testing.T, h Harness) {
	spec := h.Spec("one", "deaf")
	spec.Readiness.Deadline = fairlead.Duration(300 * time.Millisecond)
	i := Start(t, h.Open(t), spec, nil)
	if status := i.AwaitState(workload.CrashLoop); !strings.HasPrefix(status.LastExit, "not ready within 300ms: ") || status.Restarts != 0 {
		t.Errorf("it was given up as %+v", status)
	}
}

func unready(t *testing.T, h Harness) {
	i := Start(t, h.Open(t), h.Spec("one", "serve"), nil)
	i.AwaitState(workload.Ready)
	for _, step := range []struct {
		path string
		then workload.State
	}{{"/ready/unset", workload.Unready}, {"/ready/set", workload.Ready}} {
		if _, err := i.Get(step.path); err != nil {
			t.Fatal(err)
		}
		if status := i.AwaitState(step.then); status.ReadySince.IsZero() != (step.then == workload.Unready) || status.Restarts != 0 {
			t.Errorf("after %s it is %+v", step.path, status)
		}
	}
}

func unhealthy(t *testing.T, h Harness) {
	spec := h.Spec("one", "serve")
	spec.Health = &fairlead.Check{Path: "/healthy", Interval: fairlead.Duration(20 * time.Millisecond), Failures: 2}
	i := Start(t, h.Open(t), spec, nil)
	i.AwaitState(workload.Ready)
	if _, err := i.Get("/healthy/unset"); err != nil {
		t.Fatal(err)
	}
	status := i.Await("restarted", func(s workload.Status) bool { return s.Restarts == 1 && s.State == workload.Ready })
	if !strings.Contains(status.LastExit, "health check failed 2 times") {
		t.Errorf("it ended with %q", status.LastExit)
	}
}

// lines is a writer of which a test waits for content.
type lines struct {
	changed chan string
	all     bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.all.Write(p)
	l.changed <- l.all.String()
	return len(p), nil
}

func logs(t *testing.T, h Harness) {
	i := Start(t, h.Open(t), h.Spec("one", "serve"), nil)
	i.AwaitState(workload.Ready)
	if _, err := i.Get("/print?line=first+line"); err != nil {
		t.Fatal(err)
	}
	Eventually(t, func() (bool, string) { l := i.Log(1); return strings.HasSuffix(l, " stdout first line\n"), l })
	line := i.Log(1)
	if at, _, _ := strings.Cut(line, " "); strings.Count(line, "\n") != 1 {
		t.Errorf("a tail of one line is %q", line)
	} else if _, err := time.Parse(time.RFC3339Nano, at); err != nil {
		t.Errorf("a line begins with %q: %v", at, err)
	}
	if all := i.Log(0); !strings.Contains(all, " stderr to standard error\n") || !strings.Contains(all, " stdout app serve one\n") {
		t.Errorf("the log is %q", all)
	}
	followed := &lines{changed: make(chan string, 1000)}
	ended := make(chan error, 1)
	go func() {
		ended <- i.Runtime.Logs(context.Background(), "one", workload.LogOptions{Tail: 1, Follow: true}, followed)
	}()
	if got := <-followed.changed; got != line {
		t.Errorf("following began with %q, want %q", got, line)
	}
	if _, err := i.Get("/print?line=second+line"); err != nil {
		t.Fatal(err)
	}
	if got := <-followed.changed; !strings.HasSuffix(got, " stdout second line\n") {
		t.Errorf("following saw %q", got)
	}
	if err := i.Runtime.Stop(t.Context(), Order(), "one", Patience); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil || !strings.Contains(followed.all.String(), "ending in order") {
		t.Errorf("following ended with %v after %q", err, followed.all.String())
	}
	if err := i.Runtime.Logs(t.Context(), "other", workload.LogOptions{}, followed); fairlead.CodeOf(err) != fairlead.NotFound {
		t.Errorf("the log of nobody: %v", err)
	}
}

func stale(t *testing.T, h Harness) {
	i := Start(t, h.Open(t), h.Spec("one", "serve"), nil)
	i.AwaitState(workload.Ready)
	old := fairlead.Order{Term: 1, Seq: 1}
	commands := map[string]error{
		"start":  i.Runtime.Start(t.Context(), old, i.Spec, nil),
		"stop":   i.Runtime.Stop(t.Context(), old, "one", 0),
		"remove": i.Runtime.Remove(t.Context(), old, "one"),
	}
	earlier := Order()
	earlier.Term--
	earlier.Seq += 1e18
	commands["stop of an earlier term"] = i.Runtime.Stop(t.Context(), earlier, "one", 0)
	for name, err := range commands {
		if fairlead.CodeOf(err) != fairlead.Conflict {
			t.Errorf("a stale %s: %v, want a conflict", name, err)
		}
	}
	if status := i.Status(); status.State != workload.Ready {
		t.Errorf("after stale orders it is %+v", status)
	}
	end := Order()
	if err := i.Runtime.Stop(t.Context(), end, "one", 0); err != nil {
		t.Fatal(err)
	}
	if err := i.Runtime.Stop(t.Context(), end, "one", 0); fairlead.CodeOf(err) != fairlead.Conflict {
		t.Errorf("an order taken twice: %v, want a conflict", err)
	}
	if err := i.Runtime.Remove(t.Context(), Order(), "one"); err != nil {
		t.Fatal(err)
	}
	if err := i.Runtime.Start(t.Context(), earlier, i.Spec, nil); fairlead.CodeOf(err) != fairlead.Conflict {
		t.Errorf("an earlier term started what was removed: %v", err)
	}
}

func adopted(t *testing.T, h Harness) {
	i := Start(t, h.Open(t), h.Spec("one", "serve"), nil)
	before := i.AwaitState(workload.Ready)
	i.Runtime = h.Open(t)
	after := i.Status()
	if after.State != workload.Ready || after.Started != before.Started || after.Address != before.Address {
		t.Fatalf("it was %+v and is %+v", before, after)
	}
	if body, err := i.Get("/"); body != "hello from one" || err != nil {
		t.Errorf("it answered %q, %v", body, err)
	}
	if err := i.Runtime.Start(t.Context(), Order(), i.Spec, nil); err != nil {
		t.Fatal(err)
	}
	if err := i.Runtime.Stop(t.Context(), Order(), "one", Patience); err != nil {
		t.Fatal(err)
	}
	if status := i.Status(); status.State != workload.Exited {
		t.Errorf("after stop it is %+v", status)
	}
}

func secrets(t *testing.T, h Harness) {
	const value = "a-very-secret-value-3141592653"
	i := Start(t, h.Open(t), h.Spec("one", "serve"), workload.Secrets{"api-key": []byte(value), "empty": nil})
	i.AwaitState(workload.Ready)
	self := i.self()
	if self.Secrets["api-key"] != value || self.Secrets["empty"] != "" || len(self.Secrets) != 2 {
		t.Errorf("the app reads %q", self.Secrets)
	}
	if mode := self.Modes["api-key"]; mode != "-r--------" {
		t.Errorf("its mode is %s", mode)
	}
	i.Get("/die")
	i.Await("started again", func(s workload.Status) bool { return s.Restarts == 1 && s.State == workload.Ready })
	if again := i.self(); again.Secrets["api-key"] != value {
		t.Errorf("after a restart the app reads %q", again.Secrets)
	}
	for _, text := range append(self.Env, self.Args...) {
		if strings.Contains(text, value) {
			t.Errorf("the secret is in %q", text)
		}
	}
	searched := append(h.Searched(t), "/proc")
	for _, dir := range searched {
		pattern := func(string) bool { return true }
		if dir == "/proc" {
			pattern = func(path string) bool {
				return filepath.Base(path) == "environ" || filepath.Base(path) == "cmdline"
			}
		}
		search(t, dir, value, pattern)
	}
}

// search looks for a text in the files below dir, of processes only those that
// matter.
func search(t *testing.T, dir, text string, pattern func(string) bool) {
	t.Helper()
	read := 0
	filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return nil // it ended, or is another's
		}
		if dir == "/proc" && entry.IsDir() && strings.Count(path, "/") > 2 {
			return filepath.SkipDir
		}
		if !entry.Type().IsRegular() || !pattern(path) {
			return nil
		}
		data, err := os.ReadFile(path)
		if err == nil {
			read++
		}
		if bytes.Contains(data, []byte(text)) {
			t.Errorf("%s holds a secret", path)
		}
		return nil
	})
	if read == 0 {
		t.Errorf("nothing was searched in %s", dir)
	}
}

func environment(t *testing.T, h Harness) {
	t.Setenv("LEAKED_FROM_THE_CONTROL_PLANE", "yes")
	spec := h.Spec("one", "serve")
	spec.Env = map[string]string{"GREETING": "hello", "PORT": "1"}
	i := Start(t, h.Open(t), spec, nil)
	i.AwaitState(workload.Ready)
	self := i.self()
	var names []string
	for _, variable := range self.Env {
		name, value, _ := strings.Cut(variable, "=")
		names = append(names, name)
		want := map[string]string{"GREETING": "hello", "FAIRLEAD_APP": "triage", "FAIRLEAD_ENV": "dev", "FAIRLEAD_RELEASE": "7", "FAIRLEAD_INSTANCE": "one"}[name]
		if want != "" && value != want {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
	slices.Sort(names)
	want := append([]string{"FAIRLEAD_APP", "FAIRLEAD_ENV", "FAIRLEAD_INSTANCE", "FAIRLEAD_RELEASE", "FAIRLEAD_SECRETS", "GREETING", "HOME", "LANG", "PATH", "PORT", "TMPDIR"}, h.Given...)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("the app has %q, want %q", names, want)
	}
}

func sharedMemory(t *testing.T, h Harness) {
	for id, asked := range map[string]string{"usual": "", "more": "80Mi"} {
		spec := h.Spec(id, "fill", "/dev/shm")
		spec.Resources = fairlead.Resources{Memory: "256Mi", Shm: asked}
		i := Start(t, h.Open(t), spec, nil)
		status := i.AwaitState(workload.Ready)
		if has := func(p workload.Protection) bool { return p.Name == workload.ScratchLimit && p.Enforced }; !slices.ContainsFunc(status.Protections, has) {
			t.Skip("it has the machine's /dev/shm")
		}
		want := map[string]string{"usual": "filled 64 MiB", "more": "filled 80 MiB"}[id]
		Eventually(t, func() (bool, string) { log := i.Log(0); return strings.Contains(log, want), log })
	}
}

func invalid(t *testing.T, h Harness) {
	r := h.Open(t)
	cases := map[string]func(*workload.Spec){
		"id":        func(s *workload.Spec) { s.ID = "../x" },
		"no id":     func(s *workload.Spec) { s.ID = "" },
		"directory": func(s *workload.Spec) { s.Dir = "relative" },
		"command":   func(s *workload.Spec) { s.Command = nil },
		"port":      func(s *workload.Spec) { s.Port = 70000 },
		"memory":    func(s *workload.Spec) { s.Resources.Memory = "lots" },
		"shm":       func(s *workload.Spec) { s.Resources.Shm = "much" },
		"cpu":       func(s *workload.Spec) { s.Resources.CPU = "-1" },
		"reach":     func(s *workload.Spec) { s.Network.Reach = []string{"*"} },
		"own port":  func(s *workload.Spec) { s.Network.Reach = []string{fmt.Sprintf("localhost:%d", s.Port)} },
		"sandbox":   func(s *workload.Spec) { s.Sandbox = "none" },
		"env":       func(s *workload.Spec) { s.Env = map[string]string{"A=B": ""} },
	}
	for name, spoil := range cases {
		spec := h.Spec("one", "serve")
		spoil(&spec)
		if err := r.Start(t.Context(), Order(), spec, nil); fairlead.CodeOf(err) != fairlead.Invalid {
			t.Errorf("a bad %s: %v", name, err)
		}
	}
	spec := h.Spec("one", "serve")
	if err := r.Start(t.Context(), Order(), spec, workload.Secrets{"../x": nil}); fairlead.CodeOf(err) != fairlead.Invalid {
		t.Errorf("a bad name of a secret: %v", err)
	}
	if all, err := r.List(t.Context()); len(all) != 0 || err != nil {
		t.Errorf("there are %+v, %v", all, err)
	}
}

func unknown(t *testing.T, h Harness) {
	r := h.Open(t)
	if err := r.Stop(t.Context(), Order(), "nobody", 0); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := r.Remove(t.Context(), Order(), "nobody"); err != nil {
		t.Errorf("remove: %v", err)
	}
}

func supervisorKilled(t *testing.T, h Harness) {
	if h.KillSupervisor == nil {
		t.Skip("its supervisor is not the runtime's own")
	}
	i := Start(t, h.Open(t), h.Spec("one", "serve"), nil)
	i.AwaitState(workload.Ready)
	conn, err := Dial(t.Context(), i.Status().Address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	h.KillSupervisor(t, "one")
	if status := i.AwaitState(workload.Exited); status.LastExit != "its shim died" {
		t.Errorf("it is %+v", status)
	}
	conn.SetDeadline(time.Now().Add(Patience))
	if _, err := conn.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("the app still holds its connection: %v", err)
	}
}

func removal(t *testing.T, h Harness) {
	i := Start(t, h.Open(t), h.Spec("one", "serve"), nil)
	i.AwaitState(workload.Ready)
	if err := i.Runtime.Remove(t.Context(), Order(), "one"); fairlead.CodeOf(err) != fairlead.Conflict {
		t.Errorf("removing one that runs: %v", err)
	}
	if err := i.Runtime.Stop(t.Context(), Order(), "one", 0); err != nil {
		t.Fatal(err)
	}
	if err := i.Runtime.Remove(t.Context(), Order(), "one"); err != nil {
		t.Fatal(err)
	}
	if all, err := i.Runtime.List(t.Context()); len(all) != 0 || err != nil {
		t.Errorf("there are %+v, %v", all, err)
	}
}
