package readiness

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// facts are what the entries of a gate's run say.
type facts struct {
	Intent      string                `json:"intent"`
	Gate        string                `json:"gate"`
	Release     string                `json:"release,omitempty"`
	Digest      fairlead.Digest       `json:"digest,omitempty"`
	ExitCode    *int                  `json:"exitCode,omitempty"`
	Took        fairlead.Duration     `json:"took,omitempty"`
	Protections []workload.Protection `json:"protections,omitempty"`
	Error       string                `json:"error,omitempty"`
}

func (g *Gates) begin(ctx context.Context, intent fairlead.Intent, r fairlead.Release) error {
	value, err := json.Marshal(intent)
	if err != nil {
		return fmt.Errorf("encode an intent: %w", err)
	}
	return g.commit(ctx, intent.Since, runAction, intent.Site, facts{Intent: intent.ID, Gate: intent.Target, Release: r.Name(), Digest: r.Digest},
		fairlead.Row{Kind: intentRow, Key: intent.ID, Value: value})
}

// end records an outcome: the evidence, and with it the end of the intent.
func (g *Gates) end(ctx context.Context, intent fairlead.Intent, r fairlead.Release, e Evidence, result workload.JobResult) error {
	value, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode evidence: %w", err)
	}
	kind := "gate.passed"
	if !e.Passed {
		kind = "gate.failed"
	}
	told := facts{Intent: intent.ID, Gate: e.Gate, Release: r.Name(), Digest: e.Digest, ExitCode: &e.ExitCode,
		Took: fairlead.Duration(result.Took.Round(time.Millisecond)), Protections: result.Protections}
	return g.commit(ctx, e.Ended, kind, intent.Site, told,
		fairlead.Row{Kind: Row, Key: Key(e.Digest, e.Env, e.Gate), Value: value}, fairlead.Row{Kind: intentRow, Key: intent.ID})
}

// interrupted records that a run came to nothing: no evidence.
func (g *Gates) interrupted(ctx context.Context, intent fairlead.Intent, why string) error {
	return g.commit(ctx, g.Now().UTC(), "gate.interrupted", intent.Site, facts{Intent: intent.ID, Gate: intent.Target, Error: why},
		fairlead.Row{Kind: intentRow, Key: intent.ID})
}

// Recover closes the intents of runs that a crash of the control plane ended. Call
// it once when the process starts, before Prove; rollouts that wait for a gate run
// it again.
func (g *Gates) Recover(ctx context.Context) error {
	rows, err := g.Store.Rows(ctx, intentRow, "gate-")
	if err != nil {
		return fmt.Errorf("read open intents: %w", err)
	}
	for _, row := range rows {
		var intent fairlead.Intent
		if err := json.Unmarshal(row.Value, &intent); err != nil {
			return fairlead.Errorf(fairlead.Corrupt, "recover gates", "intent %s: %w", row.Key, err)
		}
		if intent.Action != runAction {
			continue
		}
		if err := g.interrupted(ctx, intent, "the control plane ended while it ran"); err != nil {
			return err
		}
	}
	return nil
}

func (g *Gates) commit(ctx context.Context, at time.Time, kind string, site fairlead.Site, told facts, rows ...fairlead.Row) error {
	data, err := json.Marshal(told)
	if err != nil {
		return fmt.Errorf("encode %s: %w", kind, err)
	}
	entry := fairlead.Entry{Time: at, Kind: kind, Site: site, Principal: principal, Data: data, Rows: rows}
	if _, err := g.Store.Commit(ctx, fairlead.Change{Entries: []fairlead.Entry{entry}}); err != nil {
		return fmt.Errorf("record %s: %w", kind, err)
	}
	return nil
}
