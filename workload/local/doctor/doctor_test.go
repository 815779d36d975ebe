//go:build linux

package doctor

import (
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/local"
)

func holds(name string) workload.Protection { return workload.Protection{Name: name, Enforced: true} }

func lacks(name, why string) workload.Protection {
	return workload.Protection{Name: name, Detail: why}
}

func got(attack string, outcome workload.Outcome, against ...string) workload.Attempt {
	return workload.Attempt{Attack: attack, Against: against, Outcome: outcome, Happened: "so"}
}

func TestADiagnosisHoldsOnlyIfWhatIsRequiredIsEnforcedAndNothingGotPast(t *testing.T) {
	stoppedRead := got("read", workload.Stopped, local.MountNamespace, local.Landlock)
	read := got("read", workload.Succeeded, local.MountNamespace, local.Landlock)
	eaten := got("eat", workload.Succeeded, local.MemoryLimit)
	cases := map[string]struct {
		protections []workload.Protection
		attempts    []workload.Attempt
		holds       bool
		broken      string // protections that are not enforced
	}{
		"all is well":                     {[]workload.Protection{holds(local.MountNamespace), holds(local.Landlock)}, []workload.Attempt{stoppedRead}, true, ""},
		"one that is required is missing": {[]workload.Protection{holds(local.MountNamespace), lacks(local.Landlock, "none")}, []workload.Attempt{stoppedRead}, false, local.Landlock},
		"an attack got past both":         {[]workload.Protection{holds(local.MountNamespace), holds(local.Landlock)}, []workload.Attempt{read}, false, local.MountNamespace + " " + local.Landlock},
		"a limit cannot be had":           {[]workload.Protection{holds(local.Landlock), lacks(local.MemoryLimit, "no cgroup")}, []workload.Attempt{eaten}, true, local.MemoryLimit},
		"a limit is only said to hold":    {[]workload.Protection{holds(local.Landlock), holds(local.MemoryLimit)}, []workload.Attempt{eaten}, false, local.MemoryLimit},
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
	good := trial{"instance", []workload.Protection{holds(local.Seccomp)}, []workload.Attempt{got("call", workload.Stopped, local.Seccomp)}}
	bad := trial{"build", []workload.Protection{lacks(local.Seccomp, "too old")}, []workload.Attempt{got("call", workload.Succeeded, local.Seccomp)}}
	d := judge([]trial{good, good, bad})
	c := d.Checks[0]
	if d.Holds || c.Enforced || c.Detail != "not in a build: too old" || len(c.Attempts) != 2 {
		t.Errorf("%+v", d)
	}
	if first, second := c.Attempts[0], c.Attempts[1]; len(first.In) != 2 || !slices.Equal(second.In, []string{"build"}) {
		t.Errorf("%+v", c.Attempts)
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
