package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/ledger"
	"github.com/fairlead/fairlead/ledger/verify"
	"github.com/fairlead/fairlead/store/sqlite"
)

// verifier verifies the ledger of the running server when somebody asks, one time after
// the other, on a snapshot that keeps no writer waiting. What it found lives as long as
// the server. It is safe for concurrent use.
//
// It remembers the checkpoint of the server's start and of the newest good verification,
// so that an older moment of the database that is put back meanwhile is found too.
type verifier struct {
	dir   string
	store *sqlite.Store
	now   func() time.Time
	log   *slog.Logger
	asked chan struct{} // one may wait

	mu        sync.Mutex
	newest    client.Verification
	witnessed [][]byte // of the start, and of the newest good verification
}

func newVerifier(ctx context.Context, dir string, store *sqlite.Store, now func() time.Time, log *slog.Logger) (*verifier, error) {
	v := &verifier{dir: dir, store: store, now: now, log: log, asked: make(chan struct{}, 1)}
	v.newest.State = client.VerifyNever
	return v, v.remember(ctx)
}

// remember keeps the newest checkpoint in place of the one before, but for the first.
func (v *verifier) remember(ctx context.Context) error {
	signed, err := v.store.Checkpoint(ctx)
	if err != nil || signed == nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.witnessed = append(v.witnessed[:min(1, len(v.witnessed))], signed)
	return nil
}

// run verifies whenever it is asked to, until ctx ends.
func (v *verifier) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-v.asked:
			v.verify(ctx)
		}
	}
}

// Newest returns how the newest verification stands.
func (v *verifier) Newest() client.Verification {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.newest
}

// Begin implements api.Verifier. An operator may begin one. It changes no state, so that
// it is in the log and not in the ledger.
func (v *verifier) Begin(by fairlead.Principal) (client.Verification, error) {
	if !by.May(fairlead.Operator) {
		return client.Verification{}, fairlead.Errorf(fairlead.Forbidden, "verify the ledger", "this needs the role %s", fairlead.Operator)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.newest.State == client.VerifyRunning {
		return v.newest, nil
	}
	v.newest = client.Verification{State: client.VerifyRunning, Began: v.now().UTC(), Size: v.store.Size()}
	v.log.Info("the ledger is verified", "entries", v.newest.Size, "askedBy", subjectOf(by.ID), "role", by.Role)
	v.asked <- struct{}{} // it has room: nothing is running
	return v.newest, nil
}

// subjectOf names who asks in a log that no erasure reaches: by the id of the subject,
// not by the name.
func subjectOf(id fairlead.Sealed) string {
	if parts, err := ledger.ParseSealed(id); err == nil {
		return string(parts.ID)
	}
	return string(id)
}

func (v *verifier) verify(ctx context.Context) {
	result, err := v.check(ctx)
	if err == nil && result.OK() {
		err = v.remember(ctx)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	n := &v.newest
	n.Ended = v.now().UTC()
	n.Entries, n.Facts, n.Rows, n.Checkpoints, n.Root, n.More = result.Entries, result.Facts, result.Rows, result.Checkpoints, result.Root, result.More
	for _, finding := range result.Findings {
		n.Findings = append(n.Findings, finding.String())
	}
	switch {
	case err != nil && ctx.Err() != nil:
		n.State, n.Problem = client.VerifyFailed, "the server ended before it was done"
	case err != nil:
		n.State, n.Problem = client.VerifyFailed, err.Error()
		v.log.Warn("the ledger could not be verified", "error", err)
	case !result.OK():
		n.State = client.VerifyBad
		v.log.Error("the ledger is not as it was written", "findings", n.Findings, "more", n.More)
	default:
		n.State = client.VerifyGood
	}
}

func (v *verifier) check(ctx context.Context) (result verify.Result, err error) {
	v.mu.Lock()
	witnessed := v.witnessed
	v.mu.Unlock()
	reader, err := sqlite.OpenReadOnly(v.dir)
	if err != nil {
		return result, fmt.Errorf("open a snapshot: %w", err)
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	source := &easy{Reader: reader, seen: v.seen, began: time.Now()}
	return verify.Check(ctx, source, verify.Options{VerifierKey: v.store.VerifierKey(), Witnessed: witnessed})
}

// seen takes note of how far a verification is.
func (v *verifier) seen(entries, facts uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.newest.Entries += entries
	v.newest.Facts += facts
}
