package cli

import (
	"context"
	"errors"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/cli/progress"
)

const (
	pollEvery     = 200 * time.Millisecond // of the rollout, and of the frame on a terminal
	instancesPoll = time.Second
	tellEvery     = 2 * time.Second  // lines of progress in a pipe
	quietFor      = 12 * time.Second // longest silence in a pipe
	absence       = 60 * time.Second // how long a server may be away before a watcher gives up
)

// seen is what a watcher knows of a rollout.
type seen struct {
	site    client.Site // with the rollout that is watched, which need not be the site's newest
	away    bool        // the server does not answer now
	began   time.Time
	refresh time.Time // when the instances were read
	lost    time.Time // since when the server is away
}

// follow calls each with a rollout about five times a second until the rollout
// needs no more watching. It outlasts a restart of the control plane: polling
// needs no connection, and the traffic does not need the control plane.
func follow(ctx context.Context, c *client.Client, r client.Rollout, each func(seen) error) (client.Rollout, error) {
	s := seen{site: client.Site{App: r.App, Env: r.Env, Rollout: &r}, began: time.Now()}
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		if err := each(s); err != nil || progress.Over(*s.site.Rollout) && !s.away {
			return *s.site.Rollout, err
		}
		select {
		case <-ctx.Done():
			return *s.site.Rollout, ctx.Err()
		case <-ticker.C:
		}
		if err := s.read(ctx, c, r.ID); err != nil {
			return *s.site.Rollout, err
		}
	}
}

// read asks for the rollout, and once a second for the site's instances.
func (s *seen) read(ctx context.Context, c *client.Client, id string) error {
	now := time.Now()
	r, err := c.Rollout(ctx, id)
	if err == nil {
		s.site.Rollout, s.away, s.lost = &r, false, time.Time{}
		return s.readSite(ctx, c, now)
	}
	if !passing(err) || ctx.Err() != nil {
		return err
	}
	if !s.away {
		s.away, s.lost = true, now
	}
	if now.Sub(s.lost) > absence {
		return err
	}
	return nil
}

// readSite reads the instances, which are only looked at: failing to is no error.
func (s *seen) readSite(ctx context.Context, c *client.Client, now time.Time) error {
	if now.Sub(s.refresh) < instancesPoll && !progress.Over(*s.site.Rollout) {
		return nil
	}
	s.refresh = now
	app, err := c.App(ctx, s.site.App)
	if err != nil {
		return ctx.Err()
	}
	for _, site := range app.Sites {
		if site.Env == s.site.Env {
			site.Rollout = s.site.Rollout
			s.site = site
		}
	}
	return nil
}

// passing reports whether an error is one that a restart of the server explains.
func passing(err error) bool {
	return errors.Is(err, client.ErrNoServer) || fairlead.CodeOf(err) == fairlead.Unavailable
}
