package clitest

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/workload"
)

const events = `{"seq":0,"time":"2026-01-02T03:04:05Z","kind":"server.started","principal":"system:server","text":"the control plane started for the first time"}
{"seq":1,"time":"2026-01-02T03:04:06Z","kind":"release.created","app":"triage","principal":"ada","text":"triage@1 was made"}
{"seq":2,"time":"2026-01-02T03:04:07Z","kind":"rollout.began","app":"triage","env":"production","principal":"ada","text":"triage@1 is on its way to production"}
`

const logs = `{"time":"2026-01-02T03:04:05.000Z","app":"triage","env":"production","release":1,"instance":"triage-1-a","stream":"stderr","text":"serving \u001b[31mred\u001b[0m"}
{"time":"2026-01-02T03:04:06.000Z","app":"triage","env":"production","release":1,"instance":"triage-1-a","stream":"stdout","text":"answered a ticket"}
`

func (s *Server) theApp() client.App {
	a := client.App{Name: s.app, Newest: len(s.plays)}
	for _, env := range s.envs {
		site := client.Site{App: s.app, Env: env, Host: s.app + ".localhost", Path: "/"}
		for _, p := range s.plays {
			if p.env != env {
				continue
			}
			r := s.at(p)
			site.Rollout = &r
			if r.Outcome == client.Promoted {
				site.Previous, site.Stable = site.Stable, p.number
			}
		}
		site.Instances = s.instances(site)
		a.Sites = append(a.Sites, site)
	}
	return a
}

func (s *Server) instances(site client.Site) []workload.Status {
	var all []workload.Status
	add := func(release int, state workload.State, restarts int) {
		for i := range 2 {
			all = append(all, workload.Status{ID: fmt.Sprintf("triage-%d-%c", release, 'a'+i), Release: release, State: state, Restarts: restarts})
		}
	}
	if site.Stable > 0 {
		add(site.Stable, workload.Ready, 0)
	}
	if r := site.Rollout; r != nil && r.Outcome == "" {
		switch {
		case r.Phase == "starting":
			add(r.To, workload.Starting, 0)
		default:
			add(r.To, workload.Ready, 0)
		}
	}
	return all
}

func (s *Server) releases(*http.Request) (any, error) {
	all := []client.Release{}
	for i := len(s.plays) - 1; i >= 0; i-- {
		all = append(all, s.release(s.plays[i].number))
	}
	return all, nil
}

