//go:build linux

package local_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/local"
	"github.com/fairlead/fairlead/workload/local/doctor"
	"github.com/fairlead/fairlead/workload/local/doctor/attack"
	"github.com/fairlead/fairlead/workload/workloadtest"
)

// alone gives a test a directory of its own for all temporary files, open to the
// users of sandboxes, in which nothing may be left.
func alone(t *testing.T) {
	t.Helper()
	aloneIn(t, "")
}

// aloneIn is alone in a certain place; "" is the usual one.
func aloneIn(t *testing.T, place string) {
	t.Helper()
	dir, err := os.MkdirTemp(place, "fairlead-alone-") // t.TempDir's is closed to others
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", dir)
	t.Setenv("HOME", dir)
	t.Cleanup(func() {
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			t.Errorf("%v is left, or %v", entries, err)
		}
		nothingRuns(t, dir)
		os.RemoveAll(dir)
	})
}

// limited says whether the limits of resources can be enforced here.
func limited() bool { return os.Getuid() == 0 && !plain() }

func examine(t *testing.T) workload.Diagnosis {
	t.Helper()
	d, err := doctor.Run(t.Context(), shimProgram())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range d.Checks {
		t.Logf("%s: %v, %s", c.Name, c.Enforced, c.Detail)
	}
	return d
}

func TestNoAttackGetsOutOfTheSandbox(t *testing.T) {
	alone(t)
	d := examine(t)
	tried := map[string]int{}
	for _, c := range d.Checks {
		limit := c.Name == workload.MemoryLimit || c.Name == workload.CPULimit
		if !c.Enforced && (limited() || !limit) {
			t.Errorf("%s is not enforced: %s", c.Name, c.Detail)
		}
		for _, a := range c.Attempts {
			if a.Outcome == workload.Succeeded && (limited() || !limit) {
				t.Errorf("%s succeeded in %v: %s", a.Attack, a.In, a.Happened)
			}
			if a.Outcome != workload.Untried {
				tried[a.Attack]++
			}
		}
	}
	if !d.Holds || len(tried) < 60 || !slices.Equal(d.Sandboxes, []string{"instance", "gate", "build"}) {
		t.Errorf("holds: %v, %d attacks were tried in %v", d.Holds, len(tried), d.Sandboxes)
	}
	everyAttackIsAboutAProtection(t, d)
}

func everyAttackIsAboutAProtection(t *testing.T, d workload.Diagnosis) {
	t.Helper()
	names := map[string]int{}
	for _, c := range d.Checks {
		names[c.Name]++
		if c.Name != workload.Landlock && len(c.Attempts) == 0 {
			t.Errorf("nothing was tried against %s", c.Name)
		}
	}
	if len(names) != 19 {
		t.Errorf("%d protections are reported", len(names))
	}
	for _, a := range attack.All() {
		for _, against := range slices.Concat(a.Against, a.Plain) {
			if names[against] != 1 {
				t.Errorf("%q is stopped by %s, which is reported %d times", a.Name, against, names[against])
			}
		}
	}
}

// cannotLeaveOut are protections without which there is no sandbox to attack from.
var cannotLeaveOut = []string{workload.UserNamespace, workload.PidNamespace, workload.SecretsInMemory}

// shown says whether the attack can be shown to succeed here once what stops it is
// left out.
func shown(a attack.Attack) bool {
	switch {
	case slices.ContainsFunc(cannotLeaveOut, func(name string) bool { return slices.Contains(a.Against, name) }):
		return false
	case a.Modes, a.User && os.Getuid() == 0, a.In != nil && !slices.Contains(a.In, attack.Gate):
		return false // something else stops it too, or it is not for a gate
	case a.Name == attack.ShimSocket, a.Name == attack.NeighboursSecret:
		return false // there is no other instance in these tests
	case a.Against[0] == workload.CPULimit:
		return false // how much a job gets depends on what else runs
	case a.Against[0] == workload.NoNewPrivileges, a.Name == "inherit a descriptor of the shim":
		return os.Getuid() == 0 // only root has what there is to gain
	case a.Name == "inherit a variable of the shim":
		return false // it has none
	case a.Against[0] == workload.NoCoreDumps:
		var limit unix.Rlimit
		return unix.Getrlimit(unix.RLIMIT_CORE, &limit) == nil && limit.Max > 1<<16
	case a.Against[0] == workload.FileLimit:
		return raiseFiles() == nil
	}
	return true
}

// raiseFiles lets the processes of this test open more files than an app may.
func raiseFiles() error {
	const most = workload.MostFiles + 1024
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: most, Max: most})
}

// attempt makes some attacks from a gate that is without some protections, and
// returns what came of them.
func attempt(t *testing.T, only, without []string) map[string]workload.Attempt {
	t.Helper()
	stage, err := doctor.NewStage(shimProgram())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stage.Close(); err != nil {
			t.Error(err)
		}
	}()
	r := openWith(t, stage.Run(), local.Sandbox{Without: without})
	job, err := stage.Job(attack.Gate, only...)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(without, workload.ScratchLimit) { // what it takes would count as its memory
		job.Resources = fairlead.Resources{}
	}
	result := run(t, r, job)
	all, complete := attack.Attempts(result.Output)
	if !complete {
		t.Fatalf("it ended with %d after %s", result.ExitCode, result.Output)
	}
	for _, p := range result.Protections {
		if p.Enforced && slices.Contains(without, p.Name) {
			t.Errorf("%s was left out and is said to be enforced", p.Name)
		}
	}
	byName := map[string]workload.Attempt{}
	for _, a := range all {
		byName[a.Attack] = a
	}
	return byName
}

