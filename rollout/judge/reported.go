package judge

import (
	"math"

	"github.com/fairlead/fairlead"
)

// moment is when a report's request arrived, and when the report came.
type moment struct {
	epoch  uint32
	second int64
	now    int64 // newest second of cells
	late   bool  // it came by itself, after the request's cell
	safe   bool  // it may count for safety in this step
}

// delay returns the seconds that the report took after its request had ended.
func (m moment) delay() int64 {
	if !m.late {
		return 0 // the cell's completeness stands for it
	}
	return max(0, m.now-m.second)
}

// window returns when the request arrived.
func (m moment) window() window { return window{m.epoch, m.second / windowSeconds} }

// reported is the evidence of a declared signal. Its unit counts with its first
// report, for each onset and for safety in each step. Later reports of the unit are
// left out, since graders may look more often at one arm than at the other: a unit of
// which more answers are judged would sooner have a bad one among them, and the arm
// that is judged more would sooner run out of units that are prone to fail.
type reported struct {
	spec     Reported
	readings []*reading
	onset    int // number of the newest
	once     once
	blocks   reportBlocks

	queue  settled
	counts roster      // units that count in this step
	block  reportBlock // takes settled reports
}

func newReported(spec Reported, tolerance float64) *reported {
	r := &reported{spec: spec, readings: newReadings(spec, tolerance), queue: newSettled(int64(spec.Delay.Seconds()))}
	r.afresh()
	return r
}

// afresh forgets all evidence of safety.
func (r *reported) afresh() {
	r.queue.afresh()
	r.counts, r.block = roster{}, reportBlock{}
	for _, v := range r.readings {
		v.safe = v.proof()
	}
}

// begin begins an onset.
func (r *reported) begin() {
	full := r.once.full()
	for _, v := range r.readings {
		v.harm.begin(full)
	}
	r.onset++
}

// take takes a value of the signal's range.
func (r *reported) take(m moment, arm uint8, unit uint64, value float64) {
	rec := record{unit: unit, arm: arm, value: value, span: r.once.take(unit, r.onset)}
	if rec.span.after < rec.span.until {
		r.blocks.add(m.window(), m.now, rec)
	}
	if rec.span.first() {
		for _, v := range r.readings {
			v.count(rec)
		}
	}
	r.queue.delay(m.delay())
	if m.safe && r.spec.Protected {
		r.queue.add(m.second, rec)
	}
}

// judge takes the test blocks that are over as evidence of harm.
func (r *reported) judge(now int64) {
	for _, b := range r.blocks.close(now, r.queue.usual()) {
		for _, v := range r.readings {
			v.judge(b.records)
		}
	}
}

// settle takes what is settled now as evidence of safety.
func (r *reported) settle(ended, now int64) {
	for _, rec := range r.queue.next(ended, now) {
		if r.counts.add(rec.unit) {
			if len(r.block.records) == 0 {
				r.block.opened = now
			}
			rec.span = span{-1, 0}
			r.block.records = append(r.block.records, rec)
		}
	}
	if len(r.block.records) > 0 && r.block.over(now, patience) {
		for _, v := range r.readings {
			v.safe.take(sample{r.block.records, 0, v.bad})
		}
		r.block.records = r.block.records[:0]
	}
}

// valid reports whether a value is in the range of a kind.
func valid(kind string, value float64) bool {
	switch kind {
	case fairlead.KindFailure, fairlead.KindSuccess:
		return value == 0 || value == 1
	case fairlead.KindScore, fairlead.KindPreference:
		return value >= 0 && value <= 1
	}
	return value >= 0 && !math.IsInf(value, 1)
}

// Ignored counts reports that are no evidence.
type Ignored struct {
	Undeclared int `json:"undeclared,omitempty"` // of a signal that the strategy does not declare
	Invalid    int `json:"invalid,omitempty"`    // not a number, or out of the signal's range
	Other      int `json:"other,omitempty"`      // of another rollout's traffic, of a mirrored request without its pair, or a preference without a mirrored request
}

// reports is the way of reports and mirrored pairs to evidence.
type reports struct {
	declared []*reported
	pairs    []*pairs
	ended    int64 // second of the newest cell up to which all have ended
	ignored  Ignored
}

func newReports(c Config) reports {
	r := reports{ended: math.MinInt64}
	if c.Mirror {
		p := newPairs(fairlead.Failures.String(), fairlead.KindFailure, c.Tolerance, margins{c.MarginRatio, c.MarginAbsolute})
		r.pairs = append(r.pairs, p)
	}
	for _, spec := range c.Reported {
		r.declared = append(r.declared, newReported(spec, c.Tolerance))
		if c.Mirror {
			p := newPairs(spec.Name, spec.Kind, c.Tolerance, margins{spec.MarginRatio, spec.MarginAbsolute})
			p.never, p.always = true, spec.Kind == fairlead.KindPreference && spec.Protected
			r.pairs = append(r.pairs, p)
		}
	}
	return r
}

