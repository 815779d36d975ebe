package server

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/steadyclock"
)

// newestEntries is how many entries are looked at for the newest time: those that
// were written at the same time need not be in its order.
const newestEntries = 64

// openClock returns the clock of this start: everything that the control plane
// decides and records goes by it. It never goes back behind what was recorded.
func openClock(ctx context.Context, ledger interface {
	Size() uint64
	Entries(ctx context.Context, from uint64, limit int) ([]fairlead.Entry, error)
}) (*steadyclock.Clock, error) {
	size := ledger.Size()
	entries, err := ledger.Entries(ctx, size-min(size, newestEntries), newestEntries)
	if err != nil {
		return nil, fmt.Errorf("read the time of the newest entry: %w", err)
	}
	var newest time.Time
	for _, e := range entries {
		if e.Time.After(newest) {
			newest = e.Time
		}
	}
	return steadyclock.System(newest), nil
}

const (
	clockEvery = 10 * time.Second
	clockMost  = 5 * time.Second // that the machine's clock may be off in silence
)

// watchClock looks at the machine's clock until ctx ends.
func watchClock(ctx context.Context, clock *steadyclock.Clock, log *slog.Logger) {
	ticker := time.NewTicker(clockEvery)
	defer ticker.Stop()
	watch := clockWatch{clock: clock, log: log}
	for {
		watch.look()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// clockWatch logs when the machine's clock goes off, and when it is right again.
type clockWatch struct {
	clock *steadyclock.Clock
	log   *slog.Logger
	off   bool
}

func (w *clockWatch) look() {
	by := w.clock.Off().Round(time.Second)
	off := by.Abs() > clockMost
	if off == w.off {
		return
	}
	w.off = off
	if !off {
		w.log.Info("the machine's clock agrees with the ledger's time again")
		return
	}
	w.log.Warn("the machine's clock is not where the ledger's time is; Fairlead keeps to the ledger's until its next start, and never goes back", "machineAhead", by)
}
