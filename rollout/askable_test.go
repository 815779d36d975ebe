package rollout_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout"
)

func TestNothingIsAskedOfAnEndedRolloutThatAnotherCameAfter(t *testing.T) {
	b := newBench(t)
	b.first()
	first := b.newest()
	second := b.until(b.begin(2).ID, 0.005, 0.005, ended).ID
	if got := b.state(first).Possible(); len(got) != 0 {
		t.Errorf("of the first release, of which nothing is live, %v is possible", got)
	}
	if got := b.state(second).Possible(); len(got) != 1 || got[0] != rollout.Rollback {
		t.Errorf("of the second release %v is possible, want a rollback", got)
	}
}

func TestTheFirstReleaseHasNothingToGoBackTo(t *testing.T) {
	b := newBench(t)
	b.first()
	if s := b.state(b.newest()); len(s.Possible()) != 0 || s.BackTo() != 0 {
		t.Errorf("%v is possible, back to %d", s.Possible(), s.BackTo())
	}
}

func TestOnlyAShareThatIsNotAsToldNeedsAReasonToGoOn(t *testing.T) {
	for held, needed := range map[string]bool{rollout.HeldMismatch: true, rollout.HeldPaused: false, rollout.HeldInconclusive: false, rollout.HeldLease: false} {
		r := rollout.Rollout{Held: held}
		if got := r.NeedsReason(rollout.Resume); got != needed {
			t.Errorf("held for %q, a resume needs a reason: %v", held, got)
		}
		if r.NeedsReason(rollout.Abort) {
			t.Errorf("held for %q, an abort needs a reason", held)
		}
	}
}

func TestTheWayBackLeadsToTheReleaseThatComesBack(t *testing.T) {
	b := newBench(t)
	b.first()
	b.until(b.begin(2).ID, 0.005, 0.005, func(r rollout.Rollout) bool { return r.Phase == rollout.Watching })
	b.ready = 0
	if got := b.state(b.beginAs(rollout.Back, 1).ID).BackTo(); got != 1 {
		t.Errorf("it goes back to %d, want 1", got)
	}
}

// crowded is a store in which another rollout's beginning stands before each.
type crowded struct{ rollout.Store }

func (c crowded) Rows(ctx context.Context, kind, prefix string) ([]fairlead.Row, error) {
	rows, err := c.Store.Rows(ctx, kind, prefix)
	if kind != rollout.BeganRow || len(rows) == 0 {
		return rows, err
	}
	var other rollout.Rollout
	if err := json.Unmarshal(rows[0].Value, &other); err != nil {
		return nil, err
	}
	other.ID, other.To, other.Salt = other.ID+"0", 9, []byte("another")
	value, err := json.Marshal(other)
	return append([]fairlead.Row{{Kind: kind, Key: other.ID, Value: value}}, rows...), err
}

func TestARolloutsCourseBeginsAsItBeganAndNotAnother(t *testing.T) {
	b := newBench(t)
	b.first()
	id := b.begin(2).ID
	b.second(id, 0, 0)
	c, err := rollout.NewCourses(crowded{b.store}).Of(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if c.Rollout.ID != id || c.Rollout.To != 2 || c.Differs != "" {
		t.Errorf("the course is of %s, of release %d; it differs: %q", c.Rollout.ID, c.Rollout.To, c.Differs)
	}
}
