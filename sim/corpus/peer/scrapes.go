package peer

import (
	"time"

	"github.com/fairlead/fairlead/sim/corpus"
)

// scrapeEvery is the usual interval of a Prometheus server that watches a service mesh.
const scrapeEvery = 15 * time.Second

// scrapes is a Prometheus server as a canary tool sees it: every 15 seconds it reads
// the counters, and a query sees nothing newer than the last time. Counters begin
// at 0, as if they had been there before the first request: a real server misses the
// first increments of a counter that did not exist.
type scrapes struct {
	bounds
	phase time.Duration // of the first scrape, 0 to 14 seconds
	now   [2]counters
	taken [][2]counters // at phase-15s, phase, phase+15s, ...
}

// newScrapes returns a server whose phase comes from the world's seed.
func newScrapes(start corpus.Start, b bounds) *scrapes {
	phase := time.Duration(start.Seed%15) * time.Second
	return &scrapes{bounds: b, phase: phase, taken: make([][2]counters, 1, 1024)}
}

// observe takes a second in.
func (m *scrapes) observe(s *corpus.Second) {
	for i := range s.Ended {
		m.count(&m.now[arm(&s.Ended[i])], &s.Ended[i])
	}
	if m.scraped(s.Now) {
		m.take(s.Now)
	}
}

// take scrapes at now; a scrape at 0, before the first second, was of zeros.
func (m *scrapes) take(now time.Duration) {
	at := int((now-m.phase)/scrapeEvery) + 1
	for len(m.taken) < at {
		m.taken = append(m.taken, [2]counters{})
	}
	m.taken = append(m.taken, m.now)
}

// rate returns the increase between the first and the last scrape of the window that
// ends at now. Its ratios are those of PromQL's rate, whose extrapolation cancels.
// It is false where the window holds fewer than two scrapes.
func (m *scrapes) rate(arm int, now, window time.Duration) (counters, bool) {
	last := len(m.taken) - 1
	oldest := now - window - m.phase + scrapeEvery // in the count of taken, whose first is 15 s before the phase
	first := max(0, int((oldest+scrapeEvery-1)/scrapeEvery))
	if first >= last {
		return counters{}, false
	}
	return m.taken[last][arm].minus(m.taken[first][arm]), true
}

// irate returns the increase between the last two scrapes, as PromQL's irate does
// whatever the window.
func (m *scrapes) irate(arm int) (counters, bool) {
	last := len(m.taken) - 1
	if last < 1 {
		return counters{}, false
	}
	return m.taken[last][arm].minus(m.taken[last-1][arm]), true
}

// absent reports whether no request of the arm was ever scraped: its series do not
// exist yet.
func (m *scrapes) absent(arm int) bool { return m.taken[len(m.taken)-1][arm].total == 0 }

func arm(r *corpus.Request) int {
	if r.Canary {
		return corpus.Canary
	}
	return corpus.Stable
}

// scraped reports whether something new was read in the second that ends at now.
func (m *scrapes) scraped(now time.Duration) bool {
	return now >= m.phase && (now-m.phase)%scrapeEvery == 0
}

// newest returns the last scrape's counters by arm.
func (m *scrapes) newest() [2]counters { return m.taken[len(m.taken)-1] }
