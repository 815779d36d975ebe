package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/store/sqlite"
)

const shiftRounds = 8 // each a good release and a bad one

// measureShift runs rollouts under load and reads from the ledger how long after
// each verdict the gateway had the new weights in force.
func measureShift(ctx context.Context, l *lab) ([]figure, error) {
	p, err := l.up(ctx, filepath.Join(l.temp, "shift", "s"))
	if err != nil {
		return nil, err
	}
	if err := p.rollouts(ctx, l); err != nil {
		return nil, err
	}
	if err := p.down(ctx); err != nil {
		return nil, err
	}
	back := figure{Name: "verdict to gateway applied, rollback", Unit: "ms", Goal: most(50),
		Note: "between two entries of the ledger: rollout.rolledBack, whose time is that of the look at the world that led to it, and traffic.shifted, made when the gateway has acknowledged the snapshot in force and on its disk; the commit of the decision lies between them"}
	on := figure{Name: "verdict to gateway applied, advance", Unit: "ms", Goal: most(50),
		Note: "likewise from rollout.advanced, the instances of the next weight being ready"}
	return []figure{back, on}, readShifts(ctx, p.state, &back, &on)
}

// rollouts takes good and bad releases to production under load, in turn.
func (p *plane) rollouts(ctx context.Context, l *lab) error {
	if err := p.deploy(ctx, l, "v0", 0, 1); err != nil {
		return err
	}
	traffic := p.startLoad()
	defer traffic.stop()
	for i := range shiftRounds {
		if err := p.deploy(ctx, l, fmt.Sprint("good", i), 0, 1); err != nil {
			return err
		}
		if err := p.deploy(ctx, l, fmt.Sprint("bad", i), 1, 1); err != nil {
			return err
		}
	}
	return nil
}

// readShifts pairs decisions and outcomes of the ledger of a state directory.
func readShifts(ctx context.Context, state string, back, on *figure) error {
	r, err := sqlite.OpenReadOnly(state)
	if err != nil {
		return err
	}
	defer r.Close()
	decided := map[string]fairlead.Entry{} // not in force yet, by rollout
	for from := uint64(0); ; {
		entries, err := r.Entries(ctx, from, 1000)
		if err != nil || len(entries) == 0 {
			return err
		}
		for _, e := range entries {
			from = e.Seq + 1
			if err := pair(e, decided, back, on); err != nil {
				return fmt.Errorf("entry %d: %w", e.Seq, err)
			}
		}
	}
}

func pair(e fairlead.Entry, decided map[string]fairlead.Entry, back, on *figure) error {
	var data struct {
		Rollout string
		Target  string
	}
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return err
	}
	switch e.Kind {
	case "rollout.rolledBack", "rollout.advanced":
		decided[data.Rollout] = e
	case "traffic.shifted":
		verdict, ok := decided[data.Target]
		if !ok {
			return nil // the first weight, which no verdict gave
		}
		delete(decided, data.Target)
		f := on
		if verdict.Kind == "rollout.rolledBack" {
			f = back
		}
		f.Samples = append(f.Samples, milliseconds(e.Time.Sub(verdict.Time)))
	}
	return nil
}
