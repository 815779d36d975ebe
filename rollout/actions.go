package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// The actions on instances.
const (
	startAction = "instance.start"
	stopAction  = "instance.stop"
)

// startWithin bounds one start, which is milliseconds but for materialising a
// large artifact.
const startWithin = 10 * time.Minute

// measureWithin is how long a start is waited for to tell of its sandbox, which takes
// milliseconds, and of a container as long as its engine does.
const measureWithin = time.Minute

// startTries is how often an instance is tried before its release counts as one
// that cannot be started.
const startTries = 3

// actions carries out intents beside the loop: an intent is committed first, then
// the action is done, then its outcome is committed, which deletes the intent.
type actions struct {
	loop *Loop
	wg   sync.WaitGroup

	mu       sync.Mutex
	pending  map[string]workload.Status // starts under way, by instance
	stopping map[string]bool
	stopped  map[string]bool // instances of which nothing can run any more
	failures map[Place]failure
}

// failure is how the newest starts of a release at a site failed.
type failure struct {
	count int
	why   string
	last  time.Time
	next  time.Time // not tried again before

	machine bool // the machine is why, see [workload.Unable]
}

func newActions(l *Loop) *actions {
	return &actions{
		loop: l, pending: map[string]workload.Status{}, stopping: map[string]bool{}, stopped: map[string]bool{}, failures: map[Place]failure{},
	}
}

func (a *actions) wait() { a.wg.Wait() }

// spawn runs a task beside the loop, which awaits it.
func (a *actions) spawn(task func()) {
	a.wg.Add(1)
	a.loop.Go(func() {
		defer a.wg.Done()
		task()
	})
}

// underway returns the instances whose start is under way, sorted by ID.
func (a *actions) underway() []workload.Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.SortedFunc(maps.Values(a.pending), func(x, y workload.Status) int { return strings.Compare(x.ID, y.ID) })
}

// withUnderway adds the instances whose start was under way before a list was asked
// for to those that it shows: a start that ends meanwhile is in one or the other.
func withUnderway(underway, listed []workload.Status) []workload.Status {
	for _, s := range underway {
		if !slices.ContainsFunc(listed, func(l workload.Status) bool { return l.ID == s.ID }) {
			listed = append(listed, s)
		}
	}
	return listed
}

// cannotStart returns why no instance of a release can be started, or "", and whether
// that is for the machine. What failed in an earlier rollout, before since, is forgotten.
func (a *actions) cannotStart(p Place, since time.Time) (why string, machine bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f, failed := a.failures[p]
	switch {
	case failed && f.last.Before(since):
		delete(a.failures, p)
	case f.count >= startTries:
		return f.why, f.machine
	}
	return "", false
}

// start records and begins the start of a new instance, unless starts of its
// release fail and must wait.
func (a *actions) start(ctx context.Context, now time.Time, p Place) {
	if a.mustWait(now, p) {
		return
	}
	id := instanceID(p, a.loop.Engine.random)
	detail, _ := json.Marshal(p) // plain fields
	intent := fairlead.Intent{ID: "start-" + id, Action: startAction, Site: p.Site, Target: id, Detail: detail, Since: now}
	a.driveStart(intent, p, func() error {
		if err := a.begin(ctx, intent); err != nil {
			return unrecorded{err}
		}
		return a.doStart(ctx, intent, p)
	})
}

func (a *actions) mustWait(now time.Time, p Place) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return now.Before(a.failures[p].next)
}

// driveStart does a start beside the loop; until it is done the instance counts as
// starting.
func (a *actions) driveStart(intent fairlead.Intent, p Place, do func() error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pending[intent.Target] = workload.Status{
		ID: intent.Target, Site: p.Site, Release: p.Release, State: workload.Starting, Started: intent.Since,
	}
	a.spawn(func() { a.started(p, intent.Target, do()) })
}

func (a *actions) started(p Place, id string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.pending, id)
	if err == nil {
		delete(a.failures, p)
	} else {
		a.failures[p] = a.failures[p].again(a.loop.Now(), err)
		a.loop.Log.Warn("an instance could not be started", "site", p.Site.String(), "release", p.Release, "try", a.failures[p].count, "error", err)
	}
	a.loop.poke()
}

// unrecorded is why an action was not even begun: the store could not take its intent.
type unrecorded struct{ error }

