package server

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/store/sqlite"
)

// self is the principal of what the control plane does by itself.
const self = fairlead.Sealed("system:server")

// record puts into the ledger what the control plane does about the installation:
// an entry with data and the rows that it sets. It is durable when record returns nil.
func record(ctx context.Context, store *sqlite.Store, at time.Time, kind string, by fairlead.Sealed, data map[string]any, rows ...fairlead.Row) error {
	return recordAt(ctx, store, fairlead.Site{}, at, kind, by, data, rows...)
}

// recordAt is record for what concerns a site.
func recordAt(ctx context.Context, store *sqlite.Store, site fairlead.Site, at time.Time, kind string, by fairlead.Sealed, data map[string]any, rows ...fairlead.Row) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode %s: %w", kind, err)
	}
	_, err = store.Commit(ctx, fairlead.Change{Entries: []fairlead.Entry{{
		Time: at, Kind: kind, Site: site, Principal: by, Data: text, Rows: rows,
	}}})
	return err
}
