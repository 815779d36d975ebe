package rollout

import (
	"context"
	"slices"

	"github.com/fairlead/fairlead"
)

// TakenRow names a rollout of a release: its key is that of the release with the
// rollout's id, its value the id. It finds the rollouts of a release among all that
// ever were, of which the engine keeps only each site's newest in memory.
const TakenRow = "rolloutOf"

func takenRow(r Rollout) fairlead.Row {
	return row(TakenRow, takenPrefix(r.Site.App, r.To)+r.ID, r.ID)
}

func takenPrefix(app string, release int) string { return fairlead.ReleaseKey(app, release) + "/" }

// current returns the ids of the rollouts that the engine needs at hand: those that
// have not ended, and the newest of each site.
func current(lives []Live, began []Rollout) []string {
	var ids []string
	for _, r := range began {
		ids = append(ids, r.ID)
	}
	for _, l := range lives {
		if l.Rollout != "" {
			ids = append(ids, l.Rollout)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// stored reads a rollout as it was last recorded.
func (e *Engine) stored(ctx context.Context, id string) (Rollout, error) {
	return storedRollout(ctx, e.store, id)
}

func storedRollout(ctx context.Context, s Store, id string) (Rollout, error) {
	found, err := readRows[Rollout](ctx, s, RolloutRow, id)
	if err != nil {
		return Rollout{}, err
	}
	for _, r := range found {
		if r.ID == id { // not one whose id begins with it
			return r, nil
		}
	}
	return Rollout{}, fairlead.Errorf(fairlead.NotFound, "find rollout", "there is no rollout %q", id)
}

// Find returns the state of a rollout's site with that rollout, also one that
// ended long ago. Its error is of code not_found where there is none.
func (e *Engine) Find(ctx context.Context, id string) (State, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if m := e.machines[id]; m != nil {
		return e.state(e.live[m.rollout.Site], m), nil
	}
	r, err := e.stored(ctx, id)
	if err != nil {
		return State{}, err
	}
	return e.state(e.live[r.Site], &Machine{rollout: r}), nil
}

// History returns the rollouts of a release, oldest first.
func (e *Engine) History(ctx context.Context, app string, release int) ([]Rollout, error) {
	ids, err := readRows[string](ctx, e.store, TakenRow, takenPrefix(app, release))
	if err != nil {
		return nil, err
	}
	past := make([]Rollout, len(ids))
	for i, id := range ids {
		state, err := e.Find(ctx, id)
		if err != nil {
			return nil, err
		}
		past[i] = *state.Rollout
	}
	slices.SortFunc(past, func(a, b Rollout) int { return a.Began.Compare(b.Began) })
	return past, nil
}
