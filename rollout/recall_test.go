package rollout

import (
	"maps"
	"slices"
	"testing"

	"github.com/fairlead/fairlead/workload"
)

func TestAnInstanceIsCalledBackOnlyWhereItIsWantedAndNotYetStopping(t *testing.T) {
	is := func(id string, release int, state workload.State) workload.Status {
		return workload.Status{ID: id, Release: release, State: state}
	}
	alone := Limit{Alone: true}
	for _, c := range []struct {
		name     string
		limit    Limit
		want     Want
		here     []workload.Status
		stopping string
		leaving  []string // that still are
	}{
		{name: "it is wanted again", limit: alone, want: Want{1: 1}, here: []workload.Status{is("a", 1, workload.Ready)}},
		{name: "others may start beside it", want: Want{1: 1}, here: []workload.Status{is("a", 1, workload.Ready)}, leaving: []string{"a"}},
		{name: "only so many are", limit: Limit{Most: 3}, want: Want{1: 1}, here: []workload.Status{is("a", 1, workload.Ready)}, leaving: []string{"a"}},
		{name: "it is not", limit: alone, want: Want{1: 0, 2: 1}, here: []workload.Status{is("a", 1, workload.Ready)}, leaving: []string{"a"}},
		{name: "one of two is", limit: alone, want: Want{1: 1}, here: []workload.Status{is("a", 1, workload.Ready), is("b", 1, workload.Ready)}, leaving: []string{"b"}},
		{name: "one that stays is enough", limit: alone, want: Want{1: 1}, here: []workload.Status{is("a", 1, workload.Ready), is("stays", 1, workload.Ready)}, leaving: []string{"a"}},
		{name: "one that stays is stopping", limit: alone, want: Want{1: 1}, here: []workload.Status{is("a", 1, workload.Ready), is("stays", 1, workload.Stopping)}},
		{name: "one that stays is over", limit: alone, want: Want{1: 1}, here: []workload.Status{is("a", 1, workload.Ready), is("stays", 1, workload.Exited)}},
		{name: "its stop has begun", limit: alone, want: Want{1: 1}, here: []workload.Status{is("a", 1, workload.Ready)}, stopping: "a", leaving: []string{"a"}},
		{name: "it is over", limit: alone, want: Want{1: 1}, here: []workload.Status{is("a", 1, workload.Exited)}, leaving: []string{"a"}},
	} {
		l := &Loop{departures: departures{}, actions: &actions{stopping: map[string]bool{c.stopping: true}}}
		for _, i := range c.here {
			if i.ID != "stays" {
				l.departures[i.ID] = &departure{}
			}
		}
		l.recall(c.limit, c.want, c.here)
		if got := slices.Sorted(maps.Keys(l.departures)); !slices.Equal(got, c.leaving) {
			t.Errorf("%s: leaving are %q, want %q", c.name, got, c.leaving)
		}
	}
}
