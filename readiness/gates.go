package readiness

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// Store keeps the ledger and its state rows.
type Store interface {
	Commit(ctx context.Context, c fairlead.Change) ([]fairlead.Entry, error)
	Rows(ctx context.Context, kind, prefix string) ([]fairlead.Row, error)
}

// Outputs keeps what gates write, whole.
type Outputs interface {
	Put(ctx context.Context, r io.Reader) (fairlead.Digest, int64, error)
}

// Jobs runs a gate's command in the sandbox. It is workload.JobRunner's method.
type Jobs interface {
	RunJob(ctx context.Context, job workload.Job) (workload.JobResult, error)
}

// Gates proves releases. All fields are required. It is safe for concurrent use,
// also for one release: a gate may then run twice, and the later outcome counts.
type Gates struct {
	Store   Store
	Jobs    Jobs
	Outputs Outputs
	Place   func(ctx context.Context, r fairlead.Release, env string) (dir string, image *workload.Image, err error) // puts its files in place: in a directory, or in an image
	Signer  *Signer
	Now     func() time.Time
	Log     *slog.Logger
}

const (
	intentRow    = "intent"
	runAction    = "gate.run"
	principal    = fairlead.Sealed("system:readiness")
	outputInRow  = 2 << 10 // bytes of a gate's output that its row keeps, from the end
	recordWithin = 10 * time.Second
)

// Check tells what the recorded evidence says of a release in an environment. It
// runs nothing.
func (g *Gates) Check(ctx context.Context, r fairlead.Release, env string) (Verdict, error) {
	evidence, err := g.Evidence(ctx, r, env)
	if err != nil {
		return Verdict{}, err
	}
	return Decide(g.Now(), g.Signer.Public(), r.Content.Gates, env, r.Digest, evidence), nil
}

// Prove runs every gate that the environment demands and that is not satisfied,
// one after the other in the file's order, and returns what then holds. Gates that
// failed before are run again: Prove is for a new deploy, Check for a look. An
// error means that a gate could not be run or recorded; it leaves no evidence, and
// Prove may be called again.
func (g *Gates) Prove(ctx context.Context, r fairlead.Release, env string) (Verdict, error) {
	before, err := g.Check(ctx, r, env)
	if err != nil || before.Holds() {
		return before, err
	}
	dir, image, err := g.Place(ctx, r, env)
	if err != nil {
		return Verdict{}, fmt.Errorf("prove %s: %w", r.Name(), err)
	}
	for _, gate := range Demanded(r.Content.Gates, env) {
		if slices.Contains(before.Satisfied, gate.Name) {
			continue
		}
		if err := g.run(ctx, r, env, gate, dir, image); err != nil {
			return Verdict{}, fmt.Errorf("gate %s of %s: %w", gate.Name, r.Name(), err)
		}
	}
	return g.Check(ctx, r, env)
}

// run runs one gate between a recorded intent and its recorded outcome.
func (g *Gates) run(ctx context.Context, r fairlead.Release, env string, gate fairlead.Gate, dir string, image *workload.Image) error {
	job := newJob(r, env, gate, dir, image)
	started := g.Now().UTC()
	intent := fairlead.Intent{ID: job.ID, Action: runAction, Site: fairlead.Site{App: r.App, Env: env}, Target: gate.Name, Since: started}
	if err := g.begin(ctx, intent, r); err != nil {
		return err
	}
	result, err := g.Jobs.RunJob(ctx, job)
	if err == nil {
		err = ctx.Err() // a job that ended because we did says nothing of the release
	}
	var output fairlead.Digest
	if err == nil {
		output, _, err = g.Outputs.Put(ctx, bytes.NewReader(result.Output))
	}
	// What began is recorded even where ctx has ended meanwhile.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
	defer cancel()
	if err != nil {
		if closeErr := g.interrupted(ctx, intent, err.Error()); closeErr != nil {
			g.Log.Warn("the end of a gate could not be recorded; its intent stays open until the next start", "gate", gate.Name, "error", closeErr)
		}
		return err
	}
	ended := g.Now().UTC()
	evidence, err := g.Signer.Sign(Evidence{
		Gate: gate.Name, Env: env, Digest: r.Digest, Command: CommandDigest(gate),
		Passed: result.ExitCode == 0 && !result.TimedOut, ExitCode: result.ExitCode, TimedOut: result.TimedOut,
		OutputDigest: output, Output: lastPart(result.Output), Started: started, Ended: ended, Expires: ended.Add(gate.Expires.D()),
	})
	if err != nil {
		return err
	}
	return g.end(ctx, intent, r, evidence, result)
}

// newJob describes a gate's run: the release's tree, read-only, or its image, with the
// environment variables, resources and network of its instances, but no secrets.
func newJob(r fairlead.Release, env string, gate fairlead.Gate, dir string, image *workload.Image) workload.Job {
	id := make([]byte, 8)
	_, _ = rand.Read(id) // never fails (crypto/rand)
	variables := map[string]string{}
	maps.Copy(variables, r.Content.Env)
	sandbox := fairlead.SandboxRequired // where the policy does not say otherwise
	for _, environment := range r.Policy {
		if environment.Name == env {
			maps.Copy(variables, environment.Env)
			if environment.Sandbox != "" {
				sandbox = environment.Sandbox
			}
		}
	}
	maps.Copy(variables, map[string]string{
		"FAIRLEAD_APP": r.App, "FAIRLEAD_ENVIRONMENT": env, "FAIRLEAD_GATE": gate.Name,
		"FAIRLEAD_RELEASE": string(r.Digest), "FAIRLEAD_RELEASE_NAME": r.Name(),
	})
	return workload.Job{
		ID: "gate-" + hex.EncodeToString(id), Dir: dir, Image: image, Command: gate.Command, Env: variables, Timeout: gate.Timeout.D(),
		Resources: r.Content.Resources, Network: r.Content.Network, Sandbox: sandbox,
	}
}

// lastPart returns the end of a gate's output as valid text.
func lastPart(output []byte) string {
	text := strings.ReplaceAll(string(output[max(0, len(output)-outputInRow):]), "\x00", "")
	return strings.ToValidUTF8(text, "")
}
