package gateway

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
)

// book counts a site's requests in cells and closes blocks of what is new. The
// rules are those of [fairlead.Block]: an outcome belongs to the cell in which
// its request arrived, and a unit counts once a cell and signal. It is safe for
// concurrent use.
type book struct {
	site fairlead.Site

	mu    sync.Mutex
	clock cellClock
	seq   uint64
	cells map[cellKey]*cell // not complete
	dirty []*cell           // with something new, complete ones too
	pairs []*pairing        // not known
	open  observation       // head of the ring of those that are not over, oldest first
}

type cellKey struct {
	rollout string
	second  int64
	epoch   uint32
}

type cell struct {
	cellKey
	arms     [2]armCount                // stable, canary
	open     int                        // observations that are not over, and pairs that are not known
	pairs    map[string][]fairlead.Pair // new ones
	complete bool
	dirty    bool
}

// armCount is what is new of an arm, and what was counted before.
type armCount struct {
	fresh fairlead.Arm
	units map[uint64]struct{}
	hits  [fairlead.Signals]map[uint64]struct{}
	names map[string]struct{} // of reported signals
}

// namesMost is how many reported signals an arm of a cell can have, so that no
// instance fills the memory with names. One arm's do not crowd out the other's.
const namesMost = 16

// streamAwaited is how long the end of a stream is awaited before its cell completes
// without it. Most breaks, and most trailers, come sooner, and no evidence of safety
// goes by an answer of which only the first byte is known.
const streamAwaited = 30 * time.Second

// limits are what a request may take in milliseconds before it hits SlowP50 to
// FirstP99, in their order: three latencies, then three times to the first byte. 0
// is not known.
type limits [6]float64

// arrival says whose evidence a request is.
type arrival struct {
	rollout  string
	epoch    uint32
	canary   bool
	unit     uint64
	hasUnit  bool // false without a rollout
	limits   limits
	deadline time.Duration // of the first byte
}

// observation is one counted request. Its methods may be called in any order and
// more than once; nil is a request that is not counted.
type observation struct {
	book *book
	cell *cell
	arrival
	start   time.Time
	first   time.Duration // to the first byte; negative before it
	settled bool          // its latency is counted
	failed  bool
	passed  [len(limits{})]bool

	before, after *observation // in the book's ring, until it is over
}

func newBook(site fairlead.Site) *book {
	b := &book{site: site, cells: map[cellKey]*cell{}}
	b.open.before, b.open.after = &b.open, &b.open
	return b
}

// arrive counts a request that arrives now, in o.
func (b *book) arrive(o *observation, now time.Time, a arrival) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := cellKey{rollout: a.rollout, second: b.clock.second(now), epoch: a.epoch}
	c := b.cells[key]
	if c == nil {
		c = &cell{cellKey: key}
		b.cells[key] = c
	}
	*o = observation{book: b, cell: c, arrival: a, start: now, first: -1, before: b.open.before, after: &b.open}
	o.before.after, o.after.before = o, o
	c.open++
	arm := o.arm()
	arm.fresh.Requests++
	if a.hasUnit && addTo(&arm.units, a.unit) {
		arm.fresh.Units = append(arm.fresh.Units, a.unit)
	}
	b.touch(c)
}

// fail counts a failure, once a request.
func (o *observation) fail(class fairlead.Class) {
	if o == nil {
		return
	}
	o.book.mu.Lock()
	defer o.book.mu.Unlock()
	if o.failed {
		return
	}
	o.failed = true
	o.arm().fresh.Failed[class]++
	o.hit(fairlead.Failures)
	o.book.touch(o.cell)
}

// report counts a value that the answer reported, also when its cell is complete:
// the trailer of a stream may come much later. It reports whether there is room.
func (o *observation) report(s signalValue) bool {
	if o == nil {
		return true
	}
	o.book.mu.Lock()
	defer o.book.mu.Unlock()
	arm := o.arm()
	if _, known := arm.names[s.name]; !known && len(arm.names) == namesMost {
		return false
	}
	addTo(&arm.names, s.name)
	if arm.fresh.Reports == nil {
		arm.fresh.Reports = map[string]fairlead.Reports{}
	}
	arm.fresh.Reports[s.name] = append(arm.fresh.Reports[s.name], fairlead.Report{Unit: o.unit, Value: s.value})
	o.book.touch(o.cell)
	return true
}

// firstByte notes the first byte of the answer, which is a stream's latency.
func (o *observation) firstByte(now time.Time, stream bool) {
	if o == nil {
		return
	}
	o.book.mu.Lock()
	defer o.book.mu.Unlock()
	if o.first < 0 {
		o.first = now.Sub(o.start)
	}
	if stream {
		o.settle(o.first)
	}
}

// end notes that the request has ended.
func (o *observation) end(now time.Time) {
	if o == nil {
		return
	}
	o.book.mu.Lock()
	defer o.book.mu.Unlock()
	o.settle(now.Sub(o.start))
	o.conclude()
}

// The methods below need the book's lock.

func (o *observation) arm() *armCount {
	if o.canary {
		return &o.cell.arms[1]
	}
	return &o.cell.arms[0]
}

// settle counts the latency of a request, once.
func (o *observation) settle(latency time.Duration) {
	if o.settled {
		return
	}
	o.settled = true
	o.exceed(latency)
	arm := o.arm()
	arm.fresh.Ended++
	arm.fresh.Latency[bucketOf(latency)]++
	if o.first >= 0 {
		arm.fresh.First[bucketOf(o.first)]++
	}
	o.book.touch(o.cell)
}

