package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/figures"
	"github.com/fairlead/fairlead/internal/quantity"
	"github.com/fairlead/fairlead/workload/volume"
)

// A volume's size is no limit of the kernel's: it is what a release promises to stay
// below, accounted when it is deployed and measured from then on.
const (
	measureEvery = time.Minute
	measureShare = 20 // measuring takes at most one part of so many of the time
	fitsAgain    = 95 // percent of its size below which a volume that was over it fits again
)

// measured is what a part of a volume took of the disk.
type measured struct {
	bytes int64
	at    time.Time
}

// run measures the volumes and removes what gone releases had of fresh ones, until ctx
// ends.
func (v *volumes) run(ctx context.Context) {
	for {
		began := time.Now()
		if err := errors.Join(v.tidy(ctx), v.measure(ctx)); err != nil && ctx.Err() == nil {
			v.log.Warn("volumes could not be looked at", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-v.fresh:
		case <-time.After(max(measureEvery, measureShare*time.Since(began))):
		}
	}
}

// measure looks how much each volume holds, and records which came to hold more than
// its size, and which fit again.
func (v *volumes) measure(ctx context.Context) error {
	records, err := v.all(ctx)
	if err != nil {
		return err
	}
	ids, err := v.dirs.All()
	if err != nil {
		return err
	}
	var failed error
	for _, id := range ids {
		most, err := v.measureOne(ctx, id)
		if err != nil {
			failed = errors.Join(failed, err)
		}
		if r, known := records[id]; known {
			failed = errors.Join(failed, v.judge(ctx, id, r, most))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return failed
}

// measureOne measures the parts of a volume and returns how much the largest holds.
func (v *volumes) measureOne(ctx context.Context, id volume.ID) (most int64, err error) {
	releases, err := v.dirs.Releases(id)
	if err != nil {
		return 0, err
	}
	for _, release := range append(releases, volume.Shared) {
		bytes, err := v.dirs.Used(ctx, id, release)
		if err != nil {
			return most, err
		}
		v.mu.Lock()
		v.seen[part{id, release}] = measured{bytes, v.now()}
		v.mu.Unlock()
		most = max(most, bytes)
	}
	return most, nil
}

// used returns how many bytes a release's volume held when it was measured last.
func (v *volumes) used(site fairlead.Site, release int, declared fairlead.Volume) int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.seen[partOf(site, release, declared)].bytes
}

// over decides whether a volume that was over its size or not is now.
func over(was bool, bytes, size int64) bool {
	if was {
		return bytes > size/100*fitsAgain
	}
	return bytes > size
}

// judge records that a volume came to hold more than its size, or fits again.
func (v *volumes) judge(ctx context.Context, id volume.ID, r volumeRecord, bytes int64) error {
	size, _ := quantity.ParseBytes(r.Size)
	if over(r.Over, bytes, size) == r.Over {
		return nil
	}
	v.making.Lock()
	defer v.making.Unlock()
	now, known, err := v.recorded(ctx, id)
	if err != nil || !known || now != r {
		return err // it changed meanwhile; the next look sees it
	}
	now.Over = !now.Over
	kind, text := "volume.over", fmt.Sprintf("volume %s holds %s, more than its size of %s; nothing stops it", id.Name, figures.Bytes(bytes), r.Size)
	if !now.Over {
		kind, text = "volume.fits", fmt.Sprintf("volume %s holds %s and fits its size of %s again", id.Name, figures.Bytes(bytes), r.Size)
	}
	v.log.Warn(text, "app", id.App, "environment", id.Env)
	return v.record(ctx, kind, self, id, now, map[string]any{"text": text, "bytes": bytes, "size": size})
}

// tidy removes what releases that are gone had of fresh volumes. One that is live, or
// that a rollback would bring back, keeps it.
func (v *volumes) tidy(ctx context.Context) error {
	v.making.Lock()
	defer v.making.Unlock()
	live, err := v.live(ctx)
	if err != nil {
		return err
	}
	for _, state := range v.sites() {
		live[state.Live.Site] = append(live[state.Live.Site], state.Live.Previous)
	}
	ids, err := v.dirs.All()
	if err != nil {
		return err
	}
	var failed error
	for _, id := range ids {
		releases, err := v.dirs.Releases(id)
		failed = errors.Join(failed, err)
		for _, release := range releases {
			if slices.Contains(live[fairlead.Site{App: id.App, Env: id.Env}], release) {
				continue
			}
			v.log.Info("what a gone release had of a fresh volume is removed", "volume", id.String(), "release", release)
			failed = errors.Join(failed, v.dirs.RemoveRelease(id, release))
			v.mu.Lock()
			delete(v.seen, part{id, release})
			v.mu.Unlock()
		}
	}
	return failed
}
