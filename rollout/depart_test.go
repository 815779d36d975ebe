package rollout

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
	"github.com/fairlead/fairlead/workload"
)

func TestAnInstanceIsOutOfTrafficOnlyByAStatusSinceTheSnapshotWithoutIt(t *testing.T) {
	order := func(seq uint64) fairlead.Order { return fairlead.Order{Term: 1, Seq: seq} }
	here := fairlead.Site{App: "a", Env: "p"}
	now := pushed{order: order(2), names: map[string]bool{"stays": true}}
	kept := pushed{order: order(2), keeps: []fairlead.Site{here}}
	for _, c := range []struct {
		name, id string
		pushed   pushed
		applied  fairlead.Order
		want     bool
	}{
		{"the status is of the snapshot without it", "leaves", now, order(2), true},
		{"its site keeps an earlier route, which may list it", "leaves", kept, order(2), false},
		{"the snapshot lists it", "stays", now, order(2), false},
		{"the status was asked for before the snapshot was in force", "leaves", now, order(1), false},
		{"nothing could be pushed since the start, and the gateway goes on by its own snapshot", "leaves", pushed{}, order(1), false},
	} {
		if got := c.pushed.without(workload.Status{ID: c.id, Site: here}, gateway.Status{Applied: c.applied}); got != c.want {
			t.Errorf("%s: out of traffic is %t, want %t", c.name, got, c.want)
		}
	}
}

func TestTheTimeOfAnEndIsThatOfTheFirstLook(t *testing.T) {
	l := &Loop{}
	old := workload.Status{ID: "a", State: workload.Exited, Started: epochStart.Add(-24 * time.Hour)}
	running := workload.Status{ID: "b", State: workload.Ready, Started: old.Started}
	for range 3 {
		l.noteEnded(epochStart, []workload.Status{old, running})
		l.noteEnded(epochStart.Add(time.Minute), []workload.Status{old, running})
	}
	if at := l.ended["a"]; len(l.ended) != 1 || !at.Equal(epochStart) {
		t.Errorf("ended: %v, want a alone, at the first look", l.ended)
	}
	if l.noteEnded(epochStart, nil); len(l.ended) != 0 {
		t.Errorf("an instance that is gone is still noted: %v", l.ended)
	}
}