// conclude lets the cell complete, once: what may still come of the request comes in
// a cell that is complete.
func (o *observation) conclude() {
	if o.before == nil {
		return
	}
	o.before.after, o.after.before = o.after, o.before
	o.before, o.after = nil, nil
	o.cell.open--
	o.book.touch(o.cell)
}

// awaited is how long an answer that has begun is waited for.
func (o *observation) awaited() time.Duration {
	if o.settled {
		return min(o.deadline, streamAwaited)
	}
	return o.deadline
}

// exceed counts the limits that a latency of at least d has passed; before its first
// byte, a request waits for that as long as for its end.
func (o *observation) exceed(d time.Duration) {
	for i, limit := range o.limits {
		s, took := fairlead.SlowP50+fairlead.Signal(i), d
		if s >= fairlead.FirstP50 && o.first >= 0 {
			took = o.first
		}
		if limit > 0 && !o.passed[i] && milliseconds(took) > limit {
			o.passed[i] = true
			o.hit(s)
			o.book.touch(o.cell)
		}
	}
}

func (o *observation) hit(s fairlead.Signal) {
	arm := o.arm()
	if o.hasUnit && addTo(&arm.hits[s], o.unit) {
		arm.fresh.Hits[s] = append(arm.fresh.Hits[s], o.unit)
	}
}

func (b *book) touch(c *cell) {
	if !c.dirty {
		c.dirty = true
		b.dirty = append(b.dirty, c)
	}
}

// close returns blocks of what is new, one for each rollout, oldest cells first;
// none when nothing is new. A final close always ends a boot that had blocks with
// a Final one. The caller fills in Gateway.
func (b *book) close(now time.Time, final bool) []fairlead.Block {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pass(now, final)
	slices.SortStableFunc(b.dirty, func(x, y *cell) int {
		return cmp.Or(cmp.Compare(x.second, y.second), cmp.Compare(x.epoch, y.epoch), cmp.Compare(x.rollout, y.rollout))
	})
	var blocks []fairlead.Block
	for _, c := range b.dirty {
		i := slices.IndexFunc(blocks, func(k fairlead.Block) bool { return k.Rollout == c.rollout })
		if i < 0 {
			i = len(blocks)
			blocks = append(blocks, fairlead.Block{Rollout: c.rollout})
		}
		blocks[i].Cells = append(blocks[i].Cells, c.take())
	}
	b.dirty = nil
	if final && len(blocks) == 0 && b.seq > 0 {
		blocks = []fairlead.Block{{Cells: []fairlead.Cell{}}}
	}
	for i := range blocks {
		b.seq++
		blocks[i].Site, blocks[i].Seq, blocks[i].At = b.site, b.seq, now.UnixMilli()
		blocks[i].Final = final && i == len(blocks)-1
	}
	return blocks
}

// pass counts what passed by time alone: thresholds, deadlines, seconds.
func (b *book) pass(now time.Time, final bool) {
	for o, next := b.open.after, (*observation)(nil); o != &b.open; o = next {
		next = o.after // conclude takes o out
		age := now.Sub(o.start)
		if !o.settled {
			o.exceed(age)
		}
		if o.first >= 0 && age >= o.awaited() {
			o.settle(age)
			o.conclude()
		}
	}
	b.passPairs(now)
	current := b.clock.second(now)
	for key, c := range b.cells {
		if c.open == 0 && (key.second < current || final) {
			c.complete = true
			b.touch(c)
			delete(b.cells, key)
		}
	}
}

// take returns what is new of c and begins anew.
func (c *cell) take() fairlead.Cell {
	out := fairlead.Cell{
		Second: c.second, Epoch: c.epoch, Complete: c.complete,
		Stable: c.arms[0].fresh, Canary: c.arms[1].fresh, Mirrored: c.pairs,
	}
	c.pairs = nil
	c.arms[0].fresh, c.arms[1].fresh = fairlead.Arm{}, fairlead.Arm{}
	c.dirty = false
	return out
}

// cellClock gives the Unix second of an arrival. It never goes back, whatever
// the wall clock does, so that a second is never opened again: it follows the
// monotonic clock, and the wall clock where that is ahead.
type cellClock struct {
	base time.Time
	last int64
}

func (c *cellClock) second(now time.Time) int64 {
	if c.base.IsZero() {
		c.base = now
	}
	steady := time.Unix(0, c.base.UnixNano()).Add(now.Sub(c.base))
	if now.UnixNano() > steady.UnixNano() {
		c.base, steady = now, now
	}
	c.last = max(c.last, steady.Unix())
	return c.last
}

// addTo adds to a set, and reports whether it was not in it.
func addTo[K comparable](set *map[K]struct{}, k K) bool {
	if *set == nil {
		*set = map[K]struct{}{}
	}
	before := len(*set)
	(*set)[k] = struct{}{}
	return len(*set) > before
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// bucketOf returns the bucket of a latency: the first whose bound is not less.
func bucketOf(d time.Duration) int {
	ms := milliseconds(d)
	if ms <= fairlead.BucketBound(0) {
		return 0
	}
	last := len(fairlead.LatencyBuckets{}) - 1
	i := min(int(math.Log(ms/fairlead.BucketBound(0))/math.Log(1.25)), last) // the bound's inverse, up to rounding
	for i > 0 && ms <= fairlead.BucketBound(i-1) {
		i--
	}
	for i < last && ms > fairlead.BucketBound(i) {
		i++
	}
	return i
}
