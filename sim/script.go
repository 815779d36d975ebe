package sim

import (
	"fmt"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout"
)

// script is what a release will be like. Nothing of it is known to Fairlead.
type script struct {
	release     fairlead.Release
	environment fairlead.Environment
	kind        string  // in words
	failing     float64 // share of units that fail
	slow        float64 // factor on all latencies
	gateFails   bool
	gateErrs    float64       // share of runs of the gates that cannot be made
	evidence    time.Duration // how long the gates' evidence is fresh; 0 for ever
	starts      time.Duration // from start to ready
	crashes     bool          // it never becomes ready
	refused     bool          // its sandbox cannot be had
	dies        float64       // restarts a minute and instance
}

// never reports whether the release must not even take traffic.
func (s *script) never() bool { return s.gateFails || s.crashes || s.refused }

// sound reports whether the release is no worse than any other.
func (s *script) sound() bool { return s.kind == "good" }

// site is one app in one environment, with the releases that people will deploy.
type site struct {
	id       fairlead.Site
	rate     float64 // requests a second
	failing  float64 // share of units that fail with a sound release
	latency  time.Duration
	scripts  []*script
	deployed int // scripts that were begun at least once
	begun    map[string]*script
}

// byRun reports whether whole runs are assigned at the site.
func (s *site) byRun() bool { return s.scripts[0].release.Content.Assignment.By == fairlead.ByRun }

func (s *site) script(release int) *script { return s.scripts[release-1] }

// newSites writes the scripts of a world.
func newSites(w *world) []*site {
	sites := make([]*site, 2+w.chance.IntN(3))
	for i := range sites {
		s := &site{
			id:      fairlead.Site{App: fmt.Sprintf("app%d", i+1), Env: "production"},
			rate:    8 + 22*w.chance.Float64(),
			failing: oneOf(w, 0, 0.005, 0.02),
			latency: w.between(5*time.Millisecond, 200*time.Millisecond),
			begun:   map[string]*script{},
		}
		assignment := fairlead.Assignment{By: oneOf(w, fairlead.BySession, fairlead.BySession, fairlead.ByAPIKey, fairlead.ByRun)}
		replicas := 1 + w.chance.IntN(3)
		for n := range 3 + w.chance.IntN(6) {
			s.scripts = append(s.scripts, newScript(w, s, n+1, replicas, assignment))
		}
		sites[i] = s
	}
	return sites
}

func newScript(w *world, at *site, number, replicas int, assignment fairlead.Assignment) *script {
	s := &script{
		kind: "good", failing: at.failing, slow: 1,
		starts:   w.between(100*time.Millisecond, 3*time.Second),
		evidence: oneOf(w, 0, 10*time.Second, time.Hour),
		gateErrs: oneOf(w, 0, 0, 0.5),
	}
	s.release = fairlead.Release{App: at.id.App, Number: number, Content: fairlead.Content{
		Assignment: assignment,
		Drain:      fairlead.Duration(w.between(time.Second, 8*time.Second)),
		RunLimit:   fairlead.Duration(w.between(time.Second, 15*time.Second)),
		Timeout:    fairlead.Duration(2 * time.Second),
		Env:        map[string]string{"RELEASE": fmt.Sprint(number)},
	}}
	s.release.Digest = s.release.Content.Digest()
	s.environment = fairlead.Environment{
		Name: at.id.Env, Replicas: replicas, Route: fairlead.Route{Host: at.id.App + ".example", PathPrefix: "/"},
		Strategy: newStrategy(w),
	}
	if number == 1 {
		return s
	}
	switch w.chance.IntN(14) {
	case 0:
		s.kind, s.failing = "broken", 1
	case 1:
		s.kind, s.failing = "worse", 0.3
	case 2:
		s.kind, s.slow = "slow", 4
	case 3:
		s.kind, s.gateFails = "failing its gates", true
	case 4:
		s.kind, s.crashes = "crashing", true
	case 5:
		s.kind, s.dies = "dying", 2
	case 6:
		s.kind, s.refused = "refused", true
	}
	return s
}

func newStrategy(w *world) fairlead.Strategy {
	holdback := fairlead.Percent(oneOf(w, 0, 5, 20))
	s := fairlead.Strategy{
		Type:  oneOf(w, fairlead.Canary, fairlead.Canary, fairlead.Canary, fairlead.BlueGreen, fairlead.Rolling),
		Alpha: Alpha, Beta: Beta, Tolerance: 1, Margin: fairlead.Margin{Ratio: 2, Absolute: 0.1},
		Steps:          [][]fairlead.Percent{{50}, {20, 50}, {10, 25, 50}, {40}}[w.chance.IntN(4)],
		Warmup:         fairlead.Duration(oneOf(w, 0, 2*time.Second)),
		MinStep:        fairlead.Duration(w.between(0, 4*time.Second)),
		MaxStep:        fairlead.Duration(w.between(20*time.Second, 90*time.Second)),
		RollbackWindow: fairlead.Duration(oneOf(w, 0, 5*time.Second, 20*time.Second)),
		Holdback:       &holdback,
		OnInconclusive: oneOf(w, fairlead.OnInconclusiveHold, fairlead.OnInconclusiveHold,
			fairlead.OnInconclusiveWiden, fairlead.OnInconclusiveRollback, fairlead.OnInconclusivePromote),
	}
	if w.likely(0.2) {
		s.Adaptive = &fairlead.Adaptive{First: 10, Most: 50}
	}
	return s
}

// beginning returns how a person brings the release to its site.
func (s *script) beginning(at fairlead.Site, kind rollout.Kind) rollout.Beginning {
	return rollout.Beginning{
		Site: at, Release: s.release.Number, Digest: s.release.Digest, Environment: s.environment,
		Kind: kind, By: fairlead.Principal{ID: "system:person", Role: fairlead.Operator},
	}
}
