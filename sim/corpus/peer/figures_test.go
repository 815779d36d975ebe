package peer_test

import (
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/fairlead/fairlead/sim/corpus"
	"github.com/fairlead/fairlead/sim/corpus/peer"
)

// TestFigures prints, for each documented rule, when it turned back errors of 0.5 to
// 5 %, and how often it turned back good releases. It plays few worlds at 10 requests a
// second; PEER_RUNS=200 plays so many at 1, a third of it at 10 and a twentieth at 100.
// docs/reference/peers.md has what came of that.
func TestFigures(t *testing.T) {
	runs, _ := strconv.Atoi(os.Getenv("PEER_RUNS"))
	plan := map[float64]int{10: 3}
	if runs > 0 {
		plan = map[float64]int{1: runs, 10: max(3, runs/3), 100: max(3, runs/20)}
	}
	for _, c := range corpus.Cells() {
		n := plan[c.Traffic.Rate]
		if n == 0 || c.Traffic.Sticky || c.Traffic.Diurnal || !slices.Contains([]string{"errors-5%", "same-api", "outage", "base-1.5%"}, c.Kind) {
			continue
		}
		seen := median(t, c, n)
		if c.Kind == "errors-5%" && c.Traffic.Rate == 10 {
			within(t, seen, "flagger/tutorial", 350, 480) // five failed checks and a tick
			within(t, seen, "kayenta/advised", 3580, 3600)
			within(t, seen, "group-sequential/obrien-fleming", 350, 720) // at its first or second look
			within(t, seen, "kubernetes/readiness", -1, -1)
		}
	}
}

// median plays n worlds of a cell, prints, and returns the median delay of each rule in
// seconds from the first request on the new release; -1 is never.
func median(t *testing.T, c corpus.Cell, n int) map[string]float64 {
	rules := peer.Documented()
	delays := make([][]float64, len(rules))
	for i := range n {
		for k, r := range corpus.Play(corpus.NewWorld(c, corpus.Tune, 1000+i), rules) {
			if r.State == corpus.RolledBack {
				delays[k] = append(delays[k], (r.Decided - max(0, r.Exposed)).Seconds())
			}
		}
	}
	out := map[string]float64{}
	t.Logf("%s, %d rollouts", c.Name, n)
	for k, rule := range rules {
		out[rule.Name] = -1
		if slices.Sort(delays[k]); len(delays[k]) > n/2 {
			out[rule.Name] = delays[k][n/2]
		}
		t.Logf("  %-32s rolled back %5.1f %%  median %5.0f s", rule.Name, 100*float64(len(delays[k]))/float64(n), out[rule.Name])
	}
	return out
}

func within(t *testing.T, seen map[string]float64, rule string, least, most float64) {
	t.Helper()
	if d := seen[rule]; d < least || d > most {
		t.Errorf("%s took %.0f s (median), want %.0f to %.0f", rule, d, least, most)
	}
}
