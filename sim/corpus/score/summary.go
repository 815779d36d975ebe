// Package score runs judges over the release fault corpus, keeps what came of it, and
// makes tables, a picture and a page of it.
package score

import (
	"fmt"
	"math"
	"slices"

	"github.com/fairlead/fairlead/sim/corpus"
)

// Summary is what one rule did in the worlds of one cell.
type Summary struct {
	Cell     string `json:"cell"`
	Rule     string `json:"rule"`
	Version  string `json:"version"` // of the rule
	World    string `json:"world"`   // version of the cell and the corpus
	Rollouts int    `json:"rollouts"`

	RolledBack int `json:"rolledBack"`
	Promoted   int `json:"promoted"`  // and not rolled back later
	Undecided  int `json:"undecided"` // at the horizon

	Delay     Times   `json:"delay"`         // from the fault's onset, or the first request on the new release if that is later, to the rollback
	Promotion Times   `json:"promotion"`     // from the beginning to the promotion
	Excess    float64 `json:"excess"`        // user-visible failures because of the new release, mean of a rollout
	ExcessSD  float64 `json:"excessSD"`      // standard deviation over rollouts
	Canary    float64 `json:"canary"`        // requests on the new release, mean of a rollout
	Why       string  `json:"why,omitempty"` // of the first rollback, in the judge's words
}

// Times are quantiles in seconds over all rollouts, of which those without the event
// come last; nil is never.
type Times struct {
	N   int      `json:"n"` // rollouts with the event
	P50 *float64 `json:"p50"`
	P95 *float64 `json:"p95"`
}

// Summarize sums up the rollouts of a cell under a rule; world is the worlds' version.
func Summarize(c corpus.Cell, rule corpus.Rule, world string, results []corpus.Result) Summary {
	s := Summary{Cell: c.Name, Rule: rule.Name, Version: rule.Version, World: world, Rollouts: len(results)}
	var delays, promotions []float64
	n := float64(len(results))
	for _, r := range results {
		switch r.State {
		case corpus.RolledBack:
			s.RolledBack++
			delays = append(delays, max(0, (r.Decided-max(c.Fault.Onset, r.Exposed)).Seconds()))
			if s.Why == "" {
				s.Why = r.Why
			}
		case corpus.Promoted, corpus.Finished:
			s.Promoted++
		default:
			s.Undecided++
		}
		if r.Promoted > 0 {
			promotions = append(promotions, r.Promoted.Seconds())
		}
		s.Excess += r.Excess / n
		s.Canary += float64(r.Canary) / n
	}
	for _, r := range results {
		s.ExcessSD += (r.Excess - s.Excess) * (r.Excess - s.Excess) / max(1, n-1)
	}
	s.ExcessSD = math.Sqrt(s.ExcessSD)
	s.Delay, s.Promotion = times(delays, len(results)), times(promotions, len(results))
	return s
}

func times(seen []float64, all int) Times {
	slices.Sort(seen)
	at := func(q float64) *float64 {
		i := max(0, int(math.Ceil(q*float64(all)))-1)
		if i >= len(seen) {
			return nil
		}
		v := math.Round(seen[i]*10) / 10
		return &v
	}
	return Times{N: len(seen), P50: at(0.5), P95: at(0.95)}
}

// hours is the corpus' horizon, in words.
func hours() string { return fmt.Sprintf("%g hours", corpus.Horizon.Hours()) }
