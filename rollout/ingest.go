package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
)

// ingestEvery is how often the gateway's journal is read.
const ingestEvery = time.Second

// EventsRow is the kind of the row that says up to which event of the gateway's
// journal the ledger has everything.
const EventsRow = "gatewayEvents"

// eventCursor is how far the journal was read.
type eventCursor struct {
	known bool
	N     uint64 `json:"n"`
	read  time.Time
}

// ingest brings what the gateway did alone into the ledger, before anything is
// decided that may depend on it: at once when its status shows that it acted.
func (l *Loop) ingest(ctx context.Context, now time.Time, acted bool) error {
	if err := l.loadCursor(ctx); err != nil {
		return err
	}
	if !acted && now.Sub(l.events.read) < ingestEvery {
		return nil
	}
	events, err := l.Traffic.Events(ctx, l.events.N)
	if err != nil {
		return fmt.Errorf("read the gateway's journal: %w", err)
	}
	if len(events) > 0 {
		if err := l.recordEvents(ctx, events); err != nil {
			return err
		}
		l.events.N = events[len(events)-1].N
	}
	l.events.read = now
	return nil
}

func (l *Loop) loadCursor(ctx context.Context) error {
	if l.events.known {
		return nil
	}
	cursors, err := readRows[eventCursor](ctx, l.Store, EventsRow, "")
	if err != nil {
		return err
	}
	if len(cursors) > 0 {
		l.events.N = cursors[0].N
	}
	l.events.known = true
	return nil
}

func (l *Loop) recordEvents(ctx context.Context, events []gateway.Event) error {
	change := fairlead.Change{}
	for _, e := range events {
		data, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("encode the gateway's event %d: %w", e.N, err)
		}
		change.Entries = append(change.Entries, fairlead.Entry{
			Time: e.Time.UTC(), Kind: "gateway." + e.Kind, Site: e.Site, Principal: "system:gateway", Data: data,
			Rows: []fairlead.Row{row(EventsRow, "journal", eventCursor{N: e.N})},
		})
	}
	_, err := l.Store.Commit(ctx, change)
	return err
}
