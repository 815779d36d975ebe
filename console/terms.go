package console

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// Terms are what the rollout must prove, and when, in words.
func (p rolloutPage) Terms() []fact {
	s := p.Policy
	facts := []fact{{"Strategy", strategyWords(p.Rollout)}}
	if p.Back() {
		return []fact{{"Strategy", "a way back: all traffic at once, as soon as its instances are ready"}}
	}
	if p.From == 0 || p.From == p.To || s.Alpha == 0 {
		return facts
	}
	facts = append(facts,
		fact{"A good release", "is rolled back at most once in " + oneIn(s.Alpha) + " rollouts, however often one looks"},
		fact{"A bad release", "is promoted at most once in " + oneIn(s.Beta) + " rollouts"},
		fact{"Bad means", fmt.Sprintf("worse in a protected signal by both an odds ratio of %s and %s", figureOf(s.Margin.Ratio), points(s.Margin.Absolute))},
		fact{"A step lasts", fmt.Sprintf("%s to %s; then, if inconclusive: %s", span(s.MinStep), span(s.MaxStep), inconclusive(s.OnInconclusive))})
	if s.RollbackWindow > 0 {
		text := span(s.RollbackWindow) + " after promotion"
		if s.Holdback != nil && *s.Holdback > 0 {
			text += ", with " + s.Holdback.Weight().String() + " left on the old release to compare with"
		} else {
			text += ", without a share left to compare with"
		}
		facts = append(facts, fact{"It is watched", text})
	}
	return facts
}

// points writes a difference of shares.
func points(share float64) string {
	if share == 0.01 {
		return "1 percentage point"
	}
	return figureOf(100*share) + " percentage points"
}

func inconclusive(policy string) string {
	switch policy {
	case fairlead.OnInconclusiveWiden:
		return "a larger share, to learn faster"
	case fairlead.OnInconclusiveRollback:
		return "back to the old release"
	case fairlead.OnInconclusivePromote:
		return "on without evidence"
	}
	return "hold, for evidence or a person"
}

func strategyWords(r client.Rollout) string {
	if a := r.Policy.Adaptive; a != nil {
		return fmt.Sprintf("canary, adaptive: from %s to at most %s as the evidence grows, then %s", a.First.Weight(), a.Most.Weight(), r.Weights[len(r.Weights)-1])
	}
	var shares []string
	for _, w := range r.Weights {
		shares = append(shares, step{Weight: w}.Label())
	}
	steps := strings.Join(slices.Compact(shares), ", ") // a holdback has the share of the step before
	switch r.Strategy {
	case fairlead.BlueGreen:
		return "blue-green: all at once, " + steps
	case fairlead.Rolling:
		return "rolling: in place of the old instances, " + steps
	case fairlead.Replace:
		return "replace: the old release ends before the new one starts, and requests wait meanwhile"
	}
	return "canary: " + steps
}
