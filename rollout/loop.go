package rollout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
	"github.com/fairlead/fairlead/workload"
)

// Fleet runs the instances of releases.
type Fleet interface {
	List(ctx context.Context) ([]workload.Status, error)
	// Start starts an instance of a release and returns when it is supervised. It is
	// idempotent by id.
	Start(ctx context.Context, order fairlead.Order, id string, p Place) error
	Stop(ctx context.Context, order fairlead.Order, id string, grace time.Duration) error
	Remove(ctx context.Context, order fairlead.Order, id string) error
}

// Traffic is the control side of a gateway.
type Traffic interface {
	Apply(ctx context.Context, s gateway.Snapshot) error // returns when it is in force
	Renew(ctx context.Context, order fairlead.Order) error
	Status(ctx context.Context) (gateway.Status, error)
	Blocks(ctx context.Context, wait time.Duration) ([]fairlead.Block, error)
	Ack(ctx context.Context, acks []gateway.Ack) error
	Events(ctx context.Context, after uint64) ([]gateway.Event, error)
}

// Gates proves a release's gates in an environment. Prove returns at once when
// the evidence is fresh, else when every gate has run.
type Gates interface {
	Prove(ctx context.Context, r fairlead.Release, env string) (GateState, error)
}

// Releases reads a release.
type Releases func(ctx context.Context, app string, number int) (fairlead.Release, error)

// Config is what a Loop needs. All fields are required, but for Guards, and
// for Go and Sleep, which are a goroutine and a timer unless a simulation gives its own.
type Config struct {
	Engine   *Engine
	Store    Store
	Fleet    Fleet
	Traffic  Traffic
	Gates    Gates
	Guards   Guards // nil: every guard is blind
	Releases Releases
	Term     uint64 // of this start of the control plane
	Now      func() time.Time
	Log      *slog.Logger
	Go       func(task func())                          // runs task beside the loop
	Sleep    func(ctx context.Context, d time.Duration) // returns after d, or when ctx ends
}

// tickEvery is how often the loop looks at the world when nothing wakes it.
const tickEvery = 200 * time.Millisecond

// Loop makes the world what the engine decided: it observes instances and
// traffic, feeds the engine, starts and stops instances, and gives the gateway
// its snapshots. It owns the goroutines of its actions and awaits them.
type Loop struct {
	Config
	Seen *Seen // what the gateway saw lately

	seq        uint64 // of the newest order; guarded by mu
	mu         sync.Mutex
	wake       chan struct{}
	inbox      inbox
	mail       mail
	actions    *actions
	departures departures
	ended      map[string]time.Time // instances that are over, since when
	counters   map[string]*counters
	baselines  baselines
	gates      *gateRuns
	looks      *guardLooks
	pushed     pushed
	refused    string // routes, as the log says
	journal    journal
	alone      bool // the gateway could not be attended in the newest round
	releases   releases
}

// NewLoop returns a loop that does nothing before Run.
func NewLoop(c Config) *Loop {
	if c.Go == nil {
		c.Go = func(task func()) { go task() }
	}
	if c.Sleep == nil {
		c.Sleep = pause
	}
	l := &Loop{
		Config: c, Seen: &Seen{}, wake: make(chan struct{}, 1), inbox: inbox{taken: make(chan struct{}, 1)},
		departures: departures{}, counters: map[string]*counters{},
		baselines: baselines{}, journal: journal{traffic: c.Traffic, store: c.Store}, releases: releases{c.Releases, map[string]fairlead.Release{}},
	}
	l.actions, l.gates, l.looks = newActions(l), newGateRuns(l), newGuardLooks(l)
	return l
}

// Run works until ctx ends, and returns when all its actions have ended. Errors of
// single rounds are logged and tried again: the world may be away for a while.
func (l *Loop) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	defer workers.Wait()
	defer l.actions.wait()
	if err := l.Recover(ctx); err != nil {
		return err
	}
	workers.Go(func() { l.pump(ctx) })
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		if err := l.Round(ctx); err != nil && ctx.Err() == nil {
			l.Log.Warn("a round of the rollout loop failed; it is tried again", "error", err)
		}
		changed := l.Engine.Changed()
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-l.wake:
		case <-changed:
		}
	}
}

