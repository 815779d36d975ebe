package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/store/sqlite"
)

// A machine's clock cannot be set by a test. A ledger whose newest entry lies ahead
// of the clock is what one that was set back leaves.
func TestWhereTheClockWasSetBackTimeGoesOnFromTheLedgersAndNothingWaitsForIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ahead := time.Now().Add(time.Hour).UTC()
	w.record(fairlead.Entry{Time: ahead, Kind: "test.marked", Principal: "system:test"})
	w.up()
	gated := appFile{lines: gateLines}
	w.deploy(0, behaviour{Version: "v1"}, gated)
	l := w.startLoad(w.host())
	w.deploy(0, behaviour{Version: "v2"}, gated)
	w.deploy(1, behaviour{Version: "crash", Exit: true}, gated) // it broke in this rollout, whatever its machine's clock says
	l.stop()
	if status := w.must("status"); !strings.Contains(status, "the machine's clock is ") || !strings.Contains(status, " behind the ledger's") {
		t.Errorf("status does not tell of the clock: %s", status)
	}
	if log := w.plane.log.String(); strings.Count(log, "the machine's clock is not where the ledger's time is") != 1 {
		t.Errorf("the log does not tell once of the clock: %s", log)
	}
	w.plane.kill()
	w.up()
	w.must("rollback", w.named, "--wait")
	w.inOrder(ahead)
	w.proven()
}

// record writes an entry into the ledger of a world that does not run.
func (w *world) record(e fairlead.Entry) {
	w.Helper()
	store, err := sqlite.Open(w.state, sqlite.Options{})
	if err != nil {
		w.Fatal(err)
	}
	if _, err := store.Commit(w.Context(), fairlead.Change{Entries: []fairlead.Entry{e}}); err != nil {
		w.Error(err)
	}
	if err := store.Close(); err != nil {
		w.Fatal(err)
	}
}

// inOrder says that no entry is older than the first one's time, and none much older
// than the one before it: those of the same moment need not be in its order.
func (w *world) inOrder(first time.Time) {
	w.Helper()
	newest, n := first, 0
	lines := json.NewDecoder(strings.NewReader(w.must("events", "--from", "0", "--output", "json")))
	for ; lines.More(); n++ {
		var e client.Event
		if err := lines.Decode(&e); err != nil {
			w.Fatal(err)
		}
		if e.Time.Before(newest.Add(-10 * time.Second)) {
			w.Errorf("entry %d (%s) is of %s, after one of %s", e.Seq, e.Kind, e.Time, newest)
		}
		if e.Time.After(newest) {
			newest = e.Time
		}
	}
	if n < 10 {
		w.Errorf("only %d entries", n)
	}
}
