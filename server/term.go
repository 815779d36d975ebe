package server

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/fairlead/fairlead"
)

// begin records this start of the control plane, or its end where it only ends
// what runs, and begins its term: from now on the runtime refuses what earlier ones
// order. A term follows all that the ledger and the runtime know of, for a ledger
// that came from a backup may be older than what runs.
func (s *control) begin(ctx context.Context, kind string, by fairlead.Sealed, data map[string]any) error {
	recorded, err := s.recordedTerm(ctx)
	if err != nil {
		return err
	}
	known, err := s.runtime.NewestTerm()
	if err != nil {
		return err
	}
	if known > recorded {
		older := fmt.Sprintf("the ledger ends with term %d, and term %d ran here: it came from a backup, or its newest entries are lost", recorded, known)
		s.Log.Warn(older)
		data["olderLedger"] = older
	}
	s.term = max(recorded, known) + 1
	data["term"], data["version"] = s.term, s.Version
	value, err := json.Marshal(map[string]uint64{"term": s.term})
	if err != nil {
		return fmt.Errorf("encode the term: %w", err)
	}
	row := fairlead.Row{Kind: "server", Key: "term", Value: value}
	if err := record(ctx, s.store, s.clock.Now(), kind, by, data, row); err != nil {
		return err
	}
	return s.runtime.BeginTerm(s.term)
}

// recordedTerm returns the newest term in the ledger.
func (s *control) recordedTerm(ctx context.Context) (uint64, error) {
	var last struct {
		Term uint64 `json:"term"`
	}
	row, ok, err := s.store.Row(ctx, "server", "term")
	if err != nil {
		return 0, fmt.Errorf("read the term: %w", err)
	}
	if ok {
		if err := json.Unmarshal(row.Value, &last); err != nil {
			return 0, fairlead.Errorf(fairlead.Corrupt, "read the term", "%w", err).WithHint("run: fairlead ledger verify")
		}
	}
	return last.Term, nil
}
