package api

import (
	"context"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/readiness"
	"github.com/fairlead/fairlead/rollout"
)

// Gates tells what was proven of releases.
type Gates interface {
	Evidence(ctx context.Context, r fairlead.Release, env string) ([]readiness.Evidence, error)
	Running(ctx context.Context, site fairlead.Site) (map[string]time.Time, error)
	Stand(at time.Time, r fairlead.Release, env string, evidence []readiness.Evidence, running map[string]time.Time) []readiness.Standing
}

// proof names one piece of evidence.
type proof struct {
	key   string // of its row
	ended time.Time
}

// mostProofs bounds how many entries of evidence are remembered, and how many rollouts'
// gates.
const mostProofs = 1000

// gates returns the gates of a rollout with their evidence: as they stand now, or as
// they stood when it was decided.
func (s *server) gates(ctx context.Context, r rollout.Rollout) ([]client.Gate, error) {
	if r.Kind == rollout.Back || r.From == r.To {
		return nil, nil // going back, and staying, needs none
	}
	if known, ok := s.pastGates.recall(r.ID); ok {
		return known, nil
	}
	release, err := s.Releases.Get(ctx, r.Site.App, r.To)
	if err != nil || len(readiness.Demanded(release.Content.Gates, r.Site.Env)) == 0 {
		return nil, err
	}
	standings, err := s.standings(ctx, r, release)
	if err != nil {
		return nil, err
	}
	gates := make([]client.Gate, len(standings))
	for i, standing := range standings {
		if gates[i], err = s.viewGate(ctx, r.Site, standing); err != nil {
			return nil, err
		}
	}
	if r.Phase == rollout.Ended {
		s.pastGates.keep(r.ID, gates, mostProofs)
	}
	return gates, nil
}

// standings judges the evidence of a rollout that has ended as of its decision: what
// was proven later does not count.
func (s *server) standings(ctx context.Context, r rollout.Rollout, release fairlead.Release) ([]readiness.Standing, error) {
	evidence, err := s.Gates.Evidence(ctx, release, r.Site.Env)
	if err != nil {
		return nil, err
	}
	if !r.Decided.IsZero() {
		if evidence, err = s.until(ctx, r, evidence); err != nil {
			return nil, err
		}
		return s.Gates.Stand(r.Decided, release, r.Site.Env, evidence, nil), nil
	}
	running, err := s.Gates.Running(ctx, r.Site)
	return s.Gates.Stand(s.Now(), release, r.Site.Env, evidence, running), err
}

// lookLasts bounds how much later than its own time a decision is taken: a rollout is
// decided as of when the look at the world began, and a gate may fail while it lasts.
const lookLasts = 2 * time.Second

// until replaces evidence that is newer than a rollout's decision by what there was then.
func (s *server) until(ctx context.Context, r rollout.Rollout, evidence []readiness.Evidence) ([]readiness.Evidence, error) {
	decided := r.Decided
	if r.Outcome == rollout.Failed {
		decided = decided.Add(lookLasts)
	}
	var then []readiness.Evidence
	for _, e := range evidence {
		if !e.Ended.After(decided) {
			then = append(then, e)
			continue
		}
		_, older, found, err := s.findEvidence(ctx, r.Site, readiness.Key(e.Digest, e.Env, e.Gate), time.Time{}, decided)
		if err != nil {
			return nil, err
		}
		if found {
			then = append(then, older)
		}
	}
	return then, nil
}

// viewGate puts a gate on the wire, with the ledger entry of its evidence where that is
// found in a moment.
func (s *server) viewGate(ctx context.Context, site fairlead.Site, standing readiness.Standing) (client.Gate, error) {
	g := client.Gate{Name: standing.Gate, State: string(standing.State), Detail: standing.Detail, Began: standing.Began}
	e := standing.Evidence
	if e == nil {
		return g, nil
	}
	g.Digest, g.Ended, g.Expires = e.Digest, e.Ended, e.Expires
	if g.Began.IsZero() {
		g.Began = e.Started
	}
	key := readiness.Key(e.Digest, e.Env, e.Gate)
	if seq, ok := s.recorded.recall(proof{key, e.Ended}); ok {
		g.Entry = &seq
		return g, nil
	}
	seq, _, found, err := s.findEvidence(ctx, site, key, e.Ended, e.Ended)
	if found {
		s.recorded.keep(proof{key, e.Ended}, seq, mostProofs)
		g.Entry = &seq
	}
	return g, err
}

// findEvidence looks through the ledger for the newest entry that recorded evidence of a
// gate which ended in a span of time.
func (s *server) findEvidence(ctx context.Context, site fairlead.Site, key string, from, until time.Time) (uint64, readiness.Evidence, bool, error) {
	search := searched{record: s.Record, open: s.opener(ctx), query: query{
		app: site.App, env: site.Env, kind: "gate.", from: from, until: until.Add(time.Nanosecond), limit: mostFound,
	}}
	if err := search.run(ctx); err != nil {
		return 0, readiness.Evidence{}, false, err
	}
	entries, err := s.whole(ctx, search.matches)
	for _, entry := range entries {
		for _, row := range entry.Rows {
			if row.Kind != readiness.Row || row.Key != key {
				continue
			}
			if e, err := readiness.EvidenceOf(row); err == nil && !e.Ended.Before(from) && !e.Ended.After(until) {
				return entry.Seq, e, true, nil
			}
		}
	}
	return 0, readiness.Evidence{}, false, err
}
