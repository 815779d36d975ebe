package peer

import (
	"testing"
	"time"
)

func advised() *kayenta { return newKayenta(kayentaAdvised(), known()) }

func TestKayentaPromotesAGoodReleaseAfterThreeHours(t *testing.T) {
	expect(t, play(advised(), flow{until: 4 * time.Hour, requests: 3}), "1s 10%", "3h0m0s promoted")
}

// Sixty minutes at 5 % against 1 %: the shift's interval is far above a quarter of its
// estimate, and the metric is critical.
func TestKayentaTurnsBackFivePercentOfErrorsAtItsFirstJudgement(t *testing.T) {
	expect(t, play(advised(), flow{until: 4 * time.Hour, requests: 10, failed: 5, baseline: 1}), "1s 10%", "1h0m0s rolled back")
}

func TestKayentaIsNotDeceivedByAnOutageOfBoth(t *testing.T) {
	expect(t, play(advised(),
		flow{until: 30 * time.Minute, requests: 3}, flow{until: 35 * time.Minute, requests: 3, failed: 30, baseline: 30},
		flow{until: 4 * time.Hour, requests: 3}), "1s 10%", "3h0m0s promoted")
}

// Latency's p99 alone is one of three in its group: score (100 + 67 + 100)/3 = 89,
// which is above marginal and below pass.
func TestKayentaEndsAMarginalCanaryOnlyAtTheEnd(t *testing.T) {
	expect(t, play(advised(), flow{until: 4 * time.Hour, requests: 10, slow: 2}), "1s 10%", "3h0m0s rolled back")
}

func TestKayentaTurnsBackAReleaseThatIsWhollyBroken(t *testing.T) {
	expect(t, play(advised(), flow{until: 4 * time.Hour, requests: 3, failed: 100}), "1s 10%", "1h0m0s rolled back")
}

// One critical metric of the many is High: the score would be 80, above marginal, if it
// counted as the others do.
func TestKayentaScoresZeroWhenACriticalMetricIsHigh(t *testing.T) {
	k := advised()
	play(k, flow{until: 59 * time.Minute, requests: 10, failed: 5, baseline: 1})
	if score := k.score(); score != 0 {
		t.Errorf("score %g, want 0", score)
	}
	k = advised()
	play(k, flow{until: 59 * time.Minute, requests: 10, slow: 2})
	if score := k.score(); score < 75 || score >= 95 {
		t.Errorf("score %g with one metric High that is not critical, want it between marginal and pass", score)
	}
}
