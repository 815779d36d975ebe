package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/workload"
)

// broken is a diagnosis of a machine on which one attack got past the filter, one
// limit cannot be had, and namespaces are forbidden.
func broken() workload.Diagnosis {
	attempt := func(name string, outcome workload.Outcome, happened string, in ...string) workload.Attempt {
		return workload.Attempt{Attack: name, Against: []string{"it"}, In: in, Outcome: outcome, Happened: happened}
	}
	check := func(name string, enforced, required bool, detail, hint string, attempts ...workload.Attempt) workload.Check {
		return workload.Check{Protection: workload.Protection{Name: name, Enforced: enforced, Detail: detail}, Required: required, Hint: hint, Attempts: attempts}
	}
	return workload.Diagnosis{Sandboxes: []string{"instance", "gate", "build"}, Checks: []workload.Check{
		check("user namespace", false, true, "this user may make no namespaces here", "run as root, or allow it: sysctl kernel.unprivileged_userns_clone=1"),
		check("pid namespace", false, true, "this user may make no namespaces here", "run as root, or allow it: sysctl kernel.unprivileged_userns_clone=1",
			attempt("signal a process outside", workload.Untried, "there is none", "instance", "gate", "build")),
		check("landlock", true, true, "ABI 7", "",
			attempt("read a file", workload.Stopped, "permission denied", "instance", "gate"), attempt("read a file", workload.Stopped, "no such file", "build")),
		check("seccomp", false, true, "make a call, in a build: it was done", "",
			attempt("make a call", workload.Stopped, "operation not permitted", "instance", "gate"), attempt("make a call", workload.Succeeded, "it was done", "build")),
		check("memory limit", false, false, "no right to make a cgroup", "",
			attempt("use more memory", workload.Succeeded, "it took \x1b[31m256 MiB", "instance", "gate", "build")),
	}}
}

const brokenTable = `PROTECTION         HOLDS  BY WHAT, OR WHY NOT
    HOW IT WAS TRIED                         WHAT HAPPENED
user namespace     NO     NOT ENFORCED: this user may make no namespaces here;
                          run as root, or allow it: sysctl
                          kernel.unprivileged_userns_clone=1
pid namespace      NO     NOT ENFORCED: as above
    signal a process outside                 not tried: there is none
landlock           yes    ABI 7
    read a file                              permission denied
seccomp            NO     NOT ENFORCED: make a call, in a build: it was done
    make a call                              SUCCEEDED in build: it was done
memory limit       NO     NOT ENFORCED: no right to make a cgroup
    use more memory                          SUCCEEDED: it took [31m256 MiB

Attacked from inside: instance, gate, build. An app with sandbox: required does
not start here, for want of user namespace, pid namespace, seccomp.

CONTAINER ENGINE    none
No container engine was found. Only apps that are images need one. Install one.
`

// doctored runs doctor on a machine of which d is the diagnosis.
func doctored(d workload.Diagnosis, failed error, args ...string) (int, string, string) {
	var out, errOut bytes.Buffer
	wiring := testWiring()
	wiring.Doctor = func(context.Context) (workload.Diagnosis, error) { return d, failed }
	std := Std{In: strings.NewReader(""), Out: &out, Err: &errOut, Getenv: func(string) string { return "" }}
	return Run(context.Background(), append([]string{"doctor"}, args...), std, wiring), out.String(), errOut.String()
}

func TestDoctorPrintsWhatHoldsAndWhatDoesNot(t *testing.T) {
	status, out, errOut := doctored(broken(), nil)
	if out != brokenTable || status != ExitUnprotected || errOut != "" {
		t.Errorf("status %d, %q\n%s", status, errOut, out)
	}
}

func TestDoctorSaysInOneLineWhatItComesTo(t *testing.T) {
	d := broken()
	d.Checks = d.Checks[2:4]
	for i := range d.Checks {
		d.Checks[i].Required = d.Checks[i].Enforced
	}
	if _, out, _ := doctored(d, nil); !strings.Contains(out, "got past what is said to\nbe enforced: seccomp.") {
		t.Error(out)
	}
	d.Holds, d.Checks = true, broken().Checks[4:]
	status, out, _ := doctored(d, nil)
	if status != ExitDone || !strings.Contains(out, "All that sandbox: required needs\nholds. Not enforced: memory limit. An app that asks for such a limit") {
		t.Errorf("%d %s", status, out)
	}
}