func TestEachAttackSucceedsWhereWhatStopsItIsLeftOut(t *testing.T) {
	alone(t)
	var shownOnes []string
	groups := map[string][]string{} // names of attacks by what stops them
	for _, a := range attack.All() {
		if shown(a) {
			key := strings.Join(a.Against, ", ")
			groups[key] = append(groups[key], a.Name)
			shownOnes = append(shownOnes, a.Name)
		}
	}
	for key, names := range groups {
		t.Run(strings.ReplaceAll(key, " ", "_"), func(t *testing.T) {
			without := attempt(t, names, strings.Split(key, ", "))
			for _, name := range names {
				got := without[name]
				if got.Outcome == workload.Untried && name == "run a program of 32 bits" {
					continue // not every kernel can
				}
				if got.Outcome != workload.Succeeded {
					t.Errorf("%s: %s, %s", name, got.Outcome, got.Happened)
				}
			}
		})
	}
	if len(shownOnes) < 35 {
		t.Errorf("only %d attacks were shown to succeed: %v", len(shownOnes), shownOnes)
	}
}

func TestLandlockAloneKeepsFilesFromBeingRead(t *testing.T) {
	aloneIn(t, "/var/tmp") // an app may write below /tmp, which is the machine's in this test
	names := []string{
		"read a file of the state directory", "write to a file of the state directory", "read another instance's artifact",
		"follow a link out of the artifact", "climb out with ..", "open disks, memory and terminals", "write to a file of its own artifact",
	}
	without := attempt(t, names, []string{workload.MountNamespace})
	for _, name := range names {
		if got := without[name]; got.Outcome != workload.Stopped {
			t.Errorf("%s: %s, %s", name, got.Outcome, got.Happened)
		}
	}
}

func TestWithoutNamespacesTheDoctorSaysSo(t *testing.T) {
	if !plain() {
		t.Skip("there are namespaces here")
	}
	alone(t)
	d := examine(t)
	if d.Holds {
		t.Error("it is said to hold")
	}
	succeeded := map[string]bool{}
	for _, c := range d.Checks {
		namespace := strings.HasSuffix(c.Name, "namespace")
		if namespace && (c.Enforced || c.Hint == "" || !c.Required) {
			t.Errorf("%+v", c)
		}
		if rest := []string{workload.Landlock, workload.Seccomp, workload.NoCoreDumps, workload.CleanStart, workload.UnreadableInit, workload.NoCapabilities, workload.NoNewPrivileges, workload.FileLimit}; slices.Contains(rest, c.Name) && !c.Enforced {
			t.Errorf("%s: %s", c.Name, c.Detail)
		}
		for _, a := range c.Attempts {
			if a.Outcome == workload.Succeeded {
				succeeded[a.Attack] = true
			}
		}
	}
	for _, name := range []string{"send to a UDP port of the machine", "find an interface beside lo", "learn the machine's name", "connect to API's and gateway's sockets"} {
		if !succeeded[name] {
			t.Errorf("%q did not succeed", name)
		}
	}
}

func TestTheAttackerDoesNothingWithoutADoctor(t *testing.T) {
	for _, arguments := range [][]string{{attack.Name}, {attack.Name, "run"}, {attack.Name, "run", ""}, {attack.Name, "run", "guess"}, {attack.Name, "eat", "guess", "1000000000"}} {
		output, err := exec.Command(shimProgram(), arguments...).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 3 || strings.Contains(string(output), "{") {
			t.Errorf("%v: %v, %s", arguments, err, output)
		}
	}
}

func TestOutsideASandboxTheAttackerMakesNothing(t *testing.T) {
	alone(t)
	stage, err := doctor.NewStage(shimProgram())
	if err != nil {
		t.Fatal(err)
	}
	defer stage.Close()
	var names []string
	for _, a := range attack.All() {
		if a.Name != attack.Outlive { // nothing would end what it leaves
			names = append(names, a.Name)
		}
	}
	job, err := stage.Job(attack.Gate, names...)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(filepath.Join(job.Dir, job.Command[0]), job.Command[1:]...)
	command.Dir = job.Dir
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	all, complete := attack.Attempts(output)
	outcomes := map[string]workload.Outcome{}
	for _, a := range all {
		outcomes[a.Attack] = a.Outcome
	}
	for _, a := range attack.All() {
		if a.Changes && outcomes[a.Name] != "" && outcomes[a.Name] != workload.Untried {
			t.Errorf("%s was tried: %s", a.Name, outcomes[a.Name])
		}
	}
	if outcomes["read a file of the state directory"] != workload.Succeeded || !complete {
		t.Errorf("it did not look: %v", outcomes)
	}
}

func TestARunFindsNothingOfTheOneBefore(t *testing.T) { nothingOfTheRunBefore(t) }

func TestWithoutNamespacesARunFindsNothingOfTheOneBefore(t *testing.T) {
	if !plain() {
		t.Skip("there are namespaces here")
	}
	nothingOfTheRunBefore(t)
}

func nothingOfTheRunBefore(t *testing.T) {
	t.Helper()
	spec := workloadtest.Spec(appDir(), "fresh")
	spec.Command = []string{"sh", "-c", `echo "found: $(ls -A $TMPDIR)"; echo x > $TMPDIR/kept; exit 1`}
	i := workloadtest.Start(t, open(t, t.TempDir()), spec, nil)
	i.Await("started again", func(s workload.Status) bool { return s.Restarts >= 2 })
	if log := i.Log(0); strings.Contains(log, "kept") || strings.Count(log, "found: \n") < 2 {
		t.Errorf("it says\n%s", log)
	}
}
