package rollout

import (
	"context"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// Guards gets the number of a guard. An error says in a few words why there is none,
// such as that a query has no result; its words reach the ledger.
type Guards interface {
	Look(ctx context.Context, g fairlead.Guard, at GuardPlace) (float64, error)
}

// GuardPlace is what a guard looks after.
type GuardPlace struct {
	Site      fairlead.Site
	Release   int
	Instances []string // addresses of the release's ready instances, as in a snapshot
}

// lookWithin bounds one look.
const lookWithin = 10 * time.Second

// watchEvery is the time between looks of the [WatchGuard].
const watchEvery = 15 * time.Second

// guardLooks are the looks at guards beside a loop, by rollout and guard.
type guardLooks struct {
	l   *Loop
	mu  sync.Mutex
	all map[string]map[string]*looked
}

// looked is what the looks at one guard said so far.
type looked struct {
	GuardState
	began   time.Time // of the newest look
	running bool
}

// take adds what a look said.
func (k *looked) take(g fairlead.Guard, value float64, err error) {
	switch {
	case err != nil:
		k.Value, k.Bad, k.Blind = nil, 0, err.Error()
		k.Unseen++
	case g.Min != nil && value < *g.Min, g.Max != nil && value > *g.Max:
		k.Value, k.Blind, k.Unseen = &value, "", 0
		k.Bad++
	default:
		k.Value, k.Bad, k.Blind, k.Unseen = &value, 0, "", 0
	}
}

func newGuardLooks(l *Loop) *guardLooks {
	return &guardLooks{l: l, all: map[string]map[string]*looked{}}
}

// states begins the looks that are due, and returns what the looks so far said.
func (k *guardLooks) states(ctx context.Context, r Rollout, now time.Time, here []workload.Status) []GuardState {
	if !r.guarded() {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var states []GuardState
	for _, g := range r.Strategy.Guards {
		one := k.of(r.ID, g.Name)
		if !one.running && (one.began.IsZero() || now.Sub(one.began) >= g.Interval.D()) {
			one.running, one.began = true, now
			at := GuardPlace{Site: r.Site, Release: r.To, Instances: addressesOf(r.To, here)}
			k.l.actions.spawn(func() { k.look(ctx, r.ID, g, at) })
		}
		states = append(states, one.GuardState)
	}
	if g, _, ok := r.watchGuard(); ok {
		one := k.of(r.ID, g.Name)
		if now.Sub(one.began) >= watchEvery {
			one.began = now
			value, err := k.l.baselines.failing(armKey{r.Site, r.To}, now)
			one.take(g, value, err)
		}
		states = append(states, one.GuardState)
	}
	return states
}

func (k *guardLooks) of(rollout, guard string) *looked {
	if k.all[rollout] == nil {
		k.all[rollout] = map[string]*looked{}
	}
	if k.all[rollout][guard] == nil {
		k.all[rollout][guard] = &looked{GuardState: GuardState{Name: guard, Blind: "it was not looked at yet"}}
	}
	return k.all[rollout][guard]
}

func (k *guardLooks) forget(rollout string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.all, rollout)
}

func addressesOf(release int, here []workload.Status) []string {
	var addresses []string
	for _, s := range here {
		if s.Release == release && s.State == workload.Ready {
			addresses = append(addresses, s.Address)
		}
	}
	return addresses
}

func (k *guardLooks) look(ctx context.Context, rollout string, g fairlead.Guard, at GuardPlace) {
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	value, err := 0.0, error(errNoGuards)
	if k.l.Guards != nil {
		value, err = k.l.Guards.Look(ctx, g, at)
	}
	k.mu.Lock()
	one := k.of(rollout, g.Name)
	one.running = false
	one.take(g, value, err)
	k.mu.Unlock()
	k.l.poke()
}

var errNoGuards = fairlead.Errorf(fairlead.Unsupported, "", "nothing here can look at it")
