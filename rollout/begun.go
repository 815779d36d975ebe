package rollout

import (
	"context"
	"time"

	"github.com/fairlead/fairlead"
)

// begun returns how a rollout began, from a later state of it: see newRollout. What a
// decision changes is as it was.
func (r Rollout) begun() Rollout {
	began := Rollout{
		ID: r.ID, Site: r.Site, Kind: r.Kind, From: r.From, To: r.To, Digest: r.Digest,
		Strategy: r.Strategy, Route: r.Route, Replicas: r.Replicas, OldRoute: r.OldRoute, OldReplicas: r.OldReplicas,
		Salt: r.Salt, Step: firstStep(r.Kind), Began: r.Began, Notes: r.Notes[:1:1], Exclusive: r.Exclusive,
		Weights: stepWeights(r.Strategy, r.Replicas, r.From, r.Kind, r.Exclusive),
	}
	if began.Phase = firstPhase(began); began.Phase == Clearing {
		began.StepBegan, began.Replacement = r.Began, &Replacement{Began: r.Began}
	}
	if r.From == r.To { // it had ended as it began
		began.Phase, began.Outcome, began.Weight, began.Decided = Ended, Promoted, fairlead.Whole, r.Decided
		began.StepBegan, began.Replacement = time.Time{}, nil
	}
	return began
}

// storedBegun reads a rollout as it was last recorded, and as it began: from the row
// that says so while it moves, and after that from what is known of it.
func storedBegun(ctx context.Context, s Store, id string) (recorded, began Rollout, err error) {
	if recorded, err = storedRollout(ctx, s, id); err != nil {
		return recorded, began, err
	}
	rows, err := readRows[Rollout](ctx, s, BeganRow, id)
	if err != nil {
		return recorded, began, err
	}
	for _, r := range rows {
		if r.ID == id {
			return recorded, r, nil
		}
	}
	if len(recorded.Notes) == 0 {
		return recorded, began, fairlead.Errorf(fairlead.Corrupt, "find rollout "+id, "its row says nothing of how it began").
			WithHint("run: fairlead ledger verify")
	}
	return recorded, recorded.begun(), nil
}
