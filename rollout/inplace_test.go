package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
)

// A way back in place of what runs, for want of room, changes nothing of the next
// release's way: it runs beside the old one again.
func TestAWayBackInPlaceIsForThisOneRollout(t *testing.T) {
	site := fairlead.Site{App: "triage", Env: "production"}
	live := Live{Site: site, Stable: 2, Previous: 1, Replicas: 2}
	env := fairlead.Environment{Name: "production", Replicas: 2, Strategy: fairlead.Strategy{Type: fairlead.Canary}}
	b := Beginning{Site: site, Release: 1, Environment: env, Kind: Back, InPlace: true}
	r := newRollout(b, live, time.Unix(1, 0), zeroes{})
	if !r.Replaces() || !strings.Contains(r.Notes[0].Text, "what runs ends first") {
		t.Fatalf("%+v", r)
	}
	for _, want := range StagesOf(b, live) {
		if want[1] > 0 && want[2] > 0 {
			t.Errorf("both run at once: %v", want)
		}
	}
	live.Exclusive = r.Exclusive
	after := r
	after.Outcome = Promoted
	if live = settle(live, r, after); live.Exclusive || live.Stable != 1 {
		t.Errorf("%+v", live)
	}
	if next := newRollout(Beginning{Site: site, Release: 3, Environment: env, Kind: Forward}, live, time.Unix(2, 0), zeroes{}); next.Replaces() {
		t.Error("the next canary does not run beside the old release")
	}
}
