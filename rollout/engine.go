package rollout

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway/trace"
)

// Engine holds all rollouts and is the only writer of their rows. Its methods
// record before they answer, and are safe for concurrent use.
type Engine struct {
	store  Store
	now    func() time.Time
	random io.Reader

	mu       sync.Mutex
	live     map[fairlead.Site]Live
	machines map[string]*Machine // of the current rollouts, by id; see current
	newest   map[fairlead.Site]string
	traces   map[trace.ID]string // which of the rollouts that were at hand made a trace
	shifting map[string]uint32   // epochs that the gateway does not have in force yet, by rollout
	changed  chan struct{}       // closed and replaced after each change
}

// Open returns the engine of a store, with every current rollout as its records say.
// random, from which names and salts come, is safe for concurrent use and never
// fails, as crypto/rand.Reader does.
func Open(ctx context.Context, store Store, now func() time.Time, random io.Reader) (*Engine, error) {
	e := &Engine{store: store, now: now, random: random, changed: make(chan struct{})}
	if err := e.load(ctx); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *Engine) load(ctx context.Context) error {
	e.live, e.newest = map[fairlead.Site]Live{}, map[fairlead.Site]string{}
	e.machines, e.traces = map[string]*Machine{}, map[trace.ID]string{}
	lives, err := readRows[Live](ctx, e.store, LiveRow, "")
	if err != nil {
		return err
	}
	began, err := readRows[Rollout](ctx, e.store, BeganRow, "")
	if err != nil {
		return err
	}
	for _, l := range lives {
		e.live[l.Site], e.newest[l.Site] = l, l.Rollout
	}
	if err := e.loadShifts(ctx); err != nil {
		return err
	}
	for _, id := range current(lives, began) {
		r, err := e.stored(ctx, id)
		if err != nil {
			return err
		}
		if e.machines[id], err = e.restore(ctx, r); err != nil {
			return err
		}
		e.traces[trace.IDOf(r.Salt)] = id
	}
	return nil
}

// restore folds the recorded inputs of a rollout that has not ended; one that has
// needs no judge. What was decided is as recorded, also if this version of the
// program would decide otherwise; safety is then proven afresh.
func (e *Engine) restore(ctx context.Context, r Rollout) (*Machine, error) {
	if r.Phase == Ended {
		return &Machine{rollout: r}, nil
	}
	began, err := readRows[Rollout](ctx, e.store, BeganRow, r.ID)
	if err != nil {
		return nil, err
	}
	if len(began) != 1 {
		return nil, fairlead.Errorf(fairlead.Corrupt, "restore rollout "+r.ID, "the state does not hold how it began").
			WithHint("run: fairlead ledger verify")
	}
	m := NewMachine(began[0])
	for fact, err := range e.store.Facts(ctx, r.ID, 1) {
		if err != nil {
			return nil, fmt.Errorf("restore rollout %s: %w", r.ID, err)
		}
		if _, err := m.fold(fact); err != nil {
			return nil, err
		}
	}
	m.agree(r)
	return m, nil
}

// agree takes over the recorded rollout where the fold of its inputs differs.
func (m *Machine) agree(recorded Rollout) {
	if bytes.Equal(row(RolloutRow, "", m.rollout).Value, row(RolloutRow, "", recorded).Value) {
		return
	}
	m.rollout = recorded
	if m.judge != nil {
		m.judge.Step(recorded.Epoch, recorded.Weight, 0)
		m.judge.Interrupt("this version of the program decides otherwise")
	}
}

// fold takes a recorded input. It counts as it is recorded, to the byte: this version
// of the program may write it otherwise, or would not have recorded it.
func (m *Machine) fold(fact fairlead.Fact) (Decision, error) {
	var in Input
	if err := json.Unmarshal(fact.Body, &in); err != nil {
		return Decision{}, fairlead.Errorf(fairlead.Corrupt, "rollout "+m.rollout.ID, "input %d: %w", fact.N, err)
	}
	return m.take(in, fact.Body), nil
}

// Going back needs no gate: the release earned its traffic before. Where one release
// runs at a time, what runs ends first.
func firstPhase(r Rollout) Phase {
	switch {
	case r.Kind == Back && r.Replaces():
		return Clearing
	case r.Kind == Back:
		return Starting
	}
	return Gating
}

func firstStep(k Kind) int {
	if k == Back {
		return 1
	}
	return 0
}

// Beginning is what a new rollout needs.
type Beginning struct {
	Site        fairlead.Site
	Release     int
	Digest      fairlead.Digest
	Environment fairlead.Environment
	Kind        Kind
	By          fairlead.Principal
	Why         fairlead.Sealed // a person's reason, if one was given
	Loosened    []string        // what the release's containers may do beyond the default, in words
	InPlace     bool            // what runs ends first, whatever the strategy says: there is no room for both
}

