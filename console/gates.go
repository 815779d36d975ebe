package console

import (
	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// gate is a gate with its badge's tone.
type gate struct{ client.Gate }

// Proofs are the gates with their evidence.
func (p rolloutPage) Proofs() []gate {
	all := make([]gate, len(p.Gates))
	for i, g := range p.Gates {
		all[i] = gate{g}
	}
	return all
}

// Proven is the digest of the release that its gates' evidence is of; "" before any.
func (p rolloutPage) Proven() fairlead.Digest {
	for _, g := range p.Gates {
		if g.Digest != "" {
			return g.Digest
		}
	}
	return ""
}

// Good reports whether the evidence has, or had, a time until which it is good.
func (g gate) Good() bool {
	return !g.Expires.IsZero() && (g.State == "passed" || g.State == "expired")
}

// Tone is the tone of the gate's state.
func (g gate) Tone() string {
	switch g.State {
	case "passed":
		return "safe"
	case "failed":
		return "harm"
	case "expired":
		return "held"
	case "running":
		return "move"
	}
	return "quiet"
}
