package api

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/rollout/judge"
	"github.com/fairlead/fairlead/workload"
)

func (s *server) viewSite(ctx context.Context, state rollout.State, instances []workload.Status) (client.Site, error) {
	live := state.Live
	site := client.Site{
		App: live.Site.App, Env: live.Site.Env, Host: live.Route.Host, Path: live.Route.PathPrefix,
		Stable: live.Stable, Previous: live.Previous, Instances: []workload.Status{}, Wanted: rollout.Desire(state.Live, state.Rollout), Seen: s.Now(), Needs: state.Needs(),
	}
	if lately, known := s.Seen.Of(live.Site, s.Now()); known {
		site.Traffic = traffic(lately)
	}
	if state.Rollout != nil {
		r, err := s.viewRollout(ctx, state)
		if err != nil {
			return site, err
		}
		site.Rollout = &r
	}
	var err error
	if site.Loosened, err = s.loosened(ctx, state); err != nil {
		return site, err
	}
	if site.Over, err = s.Volumes.Over(ctx, live.Site); err != nil {
		return site, err
	}
	for _, i := range instances {
		if i.Site == live.Site && i.State != workload.Exited {
			site.Instances = append(site.Instances, i)
		}
	}
	return site, nil
}

func (s *server) viewRollout(ctx context.Context, state rollout.State) (client.Rollout, error) {
	r := state.Rollout
	v := client.Rollout{
		ID: r.ID, App: r.Site.App, Env: r.Site.Env, Kind: string(r.Kind), From: r.From, To: r.To,
		Phase: string(r.Phase), Outcome: client.Outcome(r.Outcome), Held: r.Held,
		Step: r.Step, Weights: r.Weights, Weight: r.Weight, Shifting: state.Shifting, Queued: r.Queues(), Waiting: state.Waiting, Verdict: state.Verdict, Evidence: state.Report,
		Stable: arm(state.Tally.Stable), Canary: arm(state.Tally.Canary),
		Headline: rollout.Headline(state, s.Now()), Hurt: state.Tally.Canary.Failed, Strategy: r.Strategy.Type, Policy: r.Strategy,
		Started: r.Began, StepBegan: r.StepBegan, FirstTraffic: r.FirstTraffic, Decided: r.Decided,
	}
	for _, note := range r.Notes {
		v.Story, v.Told = append(v.Story, s.told(ctx, note)), append(v.Told, note.Time)
	}
	asks(&v, state)
	var err error
	if v.Gates, err = s.gates(ctx, *r); err != nil {
		return v, fmt.Errorf("read the gates of rollout %s: %w", r.ID, err)
	}
	if because, ok := r.Because(); ok {
		v.Reason = s.told(ctx, because)
	}
	var report judge.Report
	if state.Report != nil && json.Unmarshal(state.Report, &report) == nil {
		v.LeftSecs = rollout.Left(report)
		v.Waits = state.Waits(report)
	}
	for _, g := range state.Watched() {
		v.Guards = append(v.Guards, client.Guard{
			Name: g.Name, Value: g.Value, Min: g.Guard.Min, Max: g.Guard.Max, Bad: g.Bad, Blind: g.Blind, Waived: g.Waived, Text: g.Text(),
		})
	}
	return v, nil
}

// asks fills v with what a person can ask now.
func asks(v *client.Rollout, state rollout.State) {
	v.Would = map[string]string{}
	for _, c := range state.Possible() {
		v.Can = append(v.Can, string(c))
		v.Would[string(c)] = state.Consequence(c)
		if state.Rollout.NeedsReason(c) {
			v.NeedsReason = append(v.NeedsReason, string(c))
		}
		if c == rollout.Rollback {
			v.BackTo = state.BackTo()
		}
	}
}

// told is a note in words, with the reason that a person gave.
func (s *server) told(ctx context.Context, note rollout.Note) string {
	if note.Why == "" {
		return note.Text
	}
	return note.Text + ": " + s.Open(ctx, note.Why)
}

func arm(t rollout.ArmTally) client.Arm { return client.Arm{Requests: t.Requests, Failed: t.Failed} }
