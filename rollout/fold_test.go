package rollout

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
)

// A program of before wrote arrays with fewer classes of failures, and one of after
// may leave out what this one writes.
func TestARecordedInputCountsToTheByteAsItIsRecorded(t *testing.T) {
	r := Rollout{ID: "ro", From: 1, To: 2, Kind: Forward, Phase: Gating, Weights: []fairlead.Weight{fairlead.Whole}}
	cells := []fairlead.Cell{{Second: 1, Complete: true, Stable: fairlead.Arm{Requests: 1, Ended: 1}}}
	body, err := json.Marshal(Input{
		Now: time.Unix(1_700_000_000, 0), Blocks: []fairlead.Block{{Gateway: "g", Seq: 1, Rollout: "ro", Cells: cells}},
	})
	if err != nil {
		t.Fatal(err)
	}
	before := bytes.ReplaceAll(body, []byte("[0,0,0,0]"), []byte("[0,0,0]"))
	if bytes.Equal(before, body) {
		t.Fatalf("no array of classes in %s", body)
	}
	idle := []byte(`{"now":"2026-01-01T00:00:00Z"}`) // this program would not record it
	m, digest := NewMachine(r), ledger.FactsStart(r.ID)
	for i, fact := range [][]byte{before, idle} {
		if _, err := m.fold(fairlead.Fact{Stream: r.ID, N: uint64(i + 1), Body: fact}); err != nil {
			t.Fatal(err)
		}
		digest = ledger.FactsNext(digest, fact)
	}
	if want := (ledger.FactsRef{Stream: r.ID, N: 2, Digest: digest}); m.Facts() != want {
		t.Errorf("it commits to %+v, and recorded is %+v", m.Facts(), want)
	}
}
