package main

import (
	"context"
	"fmt"
	"path/filepath"
)

const upRuns = 15

// measureUp times `fairlead up` as its user sees it.
func measureUp(ctx context.Context, l *lab) ([]figure, error) {
	empty := figure{Name: "up to ready, empty state", Unit: "ms", Goal: most(300),
		Note: "from before exec to the line that says ready: keys made, gateway started and serving, API listening"}
	for i := range upRuns {
		if err := l.timeUp(ctx, filepath.Join(l.temp, fmt.Sprint("up", i)), &empty); err != nil {
			return nil, err
		}
	}
	state, err := l.million(ctx)
	if err != nil {
		return nil, err
	}
	full := figure{Name: "up to ready, a million entries", Unit: "ms", Goal: most(1000),
		Note: fmt.Sprintf("likewise, over the ledger of %d rollouts of one app with %d entries; the gateway is started too", millionRollouts, millionRollouts*entriesPerRollout)}
	for range upRuns {
		if err := l.timeUp(ctx, state, &full); err != nil {
			return nil, err
		}
	}
	return []figure{empty, full}, nil
}

func (l *lab) timeUp(ctx context.Context, state string, f *figure) error {
	p, err := l.up(ctx, state)
	if err != nil {
		return err
	}
	f.Samples = append(f.Samples, milliseconds(p.ready))
	return p.down(ctx)
}
