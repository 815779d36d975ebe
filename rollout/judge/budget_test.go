package judge

import (
	"math"
	"testing"

	"github.com/fairlead/fairlead"
)

func TestFailuresKeepHalfOfTheBudgetAndTheOthersShareTheRest(t *testing.T) {
	for _, c := range []struct {
		others          int
		failures, other float64
	}{{0, 0.95, 0}, {1, 0.5, 0.45}, {2, 0.5, 0.225}, {3, 0.5, 0.15}, {9, 0.5, 0.05}} {
		if failures, other := shares(c.others); !near(failures, c.failures) || !near(other, c.other) {
			t.Errorf("with %d others failures have %v and each other %v, want %v and %v", c.others, failures, other, c.failures, c.other)
		}
	}
}

func TestTheBudgetIsSpentWhole(t *testing.T) {
	c := defaults
	for _, set := range []func(){
		func() {},
		func() { c.Latency = true },
		func() { c.First = true },
		func() { c.Mirror = true },
		func() { c.Reported = append(c.Reported, Reported{Name: "refusal", Kind: fairlead.KindFailure}) },
		func() {
			c.Reported = append(c.Reported, Reported{Name: "cost", Kind: fairlead.KindAmount, Thresholds: [3]float64{1, 2, 3}})
		},
		func() { c.Reported = append(c.Reported, Reported{Name: "tokens", Kind: fairlead.KindAmount}) },
		func() { c.Reported = append(c.Reported, Reported{Name: "preference", Kind: fairlead.KindPreference}) },
	} {
		set()
		sum := 0.0
		names := map[string]bool{}
		for _, s := range New(c).budget {
			if names[s.title()] {
				t.Errorf("%s is weighed twice", s.title())
			}
			names[s.title()] = true
			sum += s.share
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Errorf("the shares of %v sum to %v", names, sum)
		}
	}
	if r := New(c).Report(); r.Signals[0].HarmShare != 0.5 {
		t.Errorf("failures have %v of the budget", r.Signals[0].HarmShare)
	}
}
