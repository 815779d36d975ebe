package peer

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/sim/corpus"
)

func fiveLooks(t *testing.T) corpus.Judge {
	t.Helper()
	return groupSequential().Rules[0].New(known())
}

func TestAGroupSequentialTestPromotesAfterItsLastLook(t *testing.T) {
	expect(t, play(fiveLooks(t), flow{until: time.Hour, requests: 10, failed: 1, baseline: 1}), "1s 10%", "30m0s promoted")
}

// 3600 requests by the first look, 5 % against 1 %: z is above its bound of 5.0.
func TestAGroupSequentialTestLooksOnlyAtItsLooks(t *testing.T) {
	expect(t, play(fiveLooks(t), flow{until: time.Hour, requests: 10, failed: 5, baseline: 1}), "1s 10%", "6m0s rolled back")
}

func TestAGroupSequentialTestComparesWithTheOldRelease(t *testing.T) {
	got := play(fiveLooks(t), flow{until: 10 * time.Minute, requests: 10}, flow{until: time.Hour, requests: 10, failed: 10, baseline: 10})
	expect(t, got, "1s 10%", "30m0s promoted")
}

func usualMSPRT() corpus.Judge { return msprtPeer().Rules[0].New(known()) }

// At 60 s 590 of the new release's requests have ended, of which 30 failed, and 5310 of
// the old one's, of which 54: L is above 3 signs / 0.05 = 60. At 45 s it is 37.
func TestMSPRTStopsWhenTheRatioIsReached(t *testing.T) {
	expect(t, play(usualMSPRT(), flow{until: 2 * time.Hour, requests: 10, failed: 5, baseline: 1}), "1s 10%", "1m0s rolled back")
	near(t, "L at 45 s", mixtureRatio(25, 440, 40, 3960, 0.01), 37.26, 0.01)
	if l := mixtureRatio(30, 590, 54, 5310, 0.01); l < 60 {
		t.Errorf("L at 60 s is %v, want at least 60", l)
	}
}

func TestMSPRTShipsAtItsHorizonWithoutAFinding(t *testing.T) {
	expect(t, play(usualMSPRT(), flow{until: 2 * time.Hour, requests: 10, failed: 1, baseline: 1}), "1s 10%", "1h0m0s promoted")
}

func TestMSPRTDoesNotTurnBackAnImprovement(t *testing.T) {
	expect(t, play(usualMSPRT(), flow{until: 2 * time.Hour, requests: 10, baseline: 10}), "1s 10%", "1h0m0s promoted")
}

func usualSafe() corpus.Judge { return safeRollout().Rules[0].New(known()) }

func TestASafeRolloutRampsAndShips(t *testing.T) {
	expect(t, play(usualSafe(), flow{until: 5 * time.Hour, requests: 3, failed: 1, baseline: 1}),
		"1s 5%", "12m1s 12%", "24m1s 25%", "36m1s 38%", "48m1s 50%", "4h0m0s promoted")
}

func TestASafeRolloutTurnsBackAtItsFirstAnalysis(t *testing.T) {
	expect(t, play(usualSafe(), flow{until: 5 * time.Hour, requests: 10, failed: 10, baseline: 1}), "1s 5%", "12m0s rolled back")
}

// Half a point more failures among 40 000 requests is not proven in four hours: shipped.
func TestASafeRolloutShipsWhatItCouldNotProve(t *testing.T) {
	got := play(usualSafe(), flow{until: 5 * time.Hour, requests: 1, failed: 2, baseline: 2})
	if got[len(got)-1] != "4h0m0s promoted" {
		t.Errorf("it ended with %s, want it shipped", got[len(got)-1])
	}
}

func TestNoJudgeGivesTrafficBeforeInstancesAreReady(t *testing.T) {
	for _, rule := range Documented() {
		for _, said := range play(rule.New(known()), flow{until: 30 * time.Minute, unready: true}) {
			if said[len(said)-1] == '%' {
				t.Errorf("%s gave %s to instances that are not ready", rule.Name, said)
			}
		}
	}
}

// An application that reports nothing shows three signs.
func TestAGroupSequentialTestSharesItsAlphaAmongTheSigns(t *testing.T) {
	set := sequentialSettings{weight: 0.1, length: 30 * time.Minute, looks: 5, alpha: 0.025, spend: pocock}
	g := sequentialRule("x", set).New(known()).(*sequential)
	want := spendingBounds(pocock, 0.025/3, 5)
	for i := range want {
		near(t, "bound", g.bounds[i], want[i], 1e-9)
	}
}

// The bound of the difference is its estimate less the halfwidth, once.
func TestASafeRolloutTurnsBackWhenTheHalfwidthIsExceeded(t *testing.T) {
	for _, c := range []struct {
		above float64 // in halfwidths
		want  corpus.State
	}{{0.9, 0}, {1.1, corpus.RolledBack}} {
		f := usualSafe().(*safe)
		for arm, share := range [2]float64{0.1, 0.1} {
			n := 1000.0
			if arm == corpus.Canary {
				variance := 2 * 0.1 * 0.9 / n
				share += c.above * halfwidth(variance, 2*n, f.rho, f.set.alpha)
			}
			f.exposure.arms[arm].units = n
			f.exposure.arms[arm].metrics[railFailed] = struct{ sum, squares float64 }{n * share, n * (share*share + 0.1*0.9*(n-1)/n)}
		}
		if f.judge(); f.State != c.want {
			t.Errorf("%g halfwidths above: %v, want %v", c.above, f.State, c.want)
		}
	}
}

func TestAUnitThatMovesToTheNewReleaseLeavesTheControl(t *testing.T) {
	start := known()
	start.Sticky = true
	e := newExposure(start)
	e.widen(1, 0)
	one := func(canary bool) corpus.Second {
		return corpus.Second{Now: time.Second, Ended: []corpus.Request{{Unit: 7, Canary: canary, Outcome: corpus.ServerError, Latency: time.Second}}}
	}
	before, after := one(false), one(true)
	e.observe(&before)
	if old := e.arms[corpus.Stable].of(railFailed); old.n != 1 || old.sum != 1 {
		t.Fatalf("the control before: %+v", old)
	}
	e.observe(&after)
	old, fresh := e.arms[corpus.Stable].of(railFailed), e.arms[corpus.Canary].of(railFailed)
	if old.n != 0 || old.sum != 0 || fresh.n != 1 || fresh.sum != 1 {
		t.Errorf("the control %+v, the new release %+v", old, fresh)
	}
}
