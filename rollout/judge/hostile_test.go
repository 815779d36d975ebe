package judge

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fairlead/fairlead"
)

// hostileVotes returns how many bad votes for the canary roll an identical release
// back, when honest clients vote besides, so many for each hostile vote: a tenth of
// their votes is bad in both arms. units is how many units the hostile client votes
// as; after the most votes it gives up, and decided is false.
func hostileVotes(seed uint64, honest, units, most int) (votes int, decided bool) {
	rng := rand.New(rand.NewPCG(seed, 1))
	j, s := qualityBegun(fairlead.KindFailure, false)
	j.Observe(s.block(told(1200, nil, nil)))
	next := uint64(units)
	for votes < most {
		votes++
		round := []fairlead.LateReport{late(1200, true, uint64(votes%units), 1)}
		for range honest {
			bad := 0.0
			if rng.Float64() < 0.1 {
				bad = 1
			}
			next++
			round = append(round, late(1200, rng.IntN(2) == 0, next, bad))
		}
		j.Late(round)
		if j.Verdict().Finding == fairlead.Harmful {
			return votes, true
		}
	}
	return votes, false
}

// What docs/reference/signals.md says of hostile clients.
func TestAClientHasAsManyVotesAsItHasUnits(t *testing.T) {
	for seed := range uint64(scaled(10)) {
		if votes, decided := hostileVotes(seed, 10, 3, 1000); decided {
			t.Errorf("three units rolled a release back with %d votes", votes)
		}
	}
	for _, honest := range []int{2, 10, 40} {
		var took []int
		for seed := range uint64(scaled(11)) {
			votes, decided := hostileVotes(seed, honest, 1<<20, 2000)
			if !decided {
				t.Errorf("%d units do not roll a release back: docs/reference/signals.md warns of fewer", votes)
			}
			took = append(took, votes)
		}
		slices.Sort(took)
		t.Logf("%d honest votes for each hostile one: %d hostile votes roll back (median)", honest, took[len(took)/2])
	}
}
