package rollout_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/workload"
)

// shrink begins a canary for which the old release gives up instances.
func (b *bench) shrink(release, replicas int) (rollout.Rollout, error) {
	return b.engine.Begin(b.t.Context(), rollout.Beginning{
		Site: site, Release: release, Digest: fairlead.DigestOf([]byte{byte(release)}), Kind: rollout.Forward, By: admin,
		Environment: fairlead.Environment{Name: "production", Replicas: replicas, Strategy: fairlead.Strategy{
			Type: fairlead.Canary, Shrink: true, Alpha: 1.0 / 300, Beta: 1.0 / 20, Tolerance: 1, Margin: fairlead.Margin{Ratio: 2, Absolute: 0.01},
			Steps: []fairlead.Percent{50}, MaxStep: fairlead.Duration(time.Hour), RollbackWindow: fairlead.Duration(time.Minute),
		}},
	})
}

// told plays a rollout to its end, with a restart after each change, and returns a line
// for each: where it is, what it wants of each release, and how many may run together.
func (b *bench) told(r rollout.Rollout, canaryRate float64) string {
	b.t.Helper()
	var lines []string
	for range 1000 {
		r = b.find(r.ID)
		live := b.engine.Sites()[0].Live
		line := fmt.Sprintf("%s %v", r.Phase, rollout.Desire(live, &r))
		if most := rollout.LimitOf(live, &r).Most; most > 0 {
			line += fmt.Sprintf(", %d together", most)
		}
		if len(lines) == 0 || lines[len(lines)-1] != line {
			lines = append(lines, line)
			b.restart()
		}
		if ended(r) {
			return strings.Join(append(lines, string(r.Outcome)), "\n")
		}
		b.second(r.ID, 0.005, canaryRate)
	}
	b.t.Fatalf("it does not end: %s", strings.Join(lines, "\n"))
	return ""
}

