package rollout

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
	"github.com/fairlead/fairlead/rollout/judge"
)

// Machine is a rollout with its judge: the fold of the rollout's recorded inputs.
// Two machines that took the same inputs are in the same state. A machine is not
// safe for concurrent use.
type Machine struct {
	rollout Rollout
	judge   *judge.Judge      // nil before the first traffic
	seen    map[string]uint64 // newest block taken, by gateway boot
	late    lateReports       // taken
	guards  []GuardState      // of the newest input, recorded or not: for reading only
	waiting int               // likewise
	old     Group             // totals of the newest recorded input
	new     Group
	ends    map[string]int // of the newest recorded input
	at      time.Time      // of the newest recorded input for which instances were looked at
	facts   uint64         // inputs recorded
	digest  fairlead.Digest
	tally   Tally
	report  json.RawMessage // the judge's; nil when it may have changed

	traffic  time.Time      // when blocks brought requests last
	forecast judge.Forecast // the judge's, as of foreseen
	foreseen time.Time

	ahead bool // it took an input that could not be recorded; the engine folds it again
}

// NewMachine returns the machine of a rollout that has just begun.
func NewMachine(r Rollout) *Machine {
	return &Machine{rollout: r, seen: map[string]uint64{}, late: lateReports{}, digest: ledger.FactsStart(r.ID)}
}

// Rollout returns the rollout as of the newest input. The caller must not change
// what it points to.
func (m *Machine) Rollout() Rollout { return m.rollout }

// Facts returns how an entry commits to the inputs recorded so far.
func (m *Machine) Facts() ledger.FactsRef {
	return ledger.FactsRef{Stream: m.rollout.ID, N: m.facts, Digest: m.digest}
}

// Report returns the judge's report, or nil before the first traffic.
func (m *Machine) Report() *judge.Report {
	if m.judge == nil {
		return nil
	}
	report := m.judge.Report()
	return &report
}

// encodedReport returns the report as JSON, or nil.
func (m *Machine) encodedReport() json.RawMessage {
	if m.judge != nil && m.report == nil {
		m.report, _ = json.Marshal(m.judge.Report()) // of finite numbers and text
	}
	return m.report
}

// Verdict returns the judge's verdict; before the first traffic it is inconclusive.
func (m *Machine) Verdict() fairlead.Verdict {
	if m.judge == nil {
		return fairlead.Verdict{Finding: fairlead.Inconclusive, Needed: 1 / m.rollout.Strategy.Beta}
	}
	return m.judge.Verdict()
}

// Fresh returns the blocks of its site that the machine has not taken yet, oldest
// first. Of those that belong to another rollout, or to none, the judge is told that
// they were there, without their cells: a gateway counts the blocks of a site, and
// what is missing among them is a gap.
func (m *Machine) Fresh(blocks []fairlead.Block) []fairlead.Block {
	var fresh []fairlead.Block
	newest := map[string]uint64{}
	for _, b := range blocks {
		own := b.Rollout == m.rollout.ID
		if b.Site != m.rollout.Site || !own && m.judge == nil || b.Seq <= max(m.seen[b.Gateway], newest[b.Gateway]) {
			continue
		}
		if !own {
			b.Rollout, b.Cells = "", nil
		}
		fresh = append(fresh, b)
		newest[b.Gateway] = b.Seq
	}
	return fresh
}

// Take folds one input, whose blocks are Fresh. When the input matters, recorded
// is its body as the fact to record; otherwise the machine is unchanged, nothing
// was decided and recorded is nil. A caller that cannot commit the fact must drop
// the machine and fold the store's facts again.
func (m *Machine) Take(in Input) (d Decision, recorded []byte, err error) {
	m.look(in)
	if !m.evidential(in) {
		if d = Decide(m.rollout, in, m.Verdict(), m.outlook(in)); d.Kind == "" {
			return d, nil, nil
		}
	}
	recorded, err = json.Marshal(in)
	if err != nil {
		return Decision{}, nil, fmt.Errorf("rollout %s: encode input: %w", m.rollout.ID, err)
	}
	return m.take(in, recorded), recorded, nil
}

// take folds an input that is recorded as body.
func (m *Machine) take(in Input, body []byte) Decision {
	m.look(in)
	if m.evidential(in) {
		m.weigh(in)
	}
	d := Decide(m.rollout, in, m.Verdict(), m.outlook(in))
	m.record(in, body)
	m.become(&d, in)
	return d
}

