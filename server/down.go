package server

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/artifact"
	"github.com/fairlead/fairlead/store/sqlite"
	"github.com/fairlead/fairlead/workload/shim"
)

// Ended is what Down found running and ended.
type Ended struct {
	Gateway   bool
	Instances int
}

// Down ends the gateway and all instances of a state directory whose control plane
// does not run any more, and records it. It holds the state directory's lock, so
// that no control plane starts meanwhile.
//
// Errors: not_found where there never was a ledger, conflict where a control plane runs,
// and those of opening the ledger. With unrecorded a ledger that cannot be opened
// is no error: all is ended without a record.
func Down(ctx context.Context, c Config, unrecorded bool) (ended Ended, err error) {
	s := &control{Config: c, paths: paths{c.State}}
	if err := errors.Join(c.check(), s.owned("down")); err != nil {
		return ended, err
	}
	if !s.begun() {
		return ended, fairlead.Errorf(fairlead.NotFound, "open state directory "+c.State, "there is no ledger")
	}
	held, err := s.openOrLock(ctx, unrecorded)
	if err != nil {
		return ended, err
	}
	defer func() { err = errors.Join(err, held.Close()) }()
	if s.runtime, err = shim.New(shim.Config{Root: s.run(), Shim: s.Program, Log: s.Log, Kinds: Kinds()}); err != nil {
		return ended, err
	}
	defer s.runtime.Close()
	s.images = s.newImages(s.lastEngineHost)
	defer func() { err = errors.Join(err, s.images.Close()) }()
	ended, unread := s.running(ctx)
	if ended == (Ended{}) {
		return ended, errors.Join(unread, s.forgetImages(), s.clear(), s.sweepAll(ctx))
	}
	if err := s.beginEnd(ctx); err != nil {
		return ended, err
	}
	s.fleet = fleet{Runtime: s.runtime, devices: s.devicesToEnd(ctx)}
	s.keeper = s.newGatewayKeeper()
	return ended, errors.Join(s.endAll(), s.forgetImages(), s.clear(), s.sweepAll(ctx))
}

// begun reports whether there is a ledger, or was one: a key without it is left where
// the ledger was lost, and what ran by it may run still.
func (s *control) begun() bool {
	for _, name := range []string{"fairlead.db", "ledger.key"} {
		if _, err := os.Lstat(filepath.Join(s.State, name)); !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	return false
}

// openOrLock opens the ledger. With unrecorded, one that cannot be opened is locked
// only, and there is no store. The caller closes what it returns.
func (s *control) openOrLock(ctx context.Context, unrecorded bool) (io.Closer, error) {
	store, err := s.openStore(ctx)
	if err == nil {
		s.store = store
		return store, nil
	}
	if !unrecorded || fairlead.CodeOf(err) == fairlead.Conflict {
		return nil, err
	}
	return sqlite.Lock(s.State)
}

// sweepAll is sweep where there is a ledger.
func (s *control) sweepAll(ctx context.Context) (err error) {
	if s.store == nil {
		return nil
	}
	if s.trees, err = artifact.Open(s.content()); err != nil {
		return err
	}
	return s.sweep(ctx)
}

// running counts what there is to end.
func (s *control) running(ctx context.Context) (Ended, error) {
	services, err := s.runtime.Services(ctx)
	instances, listErr := s.runtime.List(ctx)
	return Ended{Gateway: len(services) > 0, Instances: len(instances)}, errors.Join(err, listErr)
}

// beginEnd records the end of everything before it, where there is a ledger.
func (s *control) beginEnd(ctx context.Context) error {
	if s.store == nil {
		newest, err := s.runtime.NewestTerm()
		s.term = newest + 1
		return errors.Join(err, s.runtime.BeginTerm(s.term))
	}
	var err error
	if s.clock, err = openClock(ctx, s.store); err != nil {
		return err
	}
	name := userName(os.Getuid())
	by, err := s.store.Sealer().Seal(ctx, name, name)
	if err != nil {
		return err
	}
	return s.begin(ctx, "server.ending", by, map[string]any{
		"text": "the gateway and all instances end; no control plane was running", "all": true,
	})
}

// clear removes the sockets that a control plane and a gateway left when they were
// killed.
func (s *control) clear() error {
	var failed error
	for _, socket := range []string{s.socket(), s.gatewaySocket()} {
		if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}
