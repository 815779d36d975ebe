package peer

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/sim/corpus"
)

func tutorial() *flagger { return newFlagger(flaggerTutorial(), known()) }

func TestFlaggerPromotesAGoodReleaseInFiveSteps(t *testing.T) {
	expect(t, play(tutorial(), flow{until: time.Hour, requests: 10}),
		"1s 10%", "1m1s 20%", "2m1s 30%", "3m1s 40%", "4m1s 50%", "5m1s promoted")
}

// The check at 61 s is the first of five that fail; the tick after the fifth, at 361 s,
// finds the threshold reached.
func TestFlaggersTutorialTakes360SecondsToTurnBackFivePercentOfErrors(t *testing.T) {
	expect(t, play(tutorial(), flow{until: time.Hour, requests: 100, failed: 5}),
		"1s 10%", "6m1s rolled back")
}

func TestFlaggerWithoutAThresholdTakes120Seconds(t *testing.T) {
	expect(t, play(newFlagger(flaggerDefaults(), known()), flow{until: time.Hour, requests: 100, failed: 5}),
		"1s 10%", "2m1s rolled back")
}

func TestFlaggerAllowsOnePercentOfFailures(t *testing.T) {
	got := play(tutorial(), flow{until: 150 * time.Second, requests: 100, failed: 1})
	expect(t, got, "1s 10%", "1m1s 20%", "2m1s 30%")
}

func TestFlaggerCountsTwoPercentOver500MillisecondsAsAFailedCheck(t *testing.T) {
	expect(t, play(tutorial(), flow{until: time.Hour, requests: 100, slow: 2}), "1s 10%", "6m1s rolled back")
	expect(t, play(tutorial(), flow{until: 150 * time.Second, requests: 100, slow: 1}), "1s 10%", "1m1s 20%", "2m1s 30%")
}

// The checks at 61 and 121 s fail, those at 181 and 241 s are good, and those at 301,
// 361 and 421 s fail: five in all.
func TestFlaggerNeverForgivesAFailedCheck(t *testing.T) {
	got := play(tutorial(),
		flow{until: 121 * time.Second, requests: 100, failed: 5},
		flow{until: 241 * time.Second, requests: 100},
		flow{until: time.Hour, requests: 100, failed: 5})
	expect(t, got, "1s 10%", "3m1s 20%", "4m1s 30%", "8m1s rolled back")
}

func TestFlaggerTakesNoTrafficForFailedChecks(t *testing.T) {
	expect(t, play(tutorial(), flow{until: time.Hour, silent: true}), "1s 10%", "6m1s rolled back")
}

// One failure among 12 requests of a minute is more than one percent.
func TestFlaggerIsHastyAtLowTraffic(t *testing.T) {
	j := newFlagger(flaggerDefaults(), known())
	var said []string
	for now, last := time.Second, (corpus.Decision{}); now <= 5*time.Minute && !j.over(); now += time.Second {
		s := corpus.Second{Now: now}
		if now%(5*time.Second) == 0 {
			s.Ended = []corpus.Request{{Canary: true, Latency: time.Millisecond}}
			if now == 30*time.Second {
				s.Ended[0].Outcome = corpus.Timeout
			}
		}
		if d := j.Second(&s); d != last {
			said, last = append(said, tell(now, d)), d
		}
	}
	expect(t, said, "1s 10%", "2m1s rolled back")
}

func TestFlaggerRollsBackInstancesThatDoNotBecomeReady(t *testing.T) {
	expect(t, play(tutorial(), flow{until: time.Hour, unready: true}), "1m1s rolled back")
}

func TestFlaggerSeesNothingNewerThanTheLastScrape(t *testing.T) {
	start := known()
	start.Seed = 2 // scrapes at 2, 17, 32, 47 s, ...
	m := newScrapes(start, ownBounds(start))
	for now := time.Second; now <= 61*time.Second; now += time.Second {
		m.observe(&corpus.Second{Now: now, Ended: []corpus.Request{{Canary: true}}})
	}
	// At 61 s the window reaches back to 1 s; its scrapes are those of 2 s and 47 s.
	if seen, ok := m.rate(corpus.Canary, 61*time.Second, time.Minute); !ok || seen.total != 45 {
		t.Errorf("the window of a minute held %v requests, want 45", seen.total)
	}
	if seen, ok := m.irate(corpus.Canary); !ok || seen.total != 15 {
		t.Errorf("the last two scrapes are %v requests apart, want 15", seen.total)
	}
}

func TestABoundThatTheOldReleaseBreaksIsWidened(t *testing.T) {
	start := known()
	for i := range start.History {
		start.History[i].Latency *= 10
	}
	if got := slowBound(start, 500*time.Millisecond, 2); got != 4*time.Second {
		t.Errorf("the bound is %v, want twice the old 99th percentile of 2 s", got)
	}
	if got := slowBound(known(), 500*time.Millisecond, 2); got != 500*time.Millisecond {
		t.Errorf("the bound is %v, want the documented one", got)
	}
}