func TestAReleaseMakesRoomForTheNextOneAndNoMoreRunTogetherThanOneHasRoomFor(t *testing.T) {
	for _, c := range []struct {
		name          string
		had, replicas int
		failing       float64 // of what the new one answers
		want          string
	}{
		{name: "the first has nobody to make room for it", replicas: 3, want: `
gating map[2:0]
ended map[2:3]
promoted
`},
		{name: "as many as before", had: 3, replicas: 3, want: `
gating map[1:3 2:0], 3 together
stepping map[1:1 2:2], 3 together
watching map[1:1 2:2], 3 together
ended map[2:3], 3 together
promoted
`},
		{name: "more than before", had: 2, replicas: 4, want: `
gating map[1:2 2:0], 4 together
stepping map[1:2 2:2], 4 together
watching map[1:1 2:3], 4 together
ended map[2:4], 4 together
promoted
`},
		{name: "fewer than before", had: 4, replicas: 2, want: `
gating map[1:4 2:0], 4 together
stepping map[1:3 2:1], 4 together
watching map[1:2 2:2], 4 together
ended map[2:2], 4 together
promoted
`},
		{name: "where there was one", had: 1, replicas: 2, want: `
gating map[1:1 2:0], 2 together
stepping map[1:1 2:1], 2 together
watching map[1:1 2:1], 2 together
ended map[2:2], 2 together
promoted
`},
		{name: "where one is wanted", had: 2, replicas: 1, want: `
gating map[1:2 2:0], 2 together
stepping map[1:1 2:1], 2 together
watching map[1:1 2:1], 2 together
ended map[2:1], 2 together
promoted
`},
		{name: "a bad one gives the room back", had: 3, replicas: 3, failing: 0.5, want: `
gating map[1:3 2:0], 3 together
stepping map[1:1 2:2], 3 together
returning map[1:1 2:2], 3 together
ended map[1:3], 3 together
rolledBack
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.ready = 4
			if c.had > 0 {
				r, err := b.shrink(1, c.had)
				if err != nil {
					t.Fatal(err)
				}
				b.feed(r.ID, rollout.Input{})
			}
			r, err := b.shrink(2, c.replicas)
			if err != nil {
				t.Fatal(err)
			}
			if got := b.told(r, max(c.failing, 0.005)); got != strings.TrimSpace(c.want) {
				t.Errorf("it goes:\n%s", got)
			}
		})
	}
}

func TestOneInstanceCannotMakeRoomForAnother(t *testing.T) {
	b := newBench(t)
	b.first()
	if _, err := b.shrink(2, 1); fairlead.CodeOf(err) != fairlead.Invalid || !strings.Contains(fairlead.HintOf(err), "replicas: 2") {
		t.Errorf("it begins all the same: %v, hint %q", err, fairlead.HintOf(err))
	}
	if live := b.engine.Sites()[0].Live; live.Stable != 1 || live.Replicas != 1 {
		t.Errorf("what was refused changed what is live: %+v", live)
	}
}

func TestAReleaseThatMayRunBesideOthersIsFreeToOnceItsOwnRolloutHasEnded(t *testing.T) {
	b := newBench(t)
	b.first()
	b.replace(2)
	r := b.beginBy(rollout.Forward, fairlead.Canary, 3)
	for range 200 {
		r = b.find(r.ID)
		if alone := rollout.LimitOf(b.engine.Sites()[0].Live, &r).Alone; alone == ended(r) {
			t.Fatalf("in phase %s its instances start alone: %t", r.Phase, alone)
		}
		if ended(r) {
			break
		}
		b.now = b.now.Add(time.Second)
		b.feed(r.ID, rollout.Input{Cleared: true, Applied: r.Epoch})
	}
	if !ended(r) || r.Outcome != rollout.Promoted {
		t.Fatalf("it ended as %q in phase %s: %+v", r.Outcome, r.Phase, r.Notes)
	}
	b.demandAlone("when a canary after one that replaces has ended", false)
}

// wreck is a world in which an instance of release 1 is over, though something of it may
// run yet, and what is started is ready at once.
type wreck struct {
	quiet
	stopped []string
	started []workload.Status
}

func (w *wreck) List(context.Context) ([]workload.Status, error) {
	return append([]workload.Status{{ID: "over", Site: site, Release: 1, State: workload.Exited}}, w.started...), nil
}

func (w *wreck) Start(_ context.Context, _ fairlead.Order, id string, p rollout.Place) error {
	w.started = append(w.started, workload.Status{ID: id, Site: p.Site, Release: p.Release, State: workload.Ready})
	return nil
}

func (w *wreck) Stop(_ context.Context, _ fairlead.Order, id string, _ time.Duration) error {
	w.stopped = append(w.stopped, id)
	return nil
}

// goRound has a loop observe and act twice, and each time does what that began.
func (b *bench) goRound(world *wreck) {
	b.t.Helper()
	var begun []func()
	loop := rollout.NewLoop(rollout.Config{
		Engine: b.engine, Store: b.store, Fleet: world, Traffic: world, Now: func() time.Time { return b.now }, Log: slog.New(slog.DiscardHandler),
		Go: func(task func()) { begun = append(begun, task) }, Sleep: func(context.Context, time.Duration) {},
		Releases: func(_ context.Context, app string, number int) (fairlead.Release, error) {
			return fairlead.Release{App: app, Number: number}, nil
		},
	})
	for range 2 {
		if err := loop.Round(b.t.Context()); err != nil {
			b.t.Fatal(err)
		}
		for _, task := range begun {
			task()
		}
		begun = nil
	}
}

func TestWhatIsOverIsEndedForCertainWhereItIsInTheWayOfAnother(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(b *bench)
		stops  bool
	}{
		{name: "nobody is in the way", before: func(b *bench) { b.told(b.begin(2), 0.005) }},
		{name: "one writer", before: func(b *bench) { b.replace(2) }, stops: true},
		{name: "only so many have room", stops: true, before: func(b *bench) {
			r, err := b.shrink(2, 2)
			if err != nil {
				b.t.Fatal(err)
			}
			b.told(r, 0.005)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.first()
			b.ready = 2
			c.before(b)
			world := &wreck{}
			b.goRound(world)
			if got := strings.Count(strings.Join(world.stopped, " "), "over"); got != map[bool]int{true: 1}[c.stops] {
				t.Errorf("it is stopped %d times, want once: %t", got, c.stops)
			}
		})
	}
}
