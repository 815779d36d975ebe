package readiness

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fairlead/fairlead"
)

// State is where the proof of a gate stands.
type State string

// The states.
const (
	Waiting State = "waiting" // nothing that counts
	Running State = "running"
	Passed  State = "passed"
	Failed  State = "failed"
	Expired State = "expired" // passed, but too long ago
)

// Standing is a gate that an environment demands, and where its proof stands.
type Standing struct {
	Gate     string
	State    State
	Detail   string    // in words: how it failed, or why what there is does not count; "" where there is nothing to say
	Began    time.Time // of a running gate's run
	Evidence *Evidence // the newest that counts; nil for none
}

// Stand tells where the proof of each gate that env demands stands at a time, in the
// file's order. It judges evidence as [Decide] does. running holds since when the gates
// run that are running. It is pure.
func Stand(at time.Time, key ed25519.PublicKey, gates []fairlead.Gate, env string, digest fairlead.Digest, evidence []Evidence, running map[string]time.Time) []Standing {
	var all []Standing
	for _, gate := range Demanded(gates, env) {
		newest, reason := newestOf(key, gate, env, digest, evidence)
		s := Standing{Gate: gate.Name, State: Passed, Evidence: newest}
		switch {
		case newest == nil:
			s.State = Waiting
			if reason != "" {
				s.Detail = "no evidence" + reason
			}
		case !newest.Passed:
			s.State, s.Detail = Failed, newest.outcome()+lastLine(newest.Output)
		case !at.Before(newest.Expires):
			s.State = Expired
		}
		if since, runs := running[gate.Name]; runs && s.State != Passed {
			s.State, s.Began = Running, since
		}
		all = append(all, s)
	}
	return all
}

// Stand tells where the proofs of a release stand at a time, by evidence.
func (g *Gates) Stand(at time.Time, r fairlead.Release, env string, evidence []Evidence, running map[string]time.Time) []Standing {
	return Stand(at, g.Signer.Public(), r.Content.Gates, env, r.Digest, evidence, running)
}

// Evidence returns the newest evidence of each gate that was recorded of a release in
// an environment. What cannot be read proves nothing, and is left out.
func (g *Gates) Evidence(ctx context.Context, r fairlead.Release, env string) ([]Evidence, error) {
	rows, err := g.Store.Rows(ctx, Row, r.Digest.Hex()+"/"+env+"/")
	if err != nil {
		return nil, fmt.Errorf("read evidence: %w", err)
	}
	evidence := make([]Evidence, 0, len(rows))
	for _, row := range rows {
		e, err := EvidenceOf(row)
		if err != nil {
			g.Log.Warn("a row of evidence proves nothing", "key", row.Key, "error", err)
			continue
		}
		evidence = append(evidence, e)
	}
	return evidence, nil
}

// EvidenceOf reads a row of kind [Row]. Whether it counts is for [Decide] to say.
func EvidenceOf(row fairlead.Row) (Evidence, error) {
	var e Evidence
	if err := json.Unmarshal(row.Value, &e); err != nil {
		return Evidence{}, fmt.Errorf("it cannot be read: %w", err)
	}
	if row.Key != Key(e.Digest, e.Env, e.Gate) {
		return Evidence{}, fmt.Errorf("it is not where it belongs")
	}
	return e, nil
}

// Running returns since when which gates run at a site.
func (g *Gates) Running(ctx context.Context, site fairlead.Site) (map[string]time.Time, error) {
	rows, err := g.Store.Rows(ctx, intentRow, "gate-")
	if err != nil {
		return nil, fmt.Errorf("read open intents: %w", err)
	}
	running := map[string]time.Time{}
	for _, row := range rows {
		var intent fairlead.Intent
		if json.Unmarshal(row.Value, &intent) == nil && intent.Action == runAction && intent.Site == site {
			running[intent.Target] = intent.Since
		}
	}
	return running, nil
}
