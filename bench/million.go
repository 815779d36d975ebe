package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/rollout/judge"
	"github.com/fairlead/fairlead/store/sqlite"
)

// The ledger of a million entries is that of an app that was released for years:
// every rollout has some decisions and the starts and stops of its instances.
const (
	millionName       = "million-1" // another name for another content
	millionRollouts   = 25_000
	entriesPerRollout = 40
	rolloutsPerChange = 50
)

// million returns a state directory with a million entries, which is made through
// the store's API the first time and kept.
func (l *lab) million(ctx context.Context) (dir string, err error) {
	dir = filepath.Join(l.out, millionName)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	fmt.Fprintln(os.Stderr, "making a ledger of a million entries, once")
	half := filepath.Join(l.temp, millionName)
	s, err := sqlite.Open(half, sqlite.Options{})
	if err != nil {
		return "", err
	}
	for number := 1; err == nil && number <= millionRollouts; number += rolloutsPerChange {
		var c fairlead.Change
		for n := number; n < number+rolloutsPerChange; n++ {
			c.Entries = append(c.Entries, history(n)...)
			c.Facts = append(c.Facts, fairlead.Fact{Stream: rolloutID(n), N: 1, Body: []byte(`{"now":"2026-01-01T00:00:00Z"}`)})
		}
		_, err = s.Commit(ctx, c)
	}
	if err := errors.Join(err, s.Close()); err != nil {
		return "", err
	}
	return dir, os.Rename(half, dir)
}

func rolloutID(number int) string { return fmt.Sprintf("ro-%012x", number) }

var oldSite = fairlead.Site{App: "triage", Env: "production"}

// history is what the ledger says of one rollout that ended long ago.
func history(number int) []fairlead.Entry {
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(number) * 10 * time.Minute)
	r := endedRollout(number, at)
	var entries []fairlead.Entry
	add := func(kind string, data any, rows ...fairlead.Row) {
		entries = append(entries, fairlead.Entry{Time: at, Kind: kind, Site: oldSite, Principal: "system:rollout", Data: encode(data), Rows: rows})
		at = at.Add(time.Second)
	}
	for _, kind := range []string{"rollout.began", "rollout.stepped", "rollout.promoted", "rollout.ended"} {
		add(kind, map[string]any{"rollout": r.ID, "text": r.Notes[0].Text}, fairlead.Row{Kind: rollout.RolloutRow, Key: r.ID, Value: encode(r)})
	}
	for i := 0; len(entries) < entriesPerRollout; i++ {
		instance := fmt.Sprintf("triage-production-%d-%d", number, i)
		intent := fairlead.Intent{ID: "start-" + instance, Action: "instance.start", Site: oldSite, Target: instance, Since: at}
		add(intent.Action, intent, fairlead.Row{Kind: rollout.IntentRow, Key: intent.ID, Value: encode(intent)})
		add("instance.started", map[string]string{"intent": intent.ID}, fairlead.Row{Kind: rollout.IntentRow, Key: intent.ID})
	}
	return entries
}

// endedRollout is a promoted rollout as its row keeps it, with the judge's report.
func endedRollout(number int, at time.Time) rollout.Rollout {
	strategy := fairlead.Strategy{Type: fairlead.Canary, Alpha: 1.0 / 300, Beta: 0.05, Tolerance: 1, Margin: fairlead.Margin{Ratio: 2, Absolute: 0.01}}
	j := judge.New(judge.Config{Alpha: strategy.Alpha, Beta: strategy.Beta, Tolerance: 1, MarginRatio: 2, MarginAbsolute: 0.01, Latency: true})
	j.Step(1, 500, 0)
	r := rollout.Rollout{
		ID: rolloutID(number), Site: oldSite, Kind: rollout.Forward, From: number - 1, To: number, Strategy: strategy,
		Digest: fairlead.DigestOf([]byte(rolloutID(number))), Replicas: 2, OldReplicas: 2, Salt: make([]byte, 32),
		Phase: rollout.Ended, Outcome: rollout.Promoted, Weights: []fairlead.Weight{500, 2500, 9500}, Step: 3,
		Weight: fairlead.Whole, Epoch: 4, Began: at, StepBegan: at, FirstTraffic: at, Decided: at,
		Verdict: j.Verdict(), Evidence: encode(j.Report()),
	}
	for step := range 6 {
		r.Notes = append(r.Notes, rollout.Note{Time: at, Text: fmt.Sprintf("step %d of 3: 25 %% of the traffic goes to triage@%d", step, number)})
	}
	return r
}

// encode marshals plain fields.
func encode(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // a fault of this program
	}
	return data
}
