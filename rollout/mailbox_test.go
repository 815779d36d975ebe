package rollout

import (
	"testing"

	"github.com/fairlead/fairlead"
)

// Who waits for a report of a rollout that has ended learns that it does not count, and
// the letter takes no more room.
func TestReportsOfARolloutThatEndedAreReturnedWithTheReason(t *testing.T) {
	reports := []fairlead.LateReport{{Signal: "quality"}, {Signal: "quality"}}
	ended := &letter{rollout: "ended", reports: reports, settled: make(chan error, 1)}
	moving := &letter{rollout: "moving", reports: reports[:1], settled: make(chan error, 1)}
	m := &mail{letters: []*letter{ended, moving}, held: 3}
	m.returnEnded(func(rollout string) bool { return rollout == "moving" })
	select {
	case err := <-ended.settled:
		if err == nil {
			t.Error("the report of an ended rollout was taken")
		}
	default:
		t.Error("nobody was told")
	}
	if len(moving.settled) != 0 || len(m.letters) != 1 || m.letters[0] != moving || m.held != 1 {
		t.Errorf("%d letters with %d reports are left", len(m.letters), m.held)
	}
}
