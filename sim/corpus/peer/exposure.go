package peer

import (
	"time"

	"github.com/fairlead/fairlead/sim/corpus"
)

// exposure keeps the units of a feature flag's A/B test: those on the new release, and
// as many of the others as its control; the rest does not take part. A unit that moves
// from the control to the new release leaves the control with all it did.
type exposure struct {
	sticky, reports bool
	share, before   float64 // of units that take part, now and until since
	since           time.Duration
	place           [2]map[uint64]int32 // of a unit in records
	records         [2][]unitRecord
	arms            [2]armSums
}

// unitRecord is what a unit showed since its exposure.
type unitRecord struct {
	requests             float64
	latency, first, cost float64 // sums
	seen                 [4]bool // a failure, a wrong answer, a refusal, a malformed tool call
}

// The guardrails; those of an application that reports nothing come first.
const (
	railFailed = iota
	railLatency
	railWrong
	railRefused
	railTool
	railFirst
	railCost
	allRails
)

// guardrails returns the names of those that are watched, by index.
func (e *exposure) guardrails() []string {
	names := []string{
		"share of units with a failure", "mean latency", "share of units with a wrong answer",
		"share of units with a refusal", "share of units with a malformed tool call",
		"mean time to the first byte", "mean cost",
	}
	if !e.reports {
		return names[:railWrong]
	}
	return names
}

// sums are those of a metric over the units of an arm.
type sums struct{ n, sum, squares float64 }

func (s sums) mean() float64 { return s.sum / s.n }

func (s sums) variance() float64 { return max(0, (s.squares-s.sum*s.sum/s.n)/(s.n-1)) }

// armSums are the sums of all metrics over the units of an arm.
type armSums struct {
	units   float64
	metrics [allRails]struct{ sum, squares float64 }
}

func (a *armSums) of(rail int) sums {
	return sums{a.units, a.metrics[rail].sum, a.metrics[rail].squares}
}

func newExposure(start corpus.Start) *exposure {
	e := &exposure{sticky: start.Sticky, reports: start.Reports}
	for i := range e.place {
		e.place[i] = map[uint64]int32{}
	}
	return e
}

// widen sets the share of units that take part from now on.
func (e *exposure) widen(share float64, now time.Duration) {
	if share != e.share {
		e.share, e.before, e.since = share, e.share, now
	}
}

// observe takes the requests that ended in a second in.
func (e *exposure) observe(s *corpus.Second) {
	for i := range s.Ended {
		r := &s.Ended[i]
		if !e.takesPart(r) {
			continue
		}
		if !e.sticky {
			e.arms[arm(r)].add(&unitRecord{}, r)
			continue
		}
		e.arms[arm(r)].add(e.record(arm(r), r.Unit), r)
	}
}

// record returns what is known of a unit of an arm, nothing if it is new there.
func (e *exposure) record(arm int, unit uint64) *unitRecord {
	place, known := e.place[arm][unit]
	if !known {
		place = int32(len(e.records[arm]))
		e.place[arm][unit] = place
		e.records[arm] = append(e.records[arm], unitRecord{})
		if arm == corpus.Canary {
			e.move(unit)
		}
	}
	return &e.records[arm][place]
}

// takesPart reports whether a request's unit was exposed when it arrived.
func (e *exposure) takesPart(r *corpus.Request) bool {
	if r.Canary {
		return true
	}
	share := e.share
	if r.At < e.since {
		share = e.before
	}
	return controlHash(r.Unit) < share/2/(1-share/2)
}

// controlHash spreads units evenly over [0, 1), independently of the assignment
// (the finaliser of SplitMix64: Steele, Lea & Flood, OOPSLA 2014).
func controlHash(unit uint64) float64 {
	unit += 0x9e3779b97f4a7c15
	unit = (unit ^ unit>>30) * 0xbf58476d1ce4e5b9
	unit = (unit ^ unit>>27) * 0x94d049bb133111eb
	return float64((unit^unit>>31)>>11) / (1 << 53)
}

// move takes a unit that is on the new release now out of the control.
func (e *exposure) move(unit uint64) {
	if place, there := e.place[corpus.Stable][unit]; there {
		delete(e.place[corpus.Stable], unit)
		e.arms[corpus.Stable].units--
		e.arms[corpus.Stable].put(&e.records[corpus.Stable][place], -1)
	}
}

// add counts a request of a unit, and brings its record up to date.
func (a *armSums) add(u *unitRecord, r *corpus.Request) {
	if u.requests == 0 {
		a.units++
	} else {
		a.put(u, -1)
	}
	u.requests++
	u.latency += r.Latency.Seconds()
	u.first += r.First.Seconds()
	u.cost += float64(r.Cost)
	for i, shows := range [4]bool{r.Failed(), r.Wrong, r.Refused, r.BadTool} {
		u.seen[i] = u.seen[i] || shows
	}
	a.put(u, 1)
}

// put adds a unit's values to the sums, or takes them off with -1.
func (a *armSums) put(u *unitRecord, times float64) {
	for rail, value := range u.values() {
		a.metrics[rail].sum += times * value
		a.metrics[rail].squares += times * value * value
	}
}

// values returns a unit's value of each guardrail.
func (u *unitRecord) values() [allRails]float64 {
	var v [allRails]float64
	v[railFailed], v[railWrong] = indicator(u.seen[0]), indicator(u.seen[1])
	v[railRefused], v[railTool] = indicator(u.seen[2]), indicator(u.seen[3])
	v[railLatency], v[railFirst], v[railCost] = u.latency/u.requests, u.first/u.requests, u.cost/u.requests
	return v
}
