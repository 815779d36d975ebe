package rollout

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout/judge"
)

// copies runs a step of weight 0, a pair a second, until there is a verdict, and
// returns it with how many pairs it took. A request fails in the old release with
// chance old, in the new one with chance new, each by itself.
func copies(chance *rand.Rand, old, new float64, most int) (fairlead.Finding, int) {
	strategy := fairlead.Strategy{
		Alpha: 1.0 / 300, Beta: 1.0 / 20, Tolerance: 1, Margin: fairlead.Margin{Ratio: 2, Absolute: 0.01}, Mirror: &fairlead.Mirror{Share: 100},
	}
	j := judge.New(judgeConfig(Rollout{Strategy: strategy}))
	j.Step(1, 0, 0)
	fails := func(p float64) float64 {
		if chance.Float64() < p {
			return 1
		}
		return 0
	}
	for n := range most {
		unit := chance.Uint64()
		cell := fairlead.Cell{Second: int64(1000 + n), Epoch: 1, Complete: true}
		cell.Stable = fairlead.Arm{Requests: 1, Ended: 1, Units: fairlead.Units{unit}}
		pair := fairlead.Pair{Unit: unit, Stable: fails(old), Canary: fails(new)}
		if pair.Stable == 1 {
			cell.Stable.Hits[fairlead.Failures] = fairlead.Units{unit}
		}
		cell.Mirrored = map[string][]fairlead.Pair{"failures": {pair}}
		j.Observe(fairlead.Block{Gateway: "boot", Seq: uint64(n + 1), At: int64(1000*n + 1), Cells: []fairlead.Cell{cell}})
		if v := j.Verdict(); v.Finding != fairlead.Inconclusive {
			return v.Finding, n + 1
		}
	}
	return fairlead.Inconclusive, most
}

// TestCopiesDecide measures how many copies a verdict takes (docs/guide.md), and says
// what must hold of it. See the figures with -v.
func TestCopiesDecide(t *testing.T) {
	const runs, most = 51, 6000
	for _, c := range []struct {
		name     string
		old, new float64
		want     fairlead.Finding
		pairs    int // median at most
	}{
		{"broken", 0, 1, fairlead.Harmful, 30},
		{"half of the requests fail", 0.005, 0.5, fairlead.Harmful, 60},
		{"0.5 % -> 5 %", 0.005, 0.05, fairlead.Harmful, 600},
		{"no failures", 0, 0, fairlead.Safe, 1000},
		{"0.5 % in both", 0.005, 0.005, fairlead.Safe, 3000},
	} {
		chance := rand.New(rand.NewPCG(1, 2))
		found, wrong := []int{}, 0
		for range runs {
			finding, n := copies(chance, c.old, c.new, most)
			if finding == c.want {
				found = append(found, n)
			} else if finding != fairlead.Inconclusive {
				wrong++
			}
		}
		slices.Sort(found)
		t.Logf("%s: %s in %d of %d runs, %d otherwise", c.name, c.want, len(found), runs, wrong)
		if len(found) <= runs/2 || wrong > runs/20 {
			t.Errorf("%s: too seldom %s", c.name, c.want)
			continue
		}
		median := found[runs/2]
		t.Logf("%s: median %d copies, nine tenths %d", c.name, median, found[len(found)*9/10])
		if median > c.pairs {
			t.Errorf("%s: %s after %d copies, want %d at most", c.name, c.want, median, c.pairs)
		}
	}
}

func TestAStepWithoutCopiesSaysWhatIsCopied(t *testing.T) {
	state := mirroredState(Stepping, 0)
	state.Tally.Stable.Requests = 100
	explain := func(report judge.Report) string {
		state.Report, _ = json.Marshal(report)
		return strings.Join(Explain(state, state.Rollout.FirstTraffic), "\n")
	}
	const missing = "no copy is answered yet; the strategy copies 10 % of GET"
	if text := explain(judge.Report{}); !strings.Contains(text, missing) {
		t.Errorf("nobody learns why there is no evidence:\n%s", text)
	}
	some := judge.Report{Signals: []judge.SignalReport{{Mirrored: true, Stable: judge.ArmSignal{AtRisk: 1}, Canary: judge.ArmSignal{AtRisk: 1}}}}
	if text := explain(some); strings.Contains(text, missing) {
		t.Errorf("there are copies, and yet:\n%s", text)
	}
}
