package tour

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/examples/triage/release"
)

const (
	appName = "triage"
	host    = "triage.localhost"
)

// appFile is the App file of the tour: nothing about the judging is loosened, the
// defaults of alpha, beta and the margins hold.
const appFile = `apiVersion: fairlead.dev/v1
kind: App
metadata: {name: triage}
spec:
  artifact: %s
  command: [./triage]
  readiness: {path: /readyz}
  model: [model/weights.json]
  prompt: [prompt/reply.txt]
  config: [config/triage.json]
  gates:
    - {name: accuracy, command: [./triage, eval, -floor, "0.8"]}
  route: {host: ` + host + `}
  environments:
    - name: production
      replicas: 2
      strategy: {steps: [25, 50]}
`

// stage is one release of the tour and how it must end.
type stage struct {
	version  release.Version
	expected client.Outcome
}

// stages are the releases after the first.
func stages() []stage {
	expected := map[string]client.Outcome{
		"v2": client.Promoted, "v3": client.RolledBack, "v4": client.RolledBack,
		"v5": client.Failed, "v6": client.Failed,
	}
	var all []stage
	for _, v := range release.Versions() {
		if outcome, ok := expected[v.Name]; ok {
			all = append(all, stage{v, outcome})
		}
	}
	return all
}

// releaseAll releases one version after the other.
func (t *tour) releaseAll(ctx context.Context) error {
	for _, s := range stages() {
		result, err := t.release(ctx, s)
		if err != nil {
			return fmt.Errorf("release %s: %w", s.version.Name, err)
		}
		t.results = append(t.results, result)
	}
	for i := range t.results { // answers that were under way at the verdict have come by now
		if t.results[i].Outcome != string(client.Promoted) {
			t.results[i].Requests, t.results[i].Failures = t.load.release(t.results[i].number)
		}
	}
	return nil
}

// release lays a version out, deploys it and watches it to its end.
func (t *tour) release(ctx context.Context, s stage) (Result, error) {
	t.view.begin(s)
	var deployed client.Deployed
	err := t.during(ctx, func() (err error) {
		deployed, err = t.deploy(ctx, s.version.Name)
		return err
	})
	if err != nil {
		return Result{}, err
	}
	r, err := t.watch(ctx, deployed.Rollout)
	if err != nil {
		return Result{}, err
	}
	result := newResult(s, r, deployed.Release.Number)
	if t.load != nil {
		result.Requests, result.Failures = t.load.release(result.number)
	}
	t.view.end(result)
	return result, nil
}

// deploy runs `fairlead deploy` on a version.
func (t *tour) deploy(ctx context.Context, version string) (client.Deployed, error) {
	var d client.Deployed
	artifact, err := t.artifact(version)
	if err != nil {
		return d, err
	}
	file := filepath.Join(t.dir, "releases", version+".yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, appFile, artifact), 0o600); err != nil {
		return d, fmt.Errorf("write the App file: %w", err)
	}
	return d, t.command(ctx, &d, "deploy", "-f", file)
}

// watch polls a rollout until it is decided and its traffic has come to rest.
func (t *tour) watch(ctx context.Context, r client.Rollout) (client.Rollout, error) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		t.view.rollout(r)
		if r.Outcome != "" && (r.Phase == "ended" || r.Phase == "watching") {
			return r, nil
		}
		if r.Held != "" && r.Held != "paused" {
			return r, fairlead.Errorf(fairlead.Internal, "tour", "the rollout is held: %s (%s)", r.Held, r.Reason)
		}
		select {
		case <-ctx.Done():
			return r, ctx.Err()
		case <-ticker.C:
		}
		newer, err := t.client.Rollout(ctx, r.ID)
		if err != nil {
			return r, err
		}
		r = newer
	}
}

// checkLedger runs `fairlead ledger verify` and `replay` on the state.
func (t *tour) checkLedger(ctx context.Context) (LedgerReport, error) {
	var verified struct {
		Entries  uint64 `json:"entries"`
		Verified bool   `json:"verified"`
	}
	var replayed struct {
		Replayed bool `json:"replayed"`
	}
	err := t.during(ctx, func() error {
		if err := t.command(ctx, &verified, "ledger", "verify"); err != nil {
			return err
		}
		return t.command(ctx, &replayed, "ledger", "replay")
	})
	return LedgerReport{Entries: verified.Entries, Verified: verified.Verified, Replayed: replayed.Replayed}, err
}

// command runs a command of the same binary and reads its answer into out.
func (t *tour) command(ctx context.Context, out any, args ...string) error {
	answer, err := run(ctx, t.options.Program, append(args, "--state", t.stateDir(), "--output", "json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("fairlead %s answered what cannot be read: %w", args[0], err)
	}
	return nil
}
