// Package peer holds the ways of judging a canary that the release fault corpus
// compares with Fairlead's: tools as their documentation and source state them, and
// methods from the literature. Each rule is written anew from its description; its
// source is named beside it. docs/reference/peers.md lists them for people.
//
// A peer has one or more rules with documented settings, and a grid of settings from
// which [Tuned] offers the best one, chosen on seeds that the comparison does not use.
// Where a description leaves something open, the reading that is better for the peer
// is taken, and said.
//
// Rules are values without state and safe for concurrent use. The judges that they
// make are not.
package peer

import (
	"fmt"
	"time"

	"github.com/fairlead/fairlead/sim/corpus"
)

// Peer is a tool or a method with its settings.
type Peer struct {
	Name  string        // the part of its rules' names before the slash
	Rules []corpus.Rule // with documented settings
	Grid  []corpus.Rule // what the tuner may choose from; empty where nothing is to be tuned
}

// All returns every peer, in the order of the documentation.
func All() []Peer {
	return []Peer{
		argoRollouts(), flaggerPeer(), kayentaPeer(), kubernetesPeer(),
		fixedThreshold(), groupSequential(), msprtPeer(), safeRollout(),
	}
}

// Documented returns the rules of all peers at their documented settings.
func Documented() []corpus.Rule {
	var rules []corpus.Rule
	for _, p := range All() {
		rules = append(rules, p.Rules...)
	}
	return rules
}

// course is what a judge has decided so far.
type course struct{ corpus.Decision }

// goOn sets the share of the new release.
func (c *course) goOn(weight float64) { c.Weight = weight }

// back ends the rollout: all traffic to the old release.
func (c *course) back(format string, args ...any) {
	c.Decision = corpus.Decision{State: corpus.RolledBack, Why: fmt.Sprintf(format, args...)}
}

// finish gives the new release all traffic, for good.
func (c *course) finish(why string) {
	c.Decision = corpus.Decision{Weight: 1, State: corpus.Finished, Why: why}
}

// unready reports whether no traffic can be given yet: any orchestrator waits for the
// first instances. After 10 minutes it gives up, as a pipeline that waits for a
// Deployment does.
func (c *course) unready(s *corpus.Second) bool {
	if c.Weight > 0 || ready(s) {
		return false
	}
	if s.Now >= 10*time.Minute {
		c.back("instances were not ready for 10 minutes")
	}
	return true
}

// over reports whether nothing more is to be decided.
func (c *course) over() bool { return c.State == corpus.RolledBack || c.State == corpus.Finished }

// ready reports whether all wanted instances of the new release take traffic.
func ready(s *corpus.Second) bool {
	canary := s.Instances[corpus.Canary]
	return canary.Ready >= canary.Wanted
}
