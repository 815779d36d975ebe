package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
)

// Records is what Replay reads: a ledger and the facts beside it.
type Records interface {
	Entries(ctx context.Context, from uint64, limit int) ([]fairlead.Entry, error)
	Facts(ctx context.Context, stream string, from uint64) iter.Seq2[fairlead.Fact, error]
}

// Replayed is the result of a replay.
type Replayed struct {
	Rollouts   int    `json:"rollouts"`
	Inputs     int    `json:"inputs"`
	Decisions  int    `json:"decisions"`            // recomputed and equal
	Difference string `json:"difference,omitempty"` // the first one; empty when every decision is as recorded
}

// Replay computes every decision of every rollout again from its recorded inputs
// and compares it with the ledger. It stops at the first difference.
func Replay(ctx context.Context, records Records) (Replayed, error) {
	var result Replayed
	began, decided, err := rolloutEntries(ctx, records)
	if err != nil {
		return result, err
	}
	for _, entry := range began {
		result.Rollouts++
		if err := replayOne(ctx, records, entry, decided, &result); err != nil || result.Difference != "" {
			return result, err
		}
	}
	return result, nil
}

// recordedDecision is a decision as its entry has it.
type recordedDecision struct {
	seq   uint64
	kind  string
	text  string
	facts ledger.FactsRef
	row   json.RawMessage // of the rollout after it
}

const entriesAtOnce = 1000

func rolloutEntries(ctx context.Context, records Records) (began []fairlead.Entry, decided map[string][]recordedDecision, err error) {
	decided = map[string][]recordedDecision{}
	for from := uint64(0); ; {
		entries, err := records.Entries(ctx, from, entriesAtOnce)
		if err != nil || len(entries) == 0 {
			return began, decided, err
		}
		for _, e := range entries {
			if e.Kind == "rollout.began" {
				began = append(began, e)
			} else if strings.HasPrefix(e.Kind, "rollout.") {
				if err := appendDecision(decided, e); err != nil {
					return nil, nil, err
				}
			}
		}
		from = entries[len(entries)-1].Seq + 1
	}
}

func appendDecision(decided map[string][]recordedDecision, e fairlead.Entry) error {
	var data decisionData
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return fairlead.Errorf(fairlead.Corrupt, "replay", "entry %d (%s): %w", e.Seq, e.Kind, err)
	}
	d := recordedDecision{seq: e.Seq, kind: e.Kind, text: data.Text, facts: data.Facts}
	for _, row := range e.Rows {
		if row.Kind == RolloutRow && row.Key == data.Rollout {
			d.row = row.Value
		}
	}
	decided[data.Rollout] = append(decided[data.Rollout], d)
	return nil
}

func replayOne(ctx context.Context, records Records, entry fairlead.Entry, decided map[string][]recordedDecision, result *Replayed) error {
	var r Rollout
	if err := json.Unmarshal(entry.Data, &r); err != nil {
		return fairlead.Errorf(fairlead.Corrupt, "replay", "entry %d: %w", entry.Seq, err)
	}
	m := NewMachine(r)
	recorded := decided[r.ID]
	for fact, err := range records.Facts(ctx, r.ID, 1) {
		if err != nil {
			return fmt.Errorf("replay rollout %s: %w", r.ID, err)
		}
		d, err := m.fold(fact)
		if err != nil {
			return err
		}
		result.Inputs++
		if d.Kind == "" {
			continue
		}
		if len(recorded) == 0 {
			result.Difference = fmt.Sprintf("rollout %s, input %d: replay decides %s (%s); the ledger has no decision", r.ID, fact.N, d.Kind, d.Text)
			return nil
		}
		if result.Difference = difference(r.ID, recorded[0], d, m); result.Difference != "" {
			return nil
		}
		result.Decisions++
		recorded = recorded[1:]
	}
	if len(recorded) > 0 {
		result.Difference = fmt.Sprintf("rollout %s: the ledger has %s in entry %d; replay does not decide it", r.ID, recorded[0].kind, recorded[0].seq)
	}
	return nil
}

// difference says how a decision computed again differs from its entry, or "".
func difference(id string, recorded recordedDecision, d Decision, m *Machine) string {
	after, err := json.Marshal(d.Rollout)
	where := fmt.Sprintf("rollout %s, entry %d, input %d", id, recorded.seq, recorded.facts.N)
	switch {
	case err != nil:
		return where + ": " + err.Error()
	case recorded.facts != m.Facts():
		return fmt.Sprintf("%s: the ledger commits to inputs %v, replay has %v", where, recorded.facts, m.Facts())
	case recorded.kind != d.Kind || recorded.text != d.Text:
		return fmt.Sprintf("%s: the ledger says %s (%s), replay says %s (%s)", where, recorded.kind, recorded.text, d.Kind, d.Text)
	case string(recorded.row) != string(after):
		return fmt.Sprintf("%s: the rollout after %s is not the same", where, d.Kind)
	}
	return ""
}
