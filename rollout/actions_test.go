package rollout

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

func TestStartsThatFailAreTriedEverMoreSeldom(t *testing.T) {
	var f failure
	before := time.Duration(0)
	for n := range 100 {
		f = f.again(epochStart, errors.New("the disk is full"))
		wait := f.next.Sub(epochStart)
		if wait < before || wait < 2*time.Second || wait > time.Minute {
			t.Fatalf("after %d failures it waits %s, before that %s", n+1, wait, before)
		}
		before = wait
	}
}

func TestStartsThatFailedInAnEarlierRolloutSayNothingOfThisOne(t *testing.T) {
	p := Place{Site: fairlead.Site{App: "triage", Env: "production"}, Release: 2}
	a := &actions{failures: map[Place]failure{}}
	for range startTries {
		a.failures[p] = a.failures[p].again(epochStart, errors.New("the disk is full"))
	}
	if why, _ := a.cannotStart(p, epochStart.Add(-time.Second)); !strings.Contains(why, "the disk is full") {
		t.Errorf("in the rollout whose starts failed: %q", why)
	}
	if why, _ := a.cannotStart(p, epochStart.Add(time.Second)); why != "" {
		t.Errorf("in the next rollout: %q", why)
	}
}

func TestAStartThatTheMachineRefusesIsToldApart(t *testing.T) {
	p := Place{Site: fairlead.Site{App: "triage", Env: "production"}, Release: 2}
	l := &Loop{actions: &actions{failures: map[Place]failure{}}}
	for range startTries {
		l.actions.failures[p] = l.actions.failures[p].again(epochStart, fmt.Errorf("put it in place: %w", workload.Unable{Err: errors.New("no engine answers")}))
	}
	for _, c := range []struct {
		phase          Phase
		unable, broken bool
	}{{Watching, true, false}, {Stepping, false, true}, {Starting, false, true}} {
		var g Group
		l.noteStarts(&g, p, &Rollout{Site: p.Site, From: 1, To: 2, Phase: c.phase, Began: epochStart})
		if strings.Contains(g.Unable, "no engine answers") != c.unable || strings.Contains(g.Broken, "no engine answers") != c.broken {
			t.Errorf("%s: %+v", c.phase, g)
		}
	}
	l.actions.failures[p] = l.actions.failures[p].again(epochStart, errors.New("its program is missing"))
	var g Group
	if l.noteStarts(&g, p, &Rollout{Site: p.Site, From: 1, To: 2, Phase: Watching, Began: epochStart}); g.Broken == "" || g.Unable != "" {
		t.Errorf("another failure in the watch: %+v", g)
	}
}
