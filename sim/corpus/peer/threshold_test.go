package peer

import (
	"testing"
	"time"
)

func usualThreshold() *threshold {
	return newThreshold(thresholdSettings{
		steps: []float64{0.1, 0.5}, pause: 10 * time.Minute, least: 100, failed: 0.02, slow: 2, answers: 1.5, waiting: time.Hour,
	}, known())
}

// At 2 requests a second the scrape at 60 s is the first with 100 requests.
func TestAFixedThresholdWaitsForItsMinimum(t *testing.T) {
	expect(t, play(usualThreshold(), flow{until: time.Hour, requests: 2, failed: 5}), "1s 10%", "1m0s rolled back")
}

func TestAFixedThresholdLetsLessThanItPass(t *testing.T) {
	expect(t, play(usualThreshold(), flow{until: time.Hour, requests: 2, failed: 1}), "1s 10%", "10m15s 50%", "20m15s promoted")
}

func TestAFixedThresholdCannotTellAnOutageFromABadRelease(t *testing.T) {
	got := play(usualThreshold(), flow{until: time.Hour, requests: 10, failed: 10, baseline: 10})
	expect(t, got, "1s 10%", "15s rolled back")
}
