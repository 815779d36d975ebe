package gateway

import (
	"time"

	"github.com/fairlead/fairlead"
)

// Counter counts requests of one site into blocks by the very rules that a gateway
// has, without serving them: for simulations of traffic. It is safe for concurrent
// use.
type Counter struct{ book *book }

// Arrival says whose evidence a counted request is.
type Arrival struct {
	Rollout  string
	Epoch    uint32
	Canary   bool
	Unit     uint64
	Latency  [3]float64    // the split's thresholds, in milliseconds
	First    [3]float64    // likewise, of the time to the first byte
	Deadline time.Duration // of the first byte
}

// Counted is one counted request. Its methods may be called in any order; times do
// not go back.
type Counted struct{ observed observation }

// NewCounter returns the counter of a site.
func NewCounter(site fairlead.Site) *Counter { return &Counter{newBook(site)} }

// Arrive counts a request that arrives now, in x, which may have been used for one
// that ended before.
func (c *Counter) Arrive(x *Counted, now time.Time, a Arrival) {
	c.book.arrive(&x.observed, now, arrival{
		rollout: a.Rollout, epoch: a.Epoch, canary: a.Canary, unit: a.Unit, hasUnit: true, deadline: a.Deadline,
		limits: limits{a.Latency[0], a.Latency[1], a.Latency[2], a.First[0], a.First[1], a.First[2]},
	})
}

// Close returns blocks of what is new, as a gateway of that boot does after each
// full second.
func (c *Counter) Close(now time.Time, boot string) []fairlead.Block {
	blocks := c.book.close(now, false)
	for i := range blocks {
		blocks[i].Gateway = boot
	}
	return blocks
}

// Fail counts a failure, once a request.
func (x *Counted) Fail(class fairlead.Class) { x.observed.fail(class) }

// FirstByte notes the first byte of the answer; of a stream it is the latency.
func (x *Counted) FirstByte(now time.Time, stream bool) { x.observed.firstByte(now, stream) }

// Report counts a value that the answer reported.
func (x *Counted) Report(name string, value float64) { x.observed.report(signalValue{name, value}) }

// End notes that the request has ended. The caller does not use x for another
// request before that.
func (x *Counted) End(now time.Time) { x.observed.end(now) }
