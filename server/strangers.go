package server

import (
	"context"
	"errors"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/release"
	"github.com/fairlead/fairlead/workload"
)

// strangerGrace is how long an instance that no release explains has to end.
const strangerGrace = 5 * time.Second

// endStrangers ends the instances of releases that the ledger does not have, or has
// with another content, as after it was restored from a backup. A new release could
// get the number of one of them, and would be taken for what runs. What is ended is
// recorded before.
func (s *control) endStrangers(ctx context.Context) error {
	ids, err := s.strangers(ctx)
	if err != nil || len(ids) == 0 {
		return err
	}
	s.Log.Warn("instances of releases that the ledger does not have are ended", "instances", ids)
	if err := record(ctx, s.store, s.clock.Now(), "server.strangersEnded", self, map[string]any{
		"text": "instances of releases that the ledger does not have are ended", "instances": ids,
	}); err != nil {
		return err
	}
	for i, id := range ids {
		order := fairlead.Order{Term: s.term, Seq: uint64(i) + 1} // before all orders of the loop to what it starts
		err := s.runtime.Stop(ctx, order, id, strangerGrace)
		if err == nil {
			order.Seq += uint64(len(ids))
			err = s.runtime.Remove(ctx, order, id)
		}
		if err != nil {
			return errors.Join(err, ctx.Err())
		}
	}
	return nil
}

// strangers returns the ids of the instances that no release explains.
func (s *control) strangers(ctx context.Context) (ids []string, err error) {
	all, err := s.runtime.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, status := range all {
		strange, err := isStranger(ctx, s.releases, status)
		if err != nil {
			return nil, err
		}
		if strange {
			ids = append(ids, status.ID)
		}
	}
	return ids, nil
}

func isStranger(ctx context.Context, releases *release.Maker, status workload.Status) (bool, error) {
	r, err := releases.Get(ctx, status.Site.App, status.Release)
	if fairlead.CodeOf(err) == fairlead.NotFound {
		return true, nil
	}
	return err == nil && r.Digest != status.Digest, err
}