// signal returns the evidence of a name, or nil.
func (r *reports) signal(name string) *reported {
	for _, s := range r.declared {
		if s.spec.Name == name {
			return s
		}
	}
	return nil
}

// pair returns the mirrored evidence of a name, or nil.
func (r *reports) pair(name string) *pairs {
	for _, p := range r.pairs {
		if p.name == name {
			return p
		}
	}
	return nil
}

// afresh forgets all evidence of safety.
func (r *reports) afresh() {
	r.ended = math.MinInt64
	for _, s := range r.declared {
		s.afresh()
	}
	for _, p := range r.pairs {
		p.afresh()
	}
}

// begin begins an onset.
func (r *reports) begin() {
	for _, s := range r.declared {
		s.begin()
	}
	for _, p := range r.pairs {
		p.begin()
	}
}

// reboot forgets how far seconds are settled: another gateway's clock may be behind.
func (r *reports) reboot() {
	for _, s := range r.declared {
		s.queue.until = math.MinInt64
	}
	for _, p := range r.pairs {
		p.queue.until = math.MinInt64
	}
}

// judge takes as evidence what the newest reports completed.
func (r *reports) judge(now int64) {
	for _, s := range r.declared {
		s.judge(now)
		s.settle(r.ended, now)
	}
	for _, p := range r.pairs {
		p.settle(r.ended, now)
	}
}

// Late takes reports that came after the cells of their requests were complete. A
// report belongs to the moment in which its request arrived. Late keeps nothing of
// reports; what is no evidence is counted in [Report.Ignored].
func (j *Judge) Late(late []fairlead.LateReport) {
	if len(late) == 0 {
		return
	}
	for _, r := range late {
		j.late(r)
	}
	j.reports.judge(j.newest)
	j.conclude()
}

func (j *Judge) late(r fairlead.LateReport) {
	ignored := &j.reports.ignored
	s := j.reports.signal(r.Signal)
	switch {
	case s == nil:
		ignored.Undeclared++
		return
	case !valid(s.spec.Kind, r.Value):
		ignored.Invalid++
		return
	case !j.begun || r.Epoch < j.first || r.Epoch > j.epoch:
		ignored.Other++
		return
	}
	m := j.moment(r.Epoch, r.Second)
	m.late = true
	pair := j.reports.pair(r.Signal)
	switch preference := s.spec.Kind == fairlead.KindPreference; {
	case r.Mirrored && preference && pair != nil:
		pair.take(m, r.Unit, 1-2*r.Value)
	case r.Mirrored && r.Canary || preference: // half a pair
		ignored.Other++
	default:
		s.take(m, armOf(r.Canary), r.Unit, r.Value)
	}
}

func armOf(isCanary bool) uint8 {
	if isCanary {
		return canary
	}
	return stable
}

func (j *Judge) moment(epoch uint32, second int64) moment {
	return moment{epoch: epoch, second: second, now: j.newest, safe: epoch == j.epoch && second >= j.from}
}

// reportsOf takes what a cell's requests reported at once, or late in a trailer, and
// its mirrored requests.
func (j *Judge) reportsOf(c *fairlead.Cell, late bool) {
	m := j.moment(c.Epoch, c.Second)
	m.late = late
	for arm, values := range [2]map[string]fairlead.Reports{c.Stable.Reports, c.Canary.Reports} {
		known := 0
		for _, s := range j.reports.declared { // in the order of declaration, so that a replay is the same
			all, reported := values[s.spec.Name]
			if !reported {
				continue
			}
			known++
			for _, one := range all {
				j.atOnce(s, m, uint8(arm), one)
			}
		}
		if known < len(values) {
			j.reports.undeclared(values)
		}
	}
	for _, p := range j.reports.pairs {
		for _, one := range c.Mirrored[p.name] {
			if valid(p.kind, one.Stable) && valid(p.kind, one.Canary) && p.kind != fairlead.KindPreference {
				p.take(m, one.Unit, p.worse(one.Stable, one.Canary))
			} else {
				j.reports.ignored.Invalid++
			}
		}
	}
}

func (j *Judge) atOnce(s *reported, m moment, arm uint8, one fairlead.Report) {
	switch {
	case !valid(s.spec.Kind, one.Value):
		j.reports.ignored.Invalid++
	case s.spec.Kind == fairlead.KindPreference:
		j.reports.ignored.Other++
	default:
		s.take(m, arm, one.Unit, one.Value)
	}
}

// undeclared counts the values whose signal is not declared. The signal that makes a
// request a failure needs no declaration.
func (r *reports) undeclared(values map[string]fairlead.Reports) {
	for name, all := range values { // a sum: the order does not matter
		if name != fairlead.ErrorSignal && r.signal(name) == nil {
			r.ignored.Undeclared += len(all)
		}
	}
}
