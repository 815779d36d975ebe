package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
)

// Store keeps rollouts, their inputs and the ledger. A Change is committed whole
// and durably, or not at all.
type Store interface {
	Commit(ctx context.Context, c fairlead.Change) ([]fairlead.Entry, error)
	Record(ctx context.Context, facts []fairlead.Fact) error
	Rows(ctx context.Context, kind, prefix string) ([]fairlead.Row, error)
	Facts(ctx context.Context, stream string, from uint64) iter.Seq2[fairlead.Fact, error]
}

// readRows decodes the rows of a kind whose keys begin with prefix.
func readRows[T any](ctx context.Context, s Store, kind, prefix string) ([]T, error) {
	rows, err := s.Rows(ctx, kind, prefix)
	if err != nil {
		return nil, fmt.Errorf("read %s rows: %w", kind, err)
	}
	values := make([]T, len(rows))
	for i, r := range rows {
		if err := json.Unmarshal(r.Value, &values[i]); err != nil {
			return nil, fairlead.Errorf(fairlead.Corrupt, "read state", "row %s %s: %w", kind, r.Key, err).
				WithHint("run: fairlead ledger verify")
		}
	}
	return values, nil
}

// decisionData is the Data of a decision's entry: what was decided, and the
// inputs that it commits to. Replay recomputes both.
type decisionData struct {
	Rollout string           `json:"rollout"`
	Text    string           `json:"text"`
	Verdict fairlead.Verdict `json:"verdict"`
	Facts   ledger.FactsRef  `json:"facts"`
}
