package server

import (
	"context"
	"crypto/rand"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout"
)

type gates struct{}

func (gates) Prove(ctx context.Context, r fairlead.Release, env string) (rollout.GateState, error) {
	return rollout.GateState{Satisfied: true}, nil
}
func (s *control) newGates() (rollout.Gates, error) { return gates{}, nil }
func newJobID(prefix string) string                 { return prefix + "-" + rand.Text()[:10] }
