package peer

import (
	"time"

	"github.com/fairlead/fairlead/sim/corpus"
)

// sign is something that a request can show and that may be worse in a new release.
// Those from signFirst on are known only where the application reports them.
type sign int

const (
	signFailed  sign = iota
	signLate         // slower than the old release's median before the rollout
	signSlow         // slower than a bound, in most peers the old release's 99th percentile
	signFirst        // first byte later than the old release's median
	signWrong        // a wrong answer
	signRefused      // a refusal
	signTool         // a malformed tool call
	signDear         // dearer than the old release's median
	allSigns
)

// String returns the sign's name.
func (s sign) String() string {
	return [...]string{
		"failures", "latency over the old median", "latency over the bound", "first byte over the old median",
		"wrong answers", "refusals", "malformed tool calls", "cost over the old median",
	}[s]
}

// signsOf returns how many signs, from the first on, are to be seen.
func signsOf(start corpus.Start) sign {
	if start.Reports {
		return allSigns
	}
	return signFirst
}

// counters are the counters of one release, as a service mesh and the application
// export them. They count requests when they end. Timeouts and resets count as
// failures, although a mesh that reports at the server's side does not see them all.
type counters struct {
	total float64
	signs [allSigns]float64
}

func (c counters) minus(earlier counters) counters {
	c.total -= earlier.total
	for i := range c.signs {
		c.signs[i] -= earlier.signs[i]
	}
	return c
}

// bounds are what the counters of latency and cost compare with.
type bounds struct {
	late, slow, first time.Duration
	dear              float32
	reports           bool
}

// newBounds returns the bounds of the old release's own traffic, but with the given
// one for slow requests.
func newBounds(start corpus.Start, slow time.Duration) bounds {
	return bounds{
		late:    quantile(start.History, 0.5, start.Deadline, latency),
		slow:    slow,
		first:   quantile(start.History, 0.5, start.Deadline, firstByte),
		dear:    quantile(start.History, 0.5, 0, cost),
		reports: start.Reports,
	}
}

// ownBounds returns bounds whose slow one is the old release's 99th percentile.
func ownBounds(start corpus.Start) bounds {
	return newBounds(start, quantile(start.History, 0.99, start.Deadline, latency))
}

// count adds a request that ended.
func (b *bounds) count(c *counters, r *corpus.Request) {
	c.total++
	c.add(signFailed, r.Failed())
	c.add(signLate, r.Latency > b.late)
	c.add(signSlow, r.Latency > b.slow)
	if b.reports {
		c.add(signFirst, r.First > b.first)
		c.add(signWrong, r.Wrong)
		c.add(signRefused, r.Refused)
		c.add(signTool, r.BadTool)
		c.add(signDear, r.Cost > b.dear)
	}
}

func (c *counters) add(s sign, shows bool) {
	if shows {
		c.signs[s]++
	}
}

// limits are the shares of answers that may be wrong, refused or malformed: a metric
// of the team's own for tools that have thresholds. A limit of 0 is none.
type limits [allSigns]float64

// newLimits returns times the old release's own shares before the rollout, where the
// application reports them; no limits if times is 0.
func newLimits(start corpus.Start, times float64) limits {
	var l limits
	if !start.Reports || times == 0 || len(start.History) == 0 {
		return l
	}
	var before counters
	b := newBounds(start, start.Deadline)
	for i := range start.History {
		b.count(&before, &start.History[i])
	}
	for s := signWrong; s <= signTool; s++ {
		l[s] = times * max(before.signs[s], 1) / before.total
	}
	return l
}

// fewestBad answers are needed to break a limit, so that two refusals in a minute are
// no alarm.
const fewestBad = 10

// broken returns a sign that is over its limit, and false if there is none.
func (l *limits) broken(seen counters) (sign, bool) {
	for s := signWrong; s <= signTool; s++ {
		if l[s] > 0 && seen.signs[s] >= fewestBad && seen.signs[s] > l[s]*seen.total {
			return s, true
		}
	}
	return 0, false
}