// Recover drives the intents that an earlier control plane left open. It is called
// once, before the first Round.
func (l *Loop) Recover(ctx context.Context) error {
	if err := l.actions.recover(ctx); err != nil {
		return fmt.Errorf("drive open intents: %w", err)
	}
	return nil
}

// pump fetches blocks until ctx ends.
func (l *Loop) pump(ctx context.Context) {
	for ctx.Err() == nil {
		if err := l.Fetch(ctx); err != nil {
			l.Sleep(ctx, tickEvery)
		}
		l.inbox.awaitTaken(ctx)
	}
}

// acksFor returns what acknowledges blocks in a term.
func acksFor(term uint64, blocks []fairlead.Block) []gateway.Ack {
	var acks []gateway.Ack
	for _, b := range blocks {
		key := gateway.Ack{Term: term, Gateway: b.Gateway, Site: b.Site}
		i := slices.IndexFunc(acks, func(a gateway.Ack) bool { return a.Gateway == b.Gateway && a.Site == b.Site })
		if i < 0 {
			i, acks = len(acks), append(acks, key)
		}
		acks[i].Seq = max(acks[i].Seq, b.Seq)
	}
	return acks
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// poke makes the loop look again soon.
func (l *Loop) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// nextOrder returns an order after all that this loop gave.
func (l *Loop) nextOrder() fairlead.Order {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	return fairlead.Order{Term: l.Term, Seq: l.seq}
}

// scene is what one round sees of the world.
type scene struct {
	now     time.Time
	have    []workload.Status // with those whose start is under way
	gateway gateway.Status
	reached bool // the gateway answered
	blocks  []fairlead.Block
}

// Round observes, decides and acts once. The gateway's own doings (an expired
// lease) are taken in before anything is decided or pushed: while it is out of
// reach, nothing is decided, and blocks stay unacknowledged. Instances are kept up
// in any case. Rounds never overlap.
func (l *Loop) Round(ctx context.Context) error {
	s, err := l.observe(ctx)
	if err != nil {
		return err
	}
	if !s.reached {
		l.converge(ctx, s, l.Engine.Sites())
		return nil
	}
	err = l.decide(ctx, s)
	if err == nil {
		err = l.acknowledge(ctx, s.blocks)
	}
	states := l.Engine.Sites()
	l.converge(ctx, s, states)
	if l.stale(s) {
		return err
	}
	return errors.Join(err, l.push(ctx, s, states), l.depart(ctx, s))
}

// acknowledge lets the gateway forget blocks that are recorded.
func (l *Loop) acknowledge(ctx context.Context, blocks []fairlead.Block) error {
	l.Seen.take(l.Now(), blocks)
	if len(blocks) == 0 {
		return nil
	}
	l.baselines.learn(l.Engine.Sites(), blocks)
	l.inbox.take()
	return l.Traffic.Ack(ctx, acksFor(l.Term, blocks))
}

// freshFor is how old a look at the world may be when something is done on it.
const freshFor = leaseTTL / 5

// stale reports whether a scene is too old to act on, as after the process was
// stopped in the middle of a round.
func (l *Loop) stale(s scene) bool { return l.Now().Sub(s.now) > freshFor }

func (l *Loop) observe(ctx context.Context) (scene, error) {
	s := scene{now: l.Now(), blocks: l.inbox.waiting()}
	underway := l.actions.underway()
	have, err := l.Fleet.List(ctx)
	if err != nil {
		return s, fmt.Errorf("list instances: %w", err)
	}
	s.have = withUnderway(underway, have)
	if s.gateway, err = l.Traffic.Status(ctx); err == nil {
		err = l.journal.ingest(ctx, s.now, len(s.gateway.Expired) > 0)
	}
	s.reached = err == nil && !l.stale(s)
	l.remark(ctx, err)
	return s, nil
}

// remark logs when the gateway goes out of reach, and when it is back.
func (l *Loop) remark(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
	case err != nil && !l.alone:
		l.Log.Warn("the gateway cannot be attended; it goes on alone", "error", err)
	case err == nil && l.alone:
		l.Log.Info("the gateway is attended again")
	}
	l.alone = err != nil
}

