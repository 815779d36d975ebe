//go:build linux

package doctor

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/local/doctor/attack"
	"github.com/fairlead/fairlead/workload/workloadtest"
)

func holds(name string) workload.Protection { return workload.Protection{Name: name, Enforced: true} }

func lacks(name, why string) workload.Protection {
	return workload.Protection{Name: name, Detail: why}
}

func got(attack string, outcome workload.Outcome, against ...string) workload.Attempt {
	return workload.Attempt{Attack: attack, Against: against, Outcome: outcome, Happened: "so"}
}

func TestADiagnosisHoldsOnlyIfWhatIsRequiredIsEnforcedAndNothingGotPast(t *testing.T) {
	stoppedRead := got("read", workload.Stopped, workload.MountNamespace, workload.Landlock)
	read := got("read", workload.Succeeded, workload.MountNamespace, workload.Landlock)
	eaten := got("eat", workload.Succeeded, workload.MemoryLimit)
	cases := map[string]struct {
		protections []workload.Protection
		attempts    []workload.Attempt
		holds       bool
		broken      string // protections that are not enforced
	}{
		"all is well":                     {[]workload.Protection{holds(workload.MountNamespace), holds(workload.Landlock)}, []workload.Attempt{stoppedRead}, true, ""},
		"one that is required is missing": {[]workload.Protection{holds(workload.MountNamespace), lacks(workload.Landlock, "none")}, []workload.Attempt{stoppedRead}, false, workload.Landlock},
		"an attack got past both":         {[]workload.Protection{holds(workload.MountNamespace), holds(workload.Landlock)}, []workload.Attempt{read}, false, workload.MountNamespace + " " + workload.Landlock},
		"a limit cannot be had":           {[]workload.Protection{holds(workload.Landlock), lacks(workload.MemoryLimit, "no cgroup")}, []workload.Attempt{eaten}, true, workload.MemoryLimit},
		"a limit is only said to hold":    {[]workload.Protection{holds(workload.Landlock), holds(workload.MemoryLimit)}, []workload.Attempt{eaten}, false, workload.MemoryLimit},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := judge([]trial{{"instance", c.protections, c.attempts}})
			var broken []string
			for _, check := range d.Checks {
				if !check.Enforced {
					broken = append(broken, check.Name)
				}
			}
			if d.Holds != c.holds || strings.Join(broken, " ") != c.broken {
				t.Errorf("holds: %v, not enforced: %v", d.Holds, broken)
			}
		})
	}
}

func TestWhatOneSandboxLacksCountsForAll(t *testing.T) {
	good := trial{"instance", []workload.Protection{holds(workload.Seccomp)}, []workload.Attempt{got("call", workload.Stopped, workload.Seccomp)}}
	bad := trial{"build", []workload.Protection{lacks(workload.Seccomp, "too old")}, []workload.Attempt{got("call", workload.Succeeded, workload.Seccomp)}}
	d := judge([]trial{good, good, bad})
	c := d.Checks[0]
	if d.Holds || c.Enforced || c.Detail != "not in a build: too old" || len(c.Attempts) != 2 {
		t.Errorf("%+v", d)
	}
	if first, second := c.Attempts[0], c.Attempts[1]; len(first.In) != 2 || !slices.Equal(second.In, []string{"build"}) {
		t.Errorf("%+v", c.Attempts)
	}
}

// stage makes a stage in a directory of the test's own, with a program that attacks.
func stage(t *testing.T) *Stage {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	program := filepath.Join(t.TempDir(), "attacker")
	if err := workloadtest.Compile("github.com/fairlead/fairlead/workload/local/doctor/attack/testshim", program); err != nil {
		t.Fatal(err)
	}
	s, err := NewStage(program)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestAProcessThatOutlivesItsSandboxIsFoundAndEnded(t *testing.T) {
	s := stage(t)
	look := func() workload.Attempt {
		one := trial{"instance", nil, []workload.Attempt{got(attack.Outlive, workload.Stopped, workload.PidNamespace)}}
		s.survivors(&one)
		return one.attempts[0]
	}
	if a := look(); a.Outcome != workload.Stopped {
		t.Errorf("before there is one: %+v", a)
	}
	command := exec.Command(filepath.Join(s.dir, outsideFolder, programFile), attack.LingerArguments(s.order.Nonce)...)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	a := look()
	err := command.Wait()
	if a.Outcome != workload.Succeeded || err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("%+v, and it ended with %v", a, err)
	}
}

func TestASecretThatIsWrittenSomewhereIsFound(t *testing.T) {
	s := stage(t)
	if a := s.searchSecret(); a.Outcome != workload.Stopped {
		t.Errorf("before it is written: %+v", a)
	}
	for _, write := range []func() (undo func()){
		func() func() {
			path := filepath.Join(s.dir, stateFolder, "log")
			if err := os.WriteFile(path, append([]byte("token="), s.secret...), 0o600); err != nil {
				t.Fatal(err)
			}
			return func() { os.Remove(path) }
		},
		func() func() {
			command := exec.Command("cat")
			command.Env = []string{"TOKEN=" + string(s.secret)}
			in, _ := command.StdinPipe()
			out, _ := command.StdoutPipe()
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			// Start may return before the kernel shows the new program's variables: wait until it answers.
			if _, err := in.Write([]byte("?")); err != nil {
				t.Fatal(err)
			}
			if _, err := out.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			return func() { in.Close(); command.Wait() }
		},
	} {
		undo := write()
		if a := s.searchSecret(); a.Outcome != workload.Succeeded {
			t.Errorf("it was not found: %+v", a)
		}
		undo()
	}
}

func TestTheHintNamesWhatForbidsNamespaces(t *testing.T) {
	for name, want := range map[string]string{"user/max_user_namespaces=0": "user.max_user_namespaces", "": "container"} {
		key, value, _ := strings.Cut(name, "=")
		got := namespaceHint(func(asked string) string {
			if asked == key {
				return value
			}
			return ""
		})
		if !strings.Contains(got, want) {
			t.Errorf("with %q it says %q", name, got)
		}
	}
}