func (s *Server) release(number int) client.Release {
	return client.Release{App: s.app, Number: number, Digest: fairlead.DigestOf([]byte{byte(number)}), By: "ada", Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

func (s *Server) deploy(r *http.Request) (any, error) {
	var d client.Deploy
	if err := json.NewDecoder(r.Body).Decode(&d); err != nil {
		return nil, err
	}
	env := d.Env
	if env == "" {
		env = s.envs[0]
	}
	p := &play{script: d.App.Spec.Env["SCRIPT"], began: s.now(), number: len(s.plays) + 1, env: env}
	if p.script == "" && s.Plays != nil {
		p.script = s.Plays(p.number)
	}
	s.plays = append(s.plays, p)
	return client.Deployed{Release: s.release(p.number), Rollout: s.at(p), Created: true}, nil
}

func (s *Server) promote(r *http.Request) (any, error) {
	var q client.Promote
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		return nil, err
	}
	p := &play{script: "good", began: s.now(), number: q.Number, env: q.Env}
	s.plays = append(s.plays, p)
	return client.Deployed{Release: s.release(p.number), Rollout: s.at(p)}, nil
}

func (s *Server) rollout(r *http.Request) (any, error) {
	for i, p := range s.plays {
		if fmt.Sprintf("ro-%d", i+1) == r.PathValue("id") {
			return s.at(p), nil
		}
	}
	return nil, fairlead.Errorf(fairlead.NotFound, "", "there is no such rollout")
}

func (s *Server) act(r *http.Request) (any, error) {
	for i := len(s.plays) - 1; i >= 0; i-- {
		if p := s.plays[i]; p.env == r.PathValue("env") {
			p.act = r.PathValue("action")
			return s.at(p), nil
		}
	}
	return nil, fairlead.Errorf(fairlead.Conflict, "", "no rollout is moving in %s", r.PathValue("env"))
}

func (s *Server) explain(r *http.Request) (any, error) {
	return client.Explanation{Site: s.theApp().Sites[0], Sentences: []string{
		"triage in " + r.PathValue("env") + " is on step 1 of 2, at 25 %.",
		"Evidence of safety is 4.2 of 20: it goes on when the least protected signal, failures, has 20.",
	}}, nil
}

// at returns where a script is now.
func (s *Server) at(p *play) client.Rollout {
	t := s.now().Sub(p.began).Seconds() * s.speed
	index := 0
	for i, other := range s.plays {
		if other == p {
			index = i
		}
	}
	r := client.Rollout{
		ID: fmt.Sprintf("ro-%d", index+1), App: s.app, Env: p.env, From: index, To: p.number, Phase: "gating", Started: p.began,
		Weights: []fairlead.Weight{2500, 5000, 9500}, Story: []string{fmt.Sprintf("triage@%d is on its way to %s", p.number, p.env)},
	}
	r.Verdict = fairlead.Verdict{Finding: fairlead.Inconclusive, Needed: 20}
	switch {
	case p.act == "abort":
		s.decide(&r, client.Aborted, "a person stopped it", p.began)
		return r
	case p.act == "pause":
		r.Held = "paused"
	}
	if t > 1 {
		r.Phase, r.Reason = "starting", "2 instances are coming up"
	}
	if t > 3 {
		s.stepping(&r, p, t-3)
	}
	return r
}

// stepping plays the part of a script in which there is traffic.
func (s *Server) stepping(r *client.Rollout, p *play, t float64) {
	if p.script == "broken" {
		s.decide(r, client.Failed, "triage-2-a will never serve: exit status 78 (5 starts)", p.began)
		return
	}
	r.Phase, r.Step, r.Weight, r.Reason = "stepping", 1, 2500, "step 1 of 2: 25 % of the units are on the new release"
	r.FirstTraffic, r.StepBegan = p.began.Add(time.Duration(3/s.speed*1e9)), p.began.Add(time.Duration(3/s.speed*1e9))
	r.Story = append(r.Story, r.Reason)
	growth, failing := 0.25, 0.005
	if p.script == "bad" {
		growth, failing = -0.6, 0.05
	}
	harm, safety, left := math.Exp(-growth*2*t), math.Exp(growth*t), 12-t
	if p.script == "good" && t > 12 {
		r.Step, r.Weight, safety, left = 2, 5000, math.Exp(growth*(t-12)), 24-t
		r.Reason = "step 2 of 2: 50 % of the units are on the new release"
		r.Story = append(r.Story, r.Reason)
	}
	r.Canary = client.Arm{Requests: uint64(125 * t), Units: uint64(40 * t), Failed: uint64(125 * t * failing)}
	r.Stable = client.Arm{Requests: uint64(375 * t), Units: uint64(120 * t), Failed: uint64(375 * t * 0.005)}
	r.Verdict.E = safety
	r.Evidence, _ = json.Marshal(map[string]any{"harm": map[string]float64{"e": harm, "needed": 300}, "safety": map[string]float64{"e": safety, "needed": 20}})
	if left > 0 {
		r.LeftSecs = &left
	}
	switch {
	case p.script == "bad" && t > 6:
		r.Verdict = fairlead.Verdict{Finding: fairlead.Harmful, Signal: "failures", E: 341, Needed: 300}
		s.decide(r, client.RolledBack, "harmful by failures: E = 341 of 300", p.began)
	case p.script == "good" && t > 24:
		s.decide(r, client.Promoted, "safe in all steps", p.began)
	case p.script == "stuck" && t > 6:
		r.Held, r.Reason, r.LeftSecs = "inconclusive", "neither safety nor harm is proven after 1h0m0s", nil
	}
}

func (s *Server) decide(r *client.Rollout, outcome client.Outcome, why string, began time.Time) {
	r.Phase, r.Outcome, r.Reason = "ended", outcome, why
	r.Decided = began.Add(27 * time.Second)
	r.Story = append(r.Story, why)
	r.LeftSecs = nil
}
