package judge

import (
	"math"
	"math/bits"
	"slices"
)

// settled passes reports on to evidence of safety once no more of their moment are
// to be expected, in the order of their requests' arrival. Reports that come early
// may be the good ones, as cells that end early are those without timeouts.
//
// A second of arrival is settled when all requests up to it have ended and it is older
// than the signal's usual delay: all but one in a thousand of the reports so far came
// sooner than that. It is a minute at least where reports come by themselves, because
// in a rollout's first seconds only quick ones can have come. What comes later still
// counts for harm, and never for safety. Nobody can know of delays that are longer
// than anything seen so far: Reported.Delay says what is known beforehand, and a step
// should last longer than its graders take.
//
// What waits is bounded by number, whatever it says and of whichever arm: beyond it
// reports are left out of safety until some are settled.
type settled struct {
	waiting []arrivals // by second, oldest first
	spare   []record   // memory for the next second
	out     []record   // what next returned
	held    int        // reports that wait
	until   int64      // newest settled second
	delays  [64]int    // reports of the rollout, by bits of their delay in seconds
	came    int        // their number
	least   int64      // seconds that are waited where reports come by themselves
}

// newSettled returns an empty queue that waits for at least so many seconds.
func newSettled(least int64) settled {
	return settled{until: math.MinInt64, least: max(leastPatience, least)}
}

// afresh forgets what waits; delays stay known.
func (s *settled) afresh() {
	s.waiting, s.held, s.until = nil, 0, math.MinInt64
}

// delay notes how long a report took.
func (s *settled) delay(seconds int64) {
	s.delays[bits.Len64(uint64(max(0, seconds)))]++
	s.came++
}

// leastPatience is the least delay of reports that come by themselves, in seconds.
const leastPatience = 60

// usual returns seconds within which all but one in a thousand reports came, rounded
// up to a power of 2.
func (s *settled) usual() int64 {
	left := s.came - s.came/1000
	for i, n := range s.delays {
		if left -= n; left <= 0 {
			if i == 0 {
				return 0
			}
			return max(s.least, int64(1)<<i-1)
		}
	}
	return 0
}

// add takes a report that may count for safety.
func (s *settled) add(second int64, r record) {
	if second <= s.until || s.held >= remembered {
		return
	}
	s.held++
	i := len(s.waiting)
	for i > 0 && s.waiting[i-1].second > second {
		i--
	}
	if i == 0 || s.waiting[i-1].second < second {
		s.waiting = slices.Insert(s.waiting, i, arrivals{second, s.spare[:0]})
		s.spare = nil
		i++
	}
	at := &s.waiting[i-1]
	at.records = append(at.records, r)
}

// next returns the reports of seconds that are settled now: ended is the newest second
// up to which all requests have ended. They are valid until the next call.
func (s *settled) next(ended, now int64) []record {
	until := min(ended, now-s.usual())
	if s.came == 0 || until <= s.until {
		return nil
	}
	s.until = until
	if s.out = s.out[:0]; cap(s.out) > spareMost {
		s.out = nil
	}
	settled := 0
	for ; settled < len(s.waiting) && s.waiting[settled].second <= until; settled++ {
		s.spare = s.waiting[settled].records
		s.out = append(s.out, s.spare...)
	}
	if cap(s.spare) > spareMost {
		s.spare = nil
	}
	s.held -= len(s.out)
	s.waiting = slices.Delete(s.waiting, 0, settled)
	return s.out
}

// spareMost is for how many records memory is kept to serve again.
const spareMost = 1024

// arrivals are the reports that wait of requests that arrived in one second.
type arrivals struct {
	second  int64
	records []record
}
