package rollout

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
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
	if why := a.cannotStart(p, epochStart.Add(-time.Second)); !strings.Contains(why, "the disk is full") {
		t.Errorf("in the rollout whose starts failed: %q", why)
	}
	if why := a.cannotStart(p, epochStart.Add(time.Second)); why != "" {
		t.Errorf("in the next rollout: %q", why)
	}
}