func TestDoctorSpeaksJSONAndEndsWithTheSameStatus(t *testing.T) {
	status, out, _ := doctored(broken(), nil, "--output", "json")
	var d workload.Diagnosis
	if err := json.Unmarshal([]byte(out), &d); err != nil || status != ExitUnprotected || d.Holds || len(d.Checks) != 5 || d.Checks[3].Attempts[1].Outcome != workload.Succeeded {
		t.Errorf("%d %v %s", status, err, out)
	}
	status, out, errOut := doctored(workload.Diagnosis{}, errors.New("no room"))
	if status != ExitFailed || out != "" || errOut != "fairlead: doctor: no room\n" {
		t.Errorf("%d %q %q", status, out, errOut)
	}
}

func TestDoctorSaysWhatTheContainerEngineIsAndHoldsContainersBy(t *testing.T) {
	e := workload.EngineDiagnosis{Found: true, Host: "unix:///run/docker.sock", Name: "Docker 20.10.24", API: "1.41", Storage: "overlay2", Cgroups: "version 1, cgroupfs", Seccomp: "default",
		Checks: []workload.Check{
			{Protection: workload.Protection{Name: "non-root user", Enforced: true, Detail: "user 200000"}, Required: true},
			{Protection: workload.Protection{Name: "network of its own", Enforced: true, Detail: "probe"}, Required: true},
			{Protection: workload.Protection{Name: "memory limit", Enforced: true, Detail: "201326592"}, Required: true},
			{Protection: workload.Protection{Name: "cpu limit", Enforced: true, Detail: "1000 thousandths of a core"}, Required: true},
			{Protection: workload.Protection{Name: "process limit", Detail: "no control group says so"}, Required: true, Hint: "delegate them"},
		}}
	wiring := testWiring()
	wiring.ExamineEngine = func(_ context.Context, socket string) (workload.EngineDiagnosis, error) {
		if socket != "/run/a.sock" {
			t.Errorf("the socket is %q", socket)
		}
		return e, nil
	}
	var out bytes.Buffer
	std := Std{In: strings.NewReader(""), Out: &out, Err: &out, Getenv: func(string) string { return "" }}
	status := Run(context.Background(), []string{"doctor", "--engine", "/run/a.sock"}, std, wiring)
	const want = `
CONTAINER ENGINE    Docker 20.10.24
listens at          unix:///run/docker.sock
API                 1.41
storage             overlay2
control groups      version 1, cgroupfs
rootless            no: who may use its socket is as good as root
seccomp             default

A CONTAINER HAS     HOLDS  AS READ BACK FROM THE KERNEL
non-root user       yes    user 200000
network of its own  yes    probe
memory limit        yes    192 MiB
cpu limit           yes    1 core
process limit       NO     NOT ENFORCED: no control group says so; delegate them

An image with sandbox: required does not start in this engine, for want of
process limit.
`
	if status != ExitUnprotected || !strings.HasSuffix(out.String(), want) {
		t.Errorf("status %d:\n%s", status, out.String())
	}
}

func TestDoctorExaminesTheEngineOfTheServerThatRunsHereUnlessAnotherIsNamed(t *testing.T) {
	w := newWorld(t)
	examined := func(args ...string) (host string) {
		wiring := testWiring()
		wiring.ExamineEngine = func(_ context.Context, socket string) (workload.EngineDiagnosis, error) {
			host = socket
			return workload.EngineDiagnosis{Holds: true}, nil
		}
		std := Std{In: strings.NewReader(""), Out: &bytes.Buffer{}, Err: &bytes.Buffer{}, Getenv: func(name string) string { return w.env[name] }}
		if status := Run(context.Background(), append([]string{"doctor"}, args...), std, wiring); status != ExitDone {
			t.Errorf("status %d", status)
		}
		return host
	}
	if host := examined(); host != "" {
		t.Errorf("without a server it examines %q", host)
	}
	w.serve(20).Engine = "unix:///run/theirs.sock"
	if host := examined(); host != "unix:///run/theirs.sock" {
		t.Errorf("with a server it examines %q", host)
	}
	if host := examined("--engine", "/run/mine.sock"); host != "/run/mine.sock" {
		t.Errorf("with another named it examines %q", host)
	}
}
