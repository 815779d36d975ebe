package server

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/readiness"
	"github.com/fairlead/fairlead/rollout"
)

// gates tells the rollout loop what readiness has proven.
type gates struct{ readiness *readiness.Gates }

func (s *control) newGates(ctx context.Context) (gates, error) {
	signer, err := readiness.OpenSigner(s.evidenceKey())
	if err != nil {
		return gates{}, err
	}
	g := gates{&readiness.Gates{
		Store: s.store, Jobs: s.runtime, Outputs: s.trees, Place: places{s.trees, s.images}.job, Signer: signer, Now: s.clock.Now, Log: s.Log,
	}}
	return g, g.readiness.Recover(ctx)
}

// Prove runs the gates that are not proven yet.
func (g gates) Prove(ctx context.Context, r fairlead.Release, env string) (rollout.GateState, error) {
	v, err := g.readiness.Prove(ctx, r, env)
	if err != nil {
		return rollout.GateState{}, err
	}
	if !v.Holds() {
		return rollout.GateState{Failed: strings.Join(v.Why, "; ")}, nil
	}
	return rollout.GateState{Satisfied: true, Until: v.Until, Proven: len(v.Satisfied)}, nil
}

func newJobID(prefix string) string { return prefix + "-" + strings.ToLower(rand.Text()[:12]) }
