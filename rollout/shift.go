package rollout

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/fairlead/fairlead"
)

// shiftAction is the intent to give a rollout's new weight to the gateway.
const shiftAction = "traffic.shift"

// shift is the detail of such an intent.
type shift struct {
	Weight fairlead.Weight `json:"weight"`
	Epoch  uint32          `json:"epoch"`
}

func shiftIntent(r Rollout) fairlead.Intent {
	detail, _ := json.Marshal(shift{Weight: r.Weight, Epoch: r.Epoch}) // plain numbers
	return fairlead.Intent{
		ID: fmt.Sprintf("shift-%s-%d", r.ID, r.Epoch), Action: shiftAction, Site: r.Site,
		Target: r.ID, Detail: detail, Since: latest(r),
	}
}

func shiftOf(intent fairlead.Intent) (shift, error) {
	var s shift
	if err := json.Unmarshal(intent.Detail, &s); err != nil {
		return s, fairlead.Errorf(fairlead.Corrupt, "shift traffic", "intent %s cannot be read: %w", intent.ID, err)
	}
	return s, nil
}

// openShift is a shift that was decided and is not known to be in force.
type openShift struct {
	shift
	intent fairlead.Intent
}

// openShifts reads the shifts whose intents are open.
func openShifts(ctx context.Context, store Store) ([]openShift, error) {
	intents, err := readRows[fairlead.Intent](ctx, store, IntentRow, "")
	if err != nil {
		return nil, err
	}
	var open []openShift
	for _, intent := range intents {
		if intent.Action != shiftAction {
			continue
		}
		s, err := shiftOf(intent)
		if err != nil {
			return nil, err
		}
		open = append(open, openShift{s, intent})
	}
	return open, nil
}

// loadShifts reads which weights were decided and not known to be in force.
func (e *Engine) loadShifts(ctx context.Context) error {
	e.shifting = map[string]uint32{}
	open, err := openShifts(ctx, e.store)
	if err != nil {
		return err
	}
	for _, s := range open {
		e.shifting[s.intent.Target] = max(e.shifting[s.intent.Target], s.Epoch)
	}
	return nil
}

// Shifted tells the engine that the gateway has the weight of an epoch in force.
func (e *Engine) Shifted(id string, epoch uint32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.shifting[id] <= epoch {
		delete(e.shifting, id)
		e.signal()
	}
}

// closeShifts commits the outcome of every shift of traffic that the gateway has
// in force, or that a newer one has overtaken.
func (a *actions) closeShifts(ctx context.Context, epochs map[string]uint32) error {
	open, err := openShifts(ctx, a.loop.Store)
	if err != nil {
		return err
	}
	for _, s := range open {
		if !a.inForce(ctx, s.intent.Target, s.Epoch, epochs) {
			continue
		}
		if err := a.end(ctx, s.intent, "traffic.shifted", nil, nil); err != nil {
			return err
		}
		a.loop.Engine.Shifted(s.intent.Target, s.Epoch)
	}
	return nil
}

// inForce reports whether the gateway has the weight of an epoch, or a later one,
// in force. A rollout that is not split any more has all or nothing.
func (a *actions) inForce(ctx context.Context, id string, epoch uint32, epochs map[string]uint32) bool {
	if newest, split := epochs[id]; split {
		return newest >= epoch
	}
	state, err := a.loop.Engine.Find(ctx, id)
	return err == nil && (state.Rollout.Phase == Ended || state.Rollout.Outcome == Promoted)
}
