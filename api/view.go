package api

import (
	"context"
	"encoding/json"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/rollout/judge"
	"github.com/fairlead/fairlead/workload"
)

func (s *server) viewSite(ctx context.Context, state rollout.State, instances []workload.Status) client.Site {
	live := state.Live
	site := client.Site{
		App: live.Site.App, Env: live.Site.Env, Host: live.Route.Host, Path: live.Route.PathPrefix,
		Stable: live.Stable, Previous: live.Previous, Instances: []workload.Status{}, Seen: s.Now(),
	}
	if state.Rollout != nil {
		r := s.viewRollout(ctx, state)
		site.Rollout = &r
	}
	for _, i := range instances {
		if i.Site == live.Site && i.State != workload.Exited {
			site.Instances = append(site.Instances, i)
		}
	}
	return site
}

func (s *server) viewRollout(ctx context.Context, state rollout.State) client.Rollout {
	r := state.Rollout
	v := client.Rollout{
		ID: r.ID, App: r.Site.App, Env: r.Site.Env, From: r.From, To: r.To,
		Phase: string(r.Phase), Outcome: client.Outcome(r.Outcome), Held: r.Held,
		Step: r.Step, Weights: r.Weights, Weight: r.Weight, Shifting: state.Shifting, Verdict: state.Verdict, Evidence: state.Report,
		Stable: arm(state.Tally.Stable), Canary: arm(state.Tally.Canary),
		Started: r.Began, StepBegan: r.StepBegan, FirstTraffic: r.FirstTraffic, Decided: r.Decided,
	}
	for _, note := range r.Notes {
		v.Story = append(v.Story, s.told(ctx, note))
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
	return v
}

// told is a note in words, with the reason that a person gave.
func (s *server) told(ctx context.Context, note rollout.Note) string {
	if note.Why == "" {
		return note.Text
	}
	return note.Text + ": " + s.Open(ctx, note.Why)
}

func arm(t rollout.ArmTally) client.Arm { return client.Arm{Requests: t.Requests, Failed: t.Failed} }
