package rollout

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever the times of inputs and decisions, no request is lost, samples follow each
// other, and an e-value that reached what is needed stays to be seen.
func TestAGridKeepsEveryRequestAndEveryPeak(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := grid{needed: CourseNeeded{Harm: 300, Safety: 20}}
		now := time.Date(2026, 11, 1, 12, 0, 0, 300e6, time.UTC)
		g.begin(now)
		requests, peaks := uint64(0), 0
		for range rapid.IntRange(1, 400).Draw(t, "inputs") {
			step := rapid.SampledFrom([]time.Duration{0, 700 * time.Millisecond, time.Second, 40 * time.Second, 3 * time.Hour})
			now = now.Add(step.Draw(t, "step"))
			if g.ends(now) {
				g.reach(now, g.open.idle())
			}
			age := time.Duration(rapid.IntRange(-2, 5).Draw(t, "age")) * time.Second
			g.sample(now.Add(-age)).Canary.Requests++
			requests++
			g.open.At, g.open.Safety = now, 1
			if rapid.IntRange(0, 9).Draw(t, "decides") == 0 {
				g.open.Safety = 20 + float64(peaks)
				peaks++
				next := g.open.idle()
				next.Safety = 1
				g.divide(next)
			}
		}
		all := g.samples(g.open)
		if len(all) > samplesMost {
			t.Fatalf("%d samples, want at most %d", len(all), samplesMost)
		}
		counted, peak := uint64(0), 0.0
		for i, s := range all {
			if s.At.Before(s.From) || i > 0 && !s.From.Equal(all[i-1].At) {
				t.Fatalf("sample %d goes from %v to %v, after %v", i, s.From, s.At, all[max(0, i-1)].At)
			}
			counted += s.Canary.Requests
			peak = max(peak, s.Safety)
		}
		if counted != requests {
			t.Fatalf("%d of %d requests are in the samples", counted, requests)
		}
		if peaks > 0 && peak != 19+float64(peaks) {
			t.Fatalf("the highest evidence is %v, want %v", peak, 19+float64(peaks))
		}
		if newest := all[len(all)-1]; newest.Safety != 1 || !newest.At.Equal(now) {
			t.Fatalf("the newest sample has safety %v at %v, want 1 at %v", newest.Safety, newest.At, now)
		}
	})
}