// decide feeds each moving rollout what was seen of it. One that cannot be fed does
// not stop the others.
func (l *Loop) decide(ctx context.Context, s scene) error {
	var problems []error
	for _, state := range l.Engine.Sites() {
		r := state.Rollout
		if r == nil {
			continue
		}
		if r.Phase == Ended {
			l.forget(r.ID)
			continue
		}
		l.gates.begin(ctx, *r, s.now)
		in, letters := l.input(state, s), l.mail.of(r.ID)
		in.Reports, in.Guards = reportsOf(letters), l.looks.states(ctx, *r, s.now, at(s.have, r.Site))
		_, err := l.Engine.Feed(ctx, r.ID, in)
		if err == nil || fairlead.CodeOf(err) == fairlead.Conflict {
			l.mail.settle(letters, err)
			continue
		}
		problems = append(problems, err)
	}
	l.mail.returnEnded(l.Engine.moving)
	return errors.Join(problems...)
}

// forget lets go of what was counted for a rollout that has ended.
func (l *Loop) forget(id string) {
	delete(l.counters, id)
	l.looks.forget(id)
	l.gates.forget(id)
}

func (l *Loop) input(state State, s scene) Input {
	r := state.Rollout
	here := at(s.have, r.Site)
	count := l.counters[r.ID]
	if count == nil {
		count = newCounters(state, here)
		l.counters[r.ID] = count
	}
	count.update(s.now, here)
	in := Input{
		Now: s.now, Blocks: s.blocks, Gates: l.gates.state(r.ID), Applied: l.pushed.epochs[r.ID], Ends: count.ends(here),
		New: groupOf(r.To, r.Began, here, l.departures.leaving), Old: groupOf(r.From, r.Began, here, l.departures.leaving),
	}
	if r.FirstTraffic.IsZero() {
		old := armKey{r.Site, r.From}
		in.Frozen, in.First = l.baselines.frozen(old)
		in.Amounts = l.baselines.frozenAmounts(old, r.Strategy.Signals)
	}
	in.New.take(count.of(r.To))
	in.Old.take(count.of(r.From))
	in.New.Limit, in.Old.Limit = l.limitOf(in.New, r.Site.App, r.To), l.limitOf(in.Old, r.Site.App, r.From)
	l.noteStarts(&in.New, Place{r.Site, r.To}, r)
	l.lookAside(&in, state, s, here)
	if i := slices.Index(s.gateway.Expired, r.Site); i >= 0 && i < len(s.gateway.Fallback) && l.pushed.unattended(s.now) {
		in.Expired, in.Fallen = true, s.gateway.Fallback[i]
	}
	return in
}

// noteStarts adds to what is known of a release's instances why none can be started. A
// release that is promoted has started here before, and does not answer for the machine.
func (l *Loop) noteStarts(g *Group, p Place, r *Rollout) {
	why, machine := l.actions.cannotStart(p, r.Began)
	switch {
	case why == "" || g.Broken != "":
	case machine && r.Phase == Watching && p.Release == r.To:
		g.Unable = why
	default:
		g.Broken = "no instance can be started: " + why
	}
}

// limitOf returns the memory limit of a release whose instances were killed for memory.
func (l *Loop) limitOf(g Group, app string, release int) string {
	if g.OOMKills == 0 {
		return ""
	}
	r, err := l.releases.get(context.Background(), app, release)
	if err != nil {
		return "" // that it is not named changes nothing
	}
	return r.Content.Resources.Memory
}

func at(have []workload.Status, site fairlead.Site) []workload.Status {
	var here []workload.Status
	for _, s := range have {
		if s.Site == site {
			here = append(here, s)
		}
	}
	return here
}

// converge starts what is missing and lets go of what is too much.
func (l *Loop) converge(ctx context.Context, s scene, states []State) {
	for _, state := range states {
		want, here := Desire(state.Live, state.Rollout), at(s.have, state.Live.Site)
		limit := LimitOf(state.Live, state.Rollout)
		l.recall(limit, want, here)
		l.makeCertain(ctx, s.now, limit, here)
		start, release := Converge(s.now, state.Live.Site, want, here, l.departures.leaving)
		for _, p := range limit.Allow(start, want, here, l.departures.leaving, l.actions.gone) {
			l.actions.start(ctx, s.now, p)
		}
		for _, i := range here {
			if slices.Contains(release, i.ID) {
				l.departures[i.ID] = &departure{since: s.now, listed: want[i.Release] == 0}
			}
		}
	}
	l.actions.forgetGone(s.have)
}
