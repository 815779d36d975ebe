package rollout

import (
	"slices"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

func TestConvergeStartsWhatIsMissingAndLetsGoOfWhatIsTooMuch(t *testing.T) {
	old, young := epochStart.Add(-time.Hour), epochStart.Add(-time.Second)
	instance := func(id string, release int, state workload.State, started time.Time) workload.Status {
		return workload.Status{ID: id, Release: release, State: state, Started: started}
	}
	for _, c := range []struct {
		name    string
		want    Want
		have    []workload.Status
		leaving []string
		start   []int // releases
		release []string
	}{
		{name: "nothing is there", want: Want{1: 2}, start: []int{1, 1}},
		{name: "all is there", want: Want{1: 1}, have: []workload.Status{instance("a", 1, workload.Ready, old)}},
		{name: "a release is not wanted any more", want: Want{2: 1},
			have:  []workload.Status{instance("a", 1, workload.Ready, old)},
			start: []int{2}, release: []string{"a"}},
		{name: "what is leaving counts as gone", want: Want{1: 1}, leaving: []string{"a"},
			have: []workload.Status{instance("a", 1, workload.Ready, old)}, start: []int{1}},
		{name: "the one that serves stays", want: Want{1: 1},
			have:    []workload.Status{instance("a", 1, workload.Backoff, old), instance("b", 1, workload.Ready, young)},
			release: []string{"a"}},
		{name: "one whose shim died is replaced at once", want: Want{1: 1},
			have: []workload.Status{instance("a", 1, workload.Exited, young)}, start: []int{1}},
		{name: "one that broke just now keeps its place", want: Want{1: 1},
			have: []workload.Status{instance("a", 1, workload.CrashLoop, young)}},
		{name: "one that broke a while ago is replaced", want: Want{1: 1},
			have: []workload.Status{instance("a", 1, workload.CrashLoop, old)}, start: []int{1}},
		{name: "one that broke needs no stop", want: Want{},
			have: []workload.Status{instance("a", 1, workload.CrashLoop, young), instance("b", 1, workload.CrashLoop, old)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			start, release := Converge(epochStart, fairlead.Site{App: "triage", Env: "production"}, c.want, c.have, func(id string) bool { return slices.Contains(c.leaving, id) })
			var releases []int
			for _, p := range start {
				releases = append(releases, p.Release)
			}
			if !slices.Equal(releases, c.start) || !slices.Equal(release, c.release) {
				t.Errorf("starts %v and lets go of %v; want %v and %v", releases, release, c.start, c.release)
			}
		})
	}
}

func TestWhatMustLeaveIsLetGoOnlyWhileItRuns(t *testing.T) {
	for state, goes := range map[workload.State]bool{workload.Ready: true, workload.Starting: true, workload.Backoff: true, workload.CrashLoop: false, workload.Exited: false, workload.Stopping: false} {
		have := []workload.Status{{ID: "a", Release: 1, State: state, Leave: "its device fails", Started: epochStart}}
		_, release := Converge(epochStart, fairlead.Site{}, Want{1: 1}, have, func(string) bool { return false })
		if (len(release) == 1) != goes {
			t.Errorf("in state %s let go are %q, want it to be: %t", state, release, goes)
		}
	}
}
