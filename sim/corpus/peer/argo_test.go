package peer

import (
	"testing"
	"time"
)

func background() *argo { return newArgo(argoBackground(), known()) }

func TestArgosExamplePromotesInFortyMinutes(t *testing.T) {
	expect(t, play(background(), flow{until: time.Hour, requests: 10}),
		"2s 20%", "10m3s 40%", "20m4s 60%", "30m5s 80%", "40m5s promoted")
}

// Measurements start with the third step, at 602 s, and come every 5 minutes: those at
// 602, 902, 1202 and 1502 s fail; three are allowed.
func TestArgosExampleTakes25MinutesForAReleaseThatIsWhollyBroken(t *testing.T) {
	expect(t, play(background(), flow{until: time.Hour, requests: 10, failed: 100}),
		"2s 20%", "10m3s 40%", "20m4s 60%", "25m2s rolled back")
}

func TestArgosExampleNeverFindsFourPercentOfErrors(t *testing.T) {
	got := play(background(), flow{until: time.Hour, requests: 20, failed: 4})
	expect(t, got, "2s 20%", "10m3s 40%", "20m4s 60%", "30m5s 80%", "40m5s promoted")
}

// irate sees the last 15 seconds: errors that were over by then are never seen.
func TestArgosExampleSeesOnlyTheLastTwoScrapes(t *testing.T) {
	got := play(background(), flow{until: 580 * time.Second, requests: 10, failed: 100}, flow{until: time.Hour, requests: 10})
	expect(t, got, "2s 20%", "10m3s 40%", "20m4s 60%", "30m5s 80%", "40m5s promoted")
}

func TestArgosInlineAnalysisDecidesByOneMeasurement(t *testing.T) {
	inline := func() *argo { return newArgo(argoInline(), known()) }
	expect(t, play(inline(), flow{until: time.Hour, requests: 10}), "2s 20%", "5m3s promoted")
	expect(t, play(inline(), flow{until: time.Hour, requests: 10, failed: 10}), "2s 20%", "5m2s rolled back")
}

// Five errors in a row are one more than consecutiveErrorLimit; each is tried again
// after 10 s, since the example has no interval.
func TestArgoAbortsAfterFiveMeasurementsWithoutASeries(t *testing.T) {
	got := play(newArgo(argoInline(), known()), flow{until: time.Hour, silent: true})
	expect(t, got, "2s 20%", "5m42s rolled back")
}

func TestArgoGivesNoTrafficToInstancesThatAreNotReadyAndDoesNotAbort(t *testing.T) {
	expect(t, play(background(), flow{until: 2 * time.Hour, unready: true}))
}
