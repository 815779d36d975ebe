package live

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/app"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/sim/corpus"
)

// What an operator writes. Nothing of the strategy is set, so that all of it is the
// default; an application that reports says what.
const (
	apiFile = `apiVersion: fairlead.dev/v1
kind: App
metadata: {name: api}
spec:
  artifact: {directory: ./dist}
  command: [./api]
  environments:
    - {name: production, replicas: 4}
`
	chatFile = `apiVersion: fairlead.dev/v1
kind: App
metadata: {name: chat}
spec:
  artifact: {directory: ./dist}
  command: [./chat]
  signals:
    - {name: task-success}
    - {name: refusal}
    - {name: tool-failure}
    - {name: cost}
  environments:
    - {name: production, replicas: 4}
`
	halfFile = `apiVersion: fairlead.dev/v1
kind: App
metadata: {name: half}
spec:
  artifact: {directory: ./dist}
  command: [./half]
  signals:
    - {name: task-success}
  environments:
    - name: production
      replicas: 4
      strategy: {steps: [50]}
`
)

// begin returns the rollout that an engine begins when release 2 of a file's app
// enters its environment beside release 1.
func begin(file string) (rollout.Rollout, error) {
	parsed, err := app.Parse("fairlead.yaml", []byte(file))
	if err != nil {
		return rollout.Rollout{}, fmt.Errorf("the corpus' App file: %w", err)
	}
	complete := app.Complete(parsed)
	env := complete.Spec.Environments[0]
	if env.Replicas != corpus.Replicas {
		return rollout.Rollout{}, fmt.Errorf("the corpus' App file has %d replicas, its worlds %d", env.Replicas, corpus.Replicas)
	}
	site := fairlead.Site{App: complete.Metadata.Name, Env: env.Name}
	store := &nowhere{live: rollout.Live{Site: site, Stable: 1, Replicas: env.Replicas}}
	ctx := context.Background()
	engine, err := rollout.Open(ctx, store, func() time.Time { return Epoch() }, rand.NewChaCha8([32]byte{}))
	if err != nil {
		return rollout.Rollout{}, err
	}
	return engine.Begin(ctx, rollout.Beginning{
		Site: site, Release: 2, Environment: env, Kind: rollout.Forward,
		By: fairlead.Principal{ID: "system:corpus", Role: fairlead.Operator},
	})
}

// nowhere is a store that holds one live release and forgets what is written.
type nowhere struct{ live rollout.Live }

func (n *nowhere) Commit(_ context.Context, c fairlead.Change) ([]fairlead.Entry, error) {
	return c.Entries, nil
}
func (n *nowhere) Record(context.Context, []fairlead.Fact) error { return nil }
func (n *nowhere) Rows(_ context.Context, kind, _ string) ([]fairlead.Row, error) {
	if kind != rollout.LiveRow {
		return nil, nil
	}
	value, err := json.Marshal(n.live)
	return []fairlead.Row{{Kind: kind, Key: n.live.Site.String(), Value: value}}, err
}
func (n *nowhere) Facts(context.Context, string, uint64) iter.Seq2[fairlead.Fact, error] {
	return func(func(fairlead.Fact, error) bool) {}
}
