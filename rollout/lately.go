package rollout

import (
	"maps"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
)

// Lately is what the gateway saw of a site in the newest minute, all releases together.
type Lately struct {
	Over     time.Duration // the minute, or less where it is not attended that long
	Requests uint64        // that arrived
	Ended    uint64        // requests that ended, of which
	Failed   uint64        // failed
	P50, P99 float64       // of the latency, in milliseconds, to the next bound of a bucket; 0 where none ended
}

// Seen knows the newest minute of every site, whether a rollout moves there or not. It
// knows nothing while the gateway is out of reach, and in the first seconds after that
// or after a start: what waited at the gateway meanwhile is of no known minute. It is
// safe for concurrent use.
type Seen struct {
	mu     sync.Mutex
	began  time.Time // since when the gateway is attended without a break
	looked time.Time // when it was attended newest
	came   time.Time // when blocks came newest
	sites  map[fairlead.Site]*slots
}

const (
	slotLength = 5 * time.Second
	slotsKept  = 12               // a minute
	seenBreak  = 10 * time.Second // a longer time without a look is a break
	seenLeast  = 5 * time.Second  // less says too little
	blockOnWay = 2 * time.Second  // what a block takes from its closing to the loop
)

// slots are those of a site, by their number modulo slotsKept, and the newest block in
// them.
type slots struct {
	all     [slotsKept]slot
	gateway string
	seq     uint64
}

// slot is what came in so many seconds of the loop's time.
type slot struct {
	number   int64
	requests uint64
	ended    uint64
	failed   uint64
	latency  fairlead.LatencyBuckets
}

func slotOf(at time.Time) int64 { return at.UnixNano() / int64(slotLength) }

// take notes a look at the gateway and the blocks that it gave, oldest first.
func (s *Seen) take(now time.Time, blocks []fairlead.Block) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.looked) > seenBreak || now.Before(s.looked) {
		s.began, s.came, s.sites = now, now, map[fairlead.Site]*slots{}
	}
	s.looked = now
	if len(blocks) == 0 {
		return
	}
	newest := int64(0)
	for _, b := range blocks {
		newest = max(newest, b.At)
	}
	since := newest - (now.Sub(s.came) + blockOnWay).Milliseconds() // what closed before had waited: see Seen
	s.came = now
	for i := range blocks {
		if blocks[i].At >= since {
			s.count(now, &blocks[i])
		}
	}
	maps.DeleteFunc(s.sites, func(_ fairlead.Site, of *slots) bool { return of.idle(now) })
}

// count counts a block, once.
func (s *Seen) count(now time.Time, b *fairlead.Block) {
	of := s.sites[b.Site]
	if of == nil {
		of = &slots{}
		s.sites[b.Site] = of
	}
	if b.Gateway == of.gateway && b.Seq <= of.seq {
		return
	}
	of.gateway, of.seq = b.Gateway, b.Seq
	number := slotOf(now)
	at := &of.all[number%slotsKept]
	if at.number != number {
		*at = slot{number: number}
	}
	for i := range b.Cells {
		at.add(&b.Cells[i].Stable)
		at.add(&b.Cells[i].Canary)
	}
}

func (s *slot) add(a *fairlead.Arm) {
	s.requests += uint64(a.Requests)
	s.ended += uint64(a.Ended)
	for _, n := range a.Failed {
		s.failed += uint64(n)
	}
	sum(&s.latency, a.Latency)
}

// newest returns the slots of the newest minute.
func (of *slots) newest(now time.Time) []slot {
	var kept []slot
	for _, one := range of.all {
		if one.number > slotOf(now)-slotsKept {
			kept = append(kept, one)
		}
	}
	return kept
}

func (of *slots) idle(now time.Time) bool { return len(of.newest(now)) == 0 }

// Of returns the newest minute of a site, and whether it is known.
func (s *Seen) Of(site fairlead.Site, now time.Time) (Lately, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	whole := now.Sub(now.Truncate(slotLength)) + (slotsKept-1)*slotLength // the newest slot is not over
	l := Lately{Over: min(now.Sub(s.began), whole)}
	if s.began.IsZero() || now.Sub(s.looked) > seenBreak || l.Over < seenLeast {
		return Lately{}, false
	}
	of := s.sites[site]
	if of == nil {
		return l, true // nobody came
	}
	var latency fairlead.LatencyBuckets
	for _, one := range of.newest(now) {
		l.Requests, l.Ended, l.Failed = l.Requests+one.requests, l.Ended+one.ended, l.Failed+one.failed
		sum(&latency, one.latency)
	}
	total := 0.0
	for _, n := range latency {
		total += float64(n)
	}
	if total > 0 {
		l.P50, l.P99 = quantile(latency, 0.5*total), quantile(latency, 0.99*total)
	}
	return l, true
}
