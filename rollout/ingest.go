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

// eventCursor is the value of that row.
type eventCursor struct {
	N uint64 `json:"n"`
}

// journal brings the gateway's journal into the ledger. It belongs to the loop's
// goroutine.
type journal struct {
	traffic Traffic
	store   Store
	known   bool // how far it was read
	cursor  eventCursor
	read    time.Time
}

// ingest brings what the gateway did alone into the ledger, before anything is
// decided that may depend on it: at once when its status shows that it acted.
func (j *journal) ingest(ctx context.Context, now time.Time, acted bool) error {
	if err := j.loadCursor(ctx); err != nil {
		return err
	}
	if !acted && now.Sub(j.read) < ingestEvery {
		return nil
	}
	events, err := j.traffic.Events(ctx, j.cursor.N)
	if err != nil {
		return fmt.Errorf("read the gateway's journal: %w", err)
	}
	if len(events) > 0 {
		if err := j.record(ctx, now, events); err != nil {
			return err
		}
		j.cursor.N = events[len(events)-1].N
	}
	j.read = now
	return nil
}

func (j *journal) loadCursor(ctx context.Context) error {
	if j.known {
		return nil
	}
	cursors, err := readRows[eventCursor](ctx, j.store, EventsRow, "")
	if err != nil {
		return err
	}
	if len(cursors) > 0 {
		j.cursor.N = cursors[0].N
	}
	j.known = true
	return nil
}

// record commits events. An entry's time is that of the record, like all others';
// the gateway's own is in its data, by the gateway's clock.
func (j *journal) record(ctx context.Context, now time.Time, events []gateway.Event) error {
	change := fairlead.Change{}
	for _, e := range events {
		data, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("encode the gateway's event %d: %w", e.N, err)
		}
		change.Entries = append(change.Entries, fairlead.Entry{
			Time: now.UTC(), Kind: "gateway." + e.Kind, Site: e.Site, Principal: "system:gateway", Data: data,
			Rows: []fairlead.Row{row(EventsRow, "journal", eventCursor{N: e.N})},
		})
	}
	_, err := j.store.Commit(ctx, change)
	return err
}
