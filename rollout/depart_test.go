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

func TestADrainBeginsWhenTheGatewayIsWithoutTheInstance(t *testing.T) {
	session := fairlead.Content{Drain: fairlead.Duration(10 * time.Second), RunLimit: fairlead.Duration(5 * time.Second)}
	run := session
	run.Assignment.By, run.RunLimit = fairlead.ByRun, fairlead.Duration(time.Minute)
	at := func(seconds int, without bool, inFlight, runs int) sight {
		return sight{now: epochStart.Add(time.Duration(seconds) * time.Second), without: without, inFlight: inFlight, runs: runs}
	}
	again := at(9, false, 1, 0)
	again.listed = true
	for _, c := range []struct {
		name    string
		content fairlead.Content
		listed  bool
		sights  []sight
		stops   int // after this many sights; 0 for never
	}{
		{"idle, it is stopped once the gateway is without it", session, false, []sight{at(0, false, 0, 0), at(1, true, 0, 0)}, 2},
		{"calls that came until then get their whole time", session, false,
			[]sight{at(0, false, 9, 0), at(60, true, 9, 0), at(69, true, 9, 0)}, 0},
		{"and no more", session, false, []sight{at(60, true, 9, 0), at(70, true, 9, 0), at(71, true, 9, 0)}, 3},
		{"a gateway that lists it again begins anew", session, false, []sight{at(0, true, 1, 0), again, at(12, true, 1, 0), at(21, true, 1, 0)}, 0},
		{"a newer snapshot, of other apps, begins nothing anew", session, false,
			[]sight{at(0, true, 1, 0), at(5, false, 1, 0), at(9, true, 1, 0), at(11, true, 1, 0)}, 4},
		{"sessions do not keep it listed", session, true, []sight{at(0, false, 0, 3), at(1, true, 0, 3)}, 2},
		{"runs do, until they have ended", run, true, []sight{at(0, true, 0, 3), at(30, true, 0, 3), at(40, true, 0, 0), at(41, true, 0, 0)}, 4},
		{"or their limit has passed, and then its calls drain", run, true,
			[]sight{at(0, true, 1, 3), at(61, true, 1, 3), at(62, true, 1, 3), at(72, true, 1, 3), at(73, true, 1, 3)}, 5},
	} {
		d, stops := departure{since: epochStart, listed: c.listed}, 0
		for i, s := range c.sights {
			var stop bool
			if d, stop = d.next(c.content, s); stop && stops == 0 {
				stops = i + 1
			}
		}
		if stops != c.stops {
			t.Errorf("%s: it is stopped after look %d, want %d", c.name, stops, c.stops)
		}
	}
}