// Begin starts a rollout. One that is moving at the same site is a conflict; one
// that is only being watched is superseded.
func (e *Engine) Begin(ctx context.Context, b Beginning) (Rollout, error) {
	op := fmt.Sprintf("bring %s@%d to %s", b.Site.App, b.Release, b.Site.Env)
	if !b.By.May(fairlead.Operator) {
		return Rollout{}, fairlead.Errorf(fairlead.Forbidden, op, "this needs the role %s", fairlead.Operator)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	live := e.live[b.Site]
	if m := e.machines[live.Rollout]; m != nil && m.rollout.Phase == Watching && m.rollout.To == b.Release && b.Kind == Forward {
		return m.rollout, nil // it is live and watched already
	}
	if err := roomToShrink(b, live, op); err != nil {
		return Rollout{}, err
	}
	if err := e.supersede(ctx, live, b); err != nil {
		return Rollout{}, err
	}
	r, superseded := newRollout(b, live, e.now().UTC().Round(0), e.random), live.Rollout
	live.Site, live.Rollout = b.Site, r.ID
	if r.From == 0 || r.From == r.To { // nothing else has the traffic
		live.Route, live.Replicas = r.Route, r.Replicas
	}
	live.Exclusive = r.Exclusive // until a release takes over that may run beside another: see settle
	data, err := json.Marshal(r)
	if err != nil {
		return Rollout{}, fmt.Errorf("%s: encode rollout: %w", op, err)
	}
	_, err = e.store.Commit(ctx, fairlead.Change{Entries: []fairlead.Entry{{
		Time: r.Began, Kind: "rollout.began", Site: b.Site, Principal: b.By.ID, Data: data,
		Rows: begunRows(r, live),
	}}})
	if err != nil {
		return Rollout{}, fmt.Errorf("%s: %w", op, err)
	}
	delete(e.machines, superseded) // it has ended
	e.live[b.Site], e.newest[b.Site], e.machines[r.ID] = live, r.ID, NewMachine(r)
	e.traces[trace.IDOf(r.Salt)] = r.ID
	e.signal()
	return r, nil
}

func begunRows(r Rollout, live Live) []fairlead.Row {
	rows := []fairlead.Row{row(RolloutRow, r.ID, r), row(LiveRow, r.Site.String(), live), takenRow(r)}
	if r.Phase != Ended {
		rows = append(rows, row(BeganRow, r.ID, r))
	}
	return rows
}

func (e *Engine) supersede(ctx context.Context, live Live, b Beginning) error {
	m, err := e.machine(ctx, live.Rollout)
	if err != nil || m == nil || m.rollout.Phase == Ended {
		return err
	}
	r := m.rollout
	if r.Phase != Watching {
		return fairlead.Errorf(fairlead.Conflict, fmt.Sprintf("bring %s@%d to %s", b.Site.App, b.Release, b.Site.Env),
			"%s@%d is on its way there (%s)", r.Site.App, r.To, r.Phase).
			WithHint("wait for it, or stop it with: fairlead abort %s --env %s", b.Site.App, b.Site.Env)
	}
	_, err = e.take(ctx, m, Input{Now: e.now(), Command: Supersede}, b.By.ID)
	return err
}

// newRollout returns the rollout of b beside the live release. When that is the
// same one, only replicas and route follow the file, and the rollout has ended.
func newRollout(b Beginning, live Live, now time.Time, random io.Reader) Rollout {
	env := b.Environment
	r := Rollout{
		ID: newID("ro", random), Site: b.Site, Kind: b.Kind, From: live.Stable, To: b.Release, Digest: b.Digest,
		Strategy: env.Strategy, Route: env.Route, Replicas: env.Replicas, OldRoute: live.Route, OldReplicas: live.Replicas,
		Salt: randomBytes(random, 32), Step: firstStep(b.Kind), Began: now,
		Exclusive: live.Exclusive || env.Strategy.Type == fairlead.Replace || b.InPlace,
	}
	r.Weights = stepWeights(env.Strategy, env.Replicas, live.Stable, b.Kind, r.Exclusive)
	if r.Phase = firstPhase(r); r.Phase == Clearing {
		r.StepBegan, r.Replacement = now, &Replacement{Began: now}
	}
	text := fmt.Sprintf("%s@%d is on its way to %s", b.Site.App, b.Release, b.Site.Env)
	if r.From == r.To {
		text = fmt.Sprintf("%s@%d is live in %s already; its replicas and route follow the file", b.Site.App, b.Release, b.Site.Env)
		r.Phase, r.Outcome, r.Weight, r.Decided = Ended, Promoted, fairlead.Whole, now
		r.StepBegan, r.Replacement = time.Time{}, nil
	}
	if r.Replaces() && b.InPlace {
		text += "; what runs ends first, for the machine has no room for both"
	}
	if len(b.Loosened) > 0 {
		text += "; its containers are loosened: " + strings.Join(b.Loosened, ", ")
	}
	r.Notes = []Note{{Time: now, Text: text, Why: b.Why}}
	return r
}

func newID(prefix string, random io.Reader) string {
	return prefix + "-" + hex.EncodeToString(randomBytes(random, 6))
}

func randomBytes(random io.Reader, n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(random, b); err != nil {
		panic(fmt.Sprintf("no random bytes: %v", err)) // see Open
	}
	return b
}

// Act takes what a person asks of a site's newest rollout. What was done already is
// not done again.
func (e *Engine) Act(ctx context.Context, site fairlead.Site, a Ask, by fairlead.Principal) (Rollout, error) {
	op := fmt.Sprintf("%s %s", a.Command, site)
	if !by.May(fairlead.Operator) {
		return Rollout{}, fairlead.Errorf(fairlead.Forbidden, op, "this needs the role %s", fairlead.Operator)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	m, err := e.machine(ctx, e.newest[site])
	if err != nil {
		return Rollout{}, fmt.Errorf("%s: %w", op, err)
	}
	if m != nil {
		if done, err := e.state(e.live[site], m).Meant(a, op); done || err != nil {
			return m.rollout, err
		}
	}
	if m == nil || m.rollout.Phase == Ended {
		return Rollout{}, fairlead.Errorf(fairlead.Conflict, op, "no rollout is moving there").
			WithHint("see what is there with: fairlead status %s", site.App)
	}
	if m.rollout.goingBack(a.Command) {
		return m.rollout, nil // it is on its way already: who asks twice, for want of an answer, gets it once
	}
	if a.Why == "" && m.rollout.NeedsReason(a.Command) {
		return Rollout{}, fairlead.Errorf(fairlead.Invalid, op, "the new release's share of the users is not as it should be, and nobody has said why").
			WithHint("find out why, and say it: fairlead resume %s --env %s --reason WHY", site.App, site.Env)
	}
	d, err := e.take(ctx, m, Input{Now: e.now(), Command: a.Command, Why: a.Why, New: m.new, Old: m.old, Ends: m.ends}, by.ID)
	if err != nil {
		return Rollout{}, fmt.Errorf("%s: %w", op, err)
	}
	if d.Kind == "" {
		return Rollout{}, fairlead.Errorf(fairlead.Conflict, op, "the rollout is %s%s, so there is nothing to do",
			m.rollout.Phase, heldWords(m.rollout))
	}
	return d.Rollout, nil
}

func heldWords(r Rollout) string {
	if r.Held == "" {
		return ""
	}
	return ", held: " + r.Held
}

// Feed takes what was observed of a rollout, and goes on until nothing more is
// decided. It reports whether anything was. Reports for a rollout that has ended are
// an error of code conflict; that of one without reports is nil.
func (e *Engine) Feed(ctx context.Context, id string, in Input) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	decided := false
	for {
		m, err := e.machine(ctx, id)
		if err != nil {
			return decided, err
		}
		if m == nil || m.rollout.Phase == Ended {
			return decided, tooLate(id, in.Reports)
		}
		in.Blocks, in.Reports = m.Fresh(in.Blocks), m.late.fresh(in.Reports)
		d, err := e.take(ctx, m, in, "system:rollout")
		if err != nil {
			return decided, err
		}
		if d.Kind == "" {
			return decided, nil
		}
		decided, in.Blocks, in.Reports = true, nil, nil
	}
}

// take folds one input into a machine and records it, with the decision if there
// is one. It does not end with ctx: a caller that goes away leaves a whole record,
// or none. When the record fails, memory is ahead of the ledger; see machine.
func (e *Engine) take(ctx context.Context, m *Machine, in Input, by fairlead.Sealed) (Decision, error) {
	ctx = context.WithoutCancel(ctx)
	in.Now = in.Now.UTC().Round(0) // as it will be read again
	before := m.rollout
	d, body, err := m.Take(in)
	if err == nil && body == nil {
		return d, nil
	}
	fact := fairlead.Fact{Stream: before.ID, N: m.facts, Body: body}
	switch {
	case err != nil:
	case d.Kind == "":
		err = e.store.Record(ctx, []fairlead.Fact{fact})
	default:
		err = e.commit(ctx, m, before, d, fact, by)
	}
	if err != nil {
		m.rollout, m.ahead = before, true
		return Decision{}, fmt.Errorf("record input of rollout %s: %w", before.ID, err)
	}
	e.signal()
	return d, nil
}

// machine returns the machine of a rollout, or nil. One that is ahead of the
// ledger is folded again from the store first.
func (e *Engine) machine(ctx context.Context, id string) (*Machine, error) {
	m := e.machines[id]
	if m == nil || !m.ahead {
		return m, nil
	}
	again, err := e.restore(context.WithoutCancel(ctx), m.rollout)
	if err != nil {
		return nil, err
	}
	e.machines[id] = again
	return again, nil
}

func (e *Engine) commit(ctx context.Context, m *Machine, before Rollout, d Decision, fact fairlead.Fact, by fairlead.Sealed) error {
	data, err := json.Marshal(decisionData{Rollout: before.ID, Text: d.Text, Verdict: d.Rollout.Verdict, Facts: m.Facts()})
	if err != nil {
		return fmt.Errorf("encode decision: %w", err)
	}
	live := settle(e.live[before.Site], before, d.Rollout)
	rows := []fairlead.Row{row(RolloutRow, before.ID, d.Rollout), row(LiveRow, before.Site.String(), live)}
	if d.Rollout.Epoch != before.Epoch {
		intent := shiftIntent(d.Rollout)
		rows = append(rows, row(IntentRow, intent.ID, intent))
	}
	if d.Rollout.Phase == Ended {
		rows = append(rows, fairlead.Row{Kind: BeganRow, Key: before.ID})
	}
	_, err = e.store.Commit(ctx, fairlead.Change{
		Entries: []fairlead.Entry{{Time: latest(d.Rollout), Kind: d.Kind, Site: before.Site, Principal: by, Data: data, Rows: rows}},
		Facts:   []fairlead.Fact{fact},
	})
	if err == nil {
		e.live[before.Site] = live
		if d.Rollout.Epoch != before.Epoch {
			e.shifting[before.ID] = d.Rollout.Epoch
		}
	}
	return err
}

func latest(r Rollout) time.Time { return r.Notes[len(r.Notes)-1].Time }

// settle returns which release is live after a decision.
func settle(live Live, before, after Rollout) Live {
	switch {
	case before.Outcome != Promoted && after.Outcome == Promoted:
		live.Stable, live.Previous = after.To, live.Stable
		live.Route, live.Replicas = after.Route, after.Replicas
		live.Exclusive = after.Strategy.Type == fairlead.Replace
	case before.Outcome == Promoted && after.Outcome != Promoted:
		live.Stable, live.Previous = after.From, 0
		live.Route, live.Replicas = after.OldRoute, after.OldReplicas
		live.Exclusive = after.Exclusive
	}
	return live
}

// State is a site for reading: what is live, its newest rollout and what is known
// of it.
type State struct {
	Live     Live
	Rollout  *Rollout // nil before the first
	Tally    Tally
	Verdict  fairlead.Verdict
	Report   json.RawMessage // the judge's, live or as it was at the end; may be nil
	Shifting bool            // its newest weight is decided, and not yet in force at the gateway
	Old      Group           // totals of the newest recorded input
	New      Group
	Ends     map[string]int // of the newest recorded input; the caller must not change it
	Counted  time.Time      // when that was; zero before the first
	Guards   []GuardState   // as looked at newest; none where nothing is looked at
	Waiting  int            // requests that wait at the gateway while a release takes the place of another
}

// Sites returns the state of every site, sorted.
func (e *Engine) Sites() []State {
	e.mu.Lock()
	defer e.mu.Unlock()
	sites := slices.SortedFunc(maps.Keys(e.live), func(a, b fairlead.Site) int { return strings.Compare(a.String(), b.String()) })
	states := make([]State, len(sites))
	for i, site := range sites {
		states[i] = e.state(e.live[site], e.machines[e.newest[site]])
	}
	return states
}

func (e *Engine) state(live Live, m *Machine) State {
	s := State{Live: live}
	if m == nil {
		return s
	}
	r := m.rollout
	s.Rollout, s.Tally, s.Verdict, s.Report = &r, r.Tally, r.Verdict, r.Evidence
	_, s.Shifting = e.shifting[r.ID]
	if r.Phase == Ended {
		return s
	}
	s.Tally, s.Verdict, s.Old, s.New = m.tally, m.Verdict(), m.old, m.new
	s.Ends, s.Counted, s.Guards = m.ends, m.at, m.guards
	s.Waiting = m.waiting
	if report := m.encodedReport(); report != nil {
		s.Report = report
	}
	return s
}

// Changed returns a channel that is closed at the next change.
func (e *Engine) Changed() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.changed
}

func (e *Engine) signal() {
	close(e.changed)
	e.changed = make(chan struct{})
}