// again returns f after one more failure: the pause doubles from two seconds to a
// minute. A release does not answer for what could not be recorded.
func (f failure) again(now time.Time, err error) failure {
	if errors.As(err, &unrecorded{}) {
		f.next = now.Add(recordPause)
		return f
	}
	wait := min(time.Second<<min(f.count+1, 6), time.Minute)
	return failure{count: f.count + 1, why: err.Error(), last: now, next: now.Add(wait), machine: errors.As(err, &workload.Unable{})}
}

// stop records and begins the stop of an instance, once.
func (a *actions) stop(ctx context.Context, now time.Time, s workload.Status, why string) {
	detail, _ := json.Marshal(map[string]any{"release": s.Release, "why": why}) // plain fields
	intent := fairlead.Intent{ID: "stop-" + s.ID, Action: stopAction, Site: s.Site, Target: s.ID, Detail: detail, Since: now}
	a.driveStop(ctx, intent, func() error { return a.begin(ctx, intent) })
}

// driveStop does a stop beside the loop after begin, unless one is under way. A
// stop whose outcome is not known is done again: its intent stays open.
func (a *actions) driveStop(ctx context.Context, intent fairlead.Intent, begin func() error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopping[intent.Target] {
		return
	}
	a.stopping[intent.Target] = true
	a.spawn(func() {
		if err := begin(); err != nil {
			a.loop.Log.Warn("the stop of an instance could not be recorded; it is tried again", "instance", intent.Target, "error", err)
			a.loop.Sleep(ctx, stopPause)
		} else {
			a.stopUntilKnown(ctx, intent)
		}
		a.mu.Lock()
		delete(a.stopping, intent.Target)
		a.mu.Unlock()
		a.loop.poke()
	})
}

// stopUntilKnown stops an instance again and again until the outcome is known and
// recorded, or ctx ends.
func (a *actions) stopUntilKnown(ctx context.Context, intent fairlead.Intent) {
	for ctx.Err() == nil {
		err := a.doStop(ctx, intent)
		if err == nil || ctx.Err() != nil {
			return
		}
		a.loop.Log.Warn("an instance could not be stopped; it is tried again", "instance", intent.Target, "error", err)
		a.loop.Sleep(ctx, stopPause)
	}
}

// stopPause is how long a stop that failed waits for its next try.
const stopPause = 5 * time.Second

// begin commits an intent.
func (a *actions) begin(ctx context.Context, intent fairlead.Intent) error {
	data, err := json.Marshal(intent)
	if err != nil {
		return fmt.Errorf("encode intent %s: %w", intent.ID, err)
	}
	_, err = a.loop.Store.Commit(ctx, fairlead.Change{Entries: []fairlead.Entry{{
		Time: intent.Since, Kind: intent.Action, Site: intent.Site, Principal: "system:rollout",
		Data: data, Rows: []fairlead.Row{row(IntentRow, intent.ID, intent)},
	}}})
	return err
}

// end commits the outcome of an intent, which deletes the intent. protections are
// what a start really had, nil for other actions.
func (a *actions) end(ctx context.Context, intent fairlead.Intent, kind string, problem error, protections []workload.Protection) error {
	outcome := map[string]any{"intent": intent.ID, "target": intent.Target}
	if intent.Action == shiftAction {
		outcome["shift"] = intent.Detail
	}
	if problem != nil {
		kind += "Failed"
		outcome["error"] = problem.Error()
	}
	if protections != nil {
		outcome["protections"] = protections
	}
	data, err := json.Marshal(outcome)
	if err != nil {
		return fmt.Errorf("encode outcome of %s: %w", intent.ID, err)
	}
	_, err = a.loop.Store.Commit(ctx, fairlead.Change{Entries: []fairlead.Entry{{
		Time: a.loop.Now().UTC(), Kind: kind, Site: intent.Site, Principal: "system:rollout",
		Data: data, Rows: []fairlead.Row{{Kind: IntentRow, Key: intent.ID}},
	}}})
	return err
}

func (a *actions) doStart(ctx context.Context, intent fairlead.Intent, p Place) error {
	if ctx.Err() != nil {
		return ctx.Err() // the intent stays open and is driven again at the next start
	}
	had, problem := a.startWhole(ctx, intent.Target, p)
	if problem != nil && !a.undone(ctx, intent.Target) {
		return ctx.Err() // likewise: it may run yet
	}
	if err := a.endUntilRecorded(ctx, intent, "instance.started", problem, had); err != nil {
		return err
	}
	return problem
}