func (m *Machine) look(in Input) {
	if in.Command == "" {
		m.guards, m.waiting = in.Guards, in.Waiting
	}
}

// evidential reports whether in holds anything that the judge has not seen.
func (m *Machine) evidential(in Input) bool {
	ended := in.New.Restarts != m.new.Restarts || in.Old.Restarts != m.old.Restarts
	return len(in.Blocks)+len(in.Reports) > 0 || m.judge != nil && ended || in.New.OOMKills != m.new.OOMKills
}

func (m *Machine) weigh(in Input) {
	m.report = nil
	for _, b := range in.Blocks {
		m.seen[b.Gateway] = b.Seq
		m.tally.add(b)
		if m.judge != nil {
			m.judge.Observe(b)
		}
	}
	m.late.take(in.Reports)
	if m.judge == nil {
		return
	}
	m.judge.Late(in.Reports)
	m.judge.Restarts(judge.Restarts{Stable: growth(m.old, in.Old), Canary: growth(m.new, in.New)})
	m.foresee(in)
}

func growth(before, after Group) judge.ArmRestarts {
	return judge.ArmRestarts{
		Restarts:       max(0, after.Restarts-before.Restarts),
		ReplicaSeconds: max(0, after.Seconds-before.Seconds),
	}
}

func (t *Tally) add(b fairlead.Block) {
	for _, c := range b.Cells {
		t.Stable.add(c.Stable)
		t.Canary.add(c.Canary)
	}
}

func (t *ArmTally) add(a fairlead.Arm) {
	t.Requests += uint64(a.Requests)
	for _, n := range a.Failed {
		t.Failed += uint64(n)
	}
}

func (m *Machine) record(in Input, body []byte) {
	m.facts++
	m.digest = ledger.FactsNext(m.digest, body)
	m.old, m.new, m.ends = in.Old, in.New, in.Ends
	if in.Command == "" { // else nobody looked: they are as they were
		m.at = in.Now
	}
}

// become takes over what was decided and tells the judge of a new step.
func (m *Machine) become(d *Decision, in Input) {
	if d.Kind == "" {
		return
	}
	before := m.rollout
	if report := m.encodedReport(); report != nil {
		d.Rollout.Evidence = report
	}
	d.Rollout.Tally = m.tally
	m.rollout, m.report = d.Rollout, nil
	r := m.rollout
	if r.Phase == Ended {
		m.judge = nil // it has no more to say
	}
	if m.judge == nil && r.Phase != Ended && !r.FirstTraffic.IsZero() && r.From > 0 && r.Kind == Forward && !r.Exclusive {
		m.judge = judge.New(judgeConfig(r))
	}
	if m.judge == nil {
		return
	}
	switch {
	case r.Epoch != before.Epoch && (r.Weight > 0 || r.Mirroring()):
		m.judge.Step(r.Epoch, r.Weight, r.Strategy.Warmup.D())
		m.forecast = m.judge.Forecast()
	case d.Kind == explained:
		m.judge.Explain()
	case before.Held == HeldLease || before.Held == HeldPaused && r.Held == "":
		m.judge.Interrupt("resumed")
	}
}

func judgeConfig(r Rollout) judge.Config {
	return judge.Config{
		Alpha:          r.Strategy.Alpha,
		Beta:           r.Strategy.Beta,
		Tolerance:      r.Strategy.Tolerance,
		MarginRatio:    r.Strategy.Margin.Ratio,
		MarginAbsolute: r.Strategy.Margin.Absolute,
		Latency:        r.Thresholds[2] > 0,
		First:          r.First[2] > 0,
		Adaptive:       r.Strategy.Adaptive != nil,
		Reported:       reported(r),
		Mirror:         r.Strategy.Mirror != nil,
	}
}

// reported returns what the strategy declares as the judge knows it.
func reported(r Rollout) []judge.Reported {
	var all []judge.Reported
	for _, s := range r.Strategy.Signals {
		all = append(all, judge.Reported{
			Name: s.Name, Kind: s.Kind, Protected: s.Protect != nil && *s.Protect,
			MarginRatio: s.Margin.Ratio, MarginAbsolute: s.Margin.Absolute, Thresholds: r.Amounts[s.Name],
		})
	}
	return all
}