// undone makes sure that nothing runs of an instance whose start failed: until then it
// counts as one that is under way. It reports false when ctx ended before.
func (a *actions) undone(ctx context.Context, id string) bool {
	for ctx.Err() == nil {
		err := a.loop.Fleet.Stop(ctx, a.loop.nextOrder(), id, 0)
		if err == nil {
			return true
		}
		a.loop.Log.Warn("what is left of a start that failed could not be ended; it is tried again", "instance", id, "error", err)
		a.loop.Sleep(ctx, stopPause)
	}
	return false
}

// startWhole starts an instance and returns what its sandbox enforces. What began is
// waited for, whatever becomes of ctx: who ends everything must find every instance.
func (a *actions) startWhole(ctx context.Context, id string, p Place) ([]workload.Protection, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startWithin)
	defer cancel()
	if err := a.loop.Fleet.Start(ctx, a.loop.nextOrder(), id, p); err != nil {
		return nil, err
	}
	return a.protections(ctx, id), nil
}

// endUntilRecorded commits the outcome of an intent, again and again while the store
// cannot take it, until ctx ends: then the next start finds the intent open.
func (a *actions) endUntilRecorded(ctx context.Context, intent fairlead.Intent, kind string, problem error, had []workload.Protection) error {
	for {
		err := a.end(context.WithoutCancel(ctx), intent, kind, problem, had)
		if err == nil || ctx.Err() != nil {
			return err
		}
		a.loop.Log.Warn("an outcome could not be recorded; it is tried again", "intent", intent.ID, "error", err)
		a.loop.Sleep(ctx, recordPause)
	}
}

// recordPause is how long an outcome that could not be recorded waits.
const recordPause = time.Second

// protections waits for a started instance to tell what its sandbox enforces. It
// returns nil when it does not within a while.
func (a *actions) protections(ctx context.Context, id string) []workload.Protection {
	ctx, cancel := context.WithTimeout(ctx, measureWithin)
	defer cancel()
	for ctx.Err() == nil {
		all, err := a.loop.Fleet.List(ctx)
		for _, s := range all {
			if err == nil && s.ID == id && (s.Protections != nil || s.State != workload.Starting) {
				return s.Protections
			}
		}
		a.loop.Sleep(ctx, 50*time.Millisecond)
	}
	return nil
}

func (a *actions) doStop(ctx context.Context, intent fairlead.Intent) error {
	err := a.loop.Fleet.Stop(ctx, a.loop.nextOrder(), intent.Target, stopGrace)
	if err == nil {
		err = ctx.Err() // which may have ended the stop too
	}
	if err != nil {
		return err
	}
	if err := a.endUntilRecorded(ctx, intent, "instance.stopped", nil, nil); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, starts := a.pending[intent.Target]; !starts { // it may come up yet
		a.stopped[intent.Target] = true
	}
	return nil
}

// gone reports whether nothing of an instance can run any more: it was stopped, or seen
// to have ended and then stopped, since this control plane started.
func (a *actions) gone(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stopped[id]
}

// stops reports whether the stop of an instance is under way.
func (a *actions) stops(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stopping[id]
}

// forgetGone forgets which of the instances that are not there any more were stopped.
func (a *actions) forgetGone(have []workload.Status) {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.stopped, func(id string, _ bool) bool {
		return !slices.ContainsFunc(have, func(s workload.Status) bool { return s.ID == id })
	})
}

// stopGrace is how long an instance has to end by itself once its traffic is gone.
const stopGrace = 10 * time.Second

// recover drives the intents again that were open when the control plane ended,
// beside the loop. Shifts of traffic are closed when the gateway has the weight in
// force.
func (a *actions) recover(ctx context.Context) error {
	intents, err := readRows[fairlead.Intent](ctx, a.loop.Store, IntentRow, "")
	if err != nil {
		return err
	}
	for _, intent := range intents {
		switch intent.Action {
		case startAction:
			var p Place
			if err := json.Unmarshal(intent.Detail, &p); err != nil {
				return fairlead.Errorf(fairlead.Corrupt, "start "+intent.Target, "its intent cannot be read: %w", err)
			}
			a.driveStart(intent, p, func() error { return a.doStart(ctx, intent, p) })
		case stopAction:
			a.driveStop(ctx, intent, func() error { return nil })
		}
	}
	return nil
}
