package rollout_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
	"github.com/fairlead/fairlead/gateway/trace"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/workload"
)

// quiet is a world in which one instance of each release is ready and nothing happens.
type quiet struct{ away bool }

func (q *quiet) List(context.Context) ([]workload.Status, error) { return nil, nil }
func (q *quiet) Start(context.Context, fairlead.Order, string, rollout.Place) error {
	return nil
}
func (q *quiet) Stop(context.Context, fairlead.Order, string, time.Duration) error { return nil }
func (q *quiet) Remove(context.Context, fairlead.Order, string) error              { return nil }
func (q *quiet) Apply(context.Context, gateway.Snapshot) error                     { return nil }
func (q *quiet) Renew(context.Context, fairlead.Order) error                       { return nil }
func (q *quiet) Blocks(context.Context, time.Duration) ([]fairlead.Block, error)   { return nil, nil }
func (q *quiet) Ack(context.Context, []gateway.Ack) error                          { return nil }
func (q *quiet) Events(context.Context, uint64) ([]gateway.Event, error)           { return nil, nil }
func (q *quiet) Status(context.Context) (gateway.Status, error) {
	if q.away {
		return gateway.Status{}, context.DeadlineExceeded
	}
	return gateway.Status{}, nil
}

// loop returns one over b's engine in a quiet world.
func (b *bench) loop(world *quiet) *rollout.Loop {
	return rollout.NewLoop(rollout.Config{
		Engine: b.engine, Store: b.store, Fleet: world, Traffic: world, Now: func() time.Time { return b.now }, Log: slog.New(slog.DiscardHandler),
		Go: func(func()) {}, Sleep: func(context.Context, time.Duration) {},
		Releases: func(_ context.Context, app string, number int) (fairlead.Release, error) {
			return fairlead.Release{App: app, Number: number}, nil
		},
	})
}

// graded is a rollout in its first step whose strategy has the signals quality, tokens
// and preference, with the key of its traces.
func (b *bench) graded() (rollout.Rollout, *trace.Key) {
	b.t.Helper()
	b.signals = []fairlead.SignalSpec{
		{Name: "quality", Kind: fairlead.KindScore}, {Name: "tokens", Kind: fairlead.KindAmount}, {Name: "preference", Kind: fairlead.KindPreference},
		{Name: "refusal", Kind: fairlead.KindFailure},
	}
	first := b.begin(1)
	b.feed(first.ID, rollout.Input{})
	r := b.begin(2)
	b.feed(r.ID, rollout.Input{})
	if r = b.find(r.ID); r.Phase != rollout.Stepping {
		b.t.Fatalf("the rollout is %s", r.Phase)
	}
	return r, trace.NewKey(r.Salt)
}

// report reports while the loop goes round.
func (b *bench) report(l *rollout.Loop, told ...rollout.Told) []rollout.Receipt {
	b.t.Helper()
	ctx, end := context.WithCancel(b.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			_ = l.Round(ctx) // what it lacks in this world does not concern reports
		}
	}()
	receipts, err := l.Report(b.t.Context(), told, fairlead.Principal{ID: "token:grader", Role: fairlead.Reporter})
	end()
	<-ended
	if err != nil {
		b.t.Fatal(err)
	}
	return receipts
}

func TestAReportIsRecordedOnceAlsoAfterARestartAndReplays(t *testing.T) {
	b := newBench(t)
	r, key := b.graded()
	one := key.Seal(trace.Trace{Second: b.now.Unix(), Epoch: r.Epoch, Canary: true, Unit: 1, Nonce: 7})
	other := key.Seal(trace.Trace{Second: b.now.Unix(), Epoch: r.Epoch, Canary: true, Unit: 1, Nonce: 8})
	quality := func(trace string) rollout.Told { return rollout.Told{Trace: trace, Signal: "quality", Value: 0.7} }
	got := b.report(b.loop(&quiet{}), quality(one), quality(one), quality(other), rollout.Told{Trace: one, Signal: "tokens", Value: 9})
	for i, repeated := range []bool{false, true, false, false} {
		if got[i].Err != nil || got[i].Repeated != repeated {
			t.Errorf("report %d: %+v", i, got[i])
		}
	}
	b.restart()
	if got := b.report(b.loop(&quiet{}), quality(other)); got[0].Err != nil || !got[0].Repeated {
		t.Errorf("after a restart: %+v", got[0])
	}
	reports := 0
	for fact, err := range b.store.Facts(t.Context(), r.ID, 1) {
		if err != nil {
			t.Fatal(err)
		}
		reports += len(inputOf(t, fact).Reports)
	}
	if reports != 3 {
		t.Errorf("%d reports are recorded, want 3", reports)
	}
	if replayed, err := rollout.Replay(t.Context(), b.store); err != nil || replayed.Difference != "" {
		t.Errorf("%+v, %v", replayed, err)
	}
}

func TestWhatIsNoReportOfTheRolloutIsRefusedWithItsReason(t *testing.T) {
	b := newBench(t)
	r, key := b.graded()
	plain := key.Seal(trace.Trace{Epoch: r.Epoch, Nonce: 1})
	mirrored := key.Seal(trace.Trace{Epoch: r.Epoch, Nonce: 2, Mirrored: true})
	strange := trace.NewKey([]byte("another")).Seal(trace.Trace{})
	for _, c := range []struct {
		told rollout.Told
		code fairlead.Code
	}{
		{rollout.Told{Trace: strange, Signal: "quality", Value: 1}, fairlead.NotFound},
		{rollout.Told{Trace: "", Signal: "quality", Value: 1}, fairlead.Invalid},
		{rollout.Told{Trace: plain, Signal: "unknown", Value: 1}, fairlead.Invalid},
		{rollout.Told{Trace: plain, Signal: "error", Value: 1}, fairlead.Invalid},
		{rollout.Told{Trace: plain, Signal: "quality", Value: 1.1}, fairlead.Invalid},
		{rollout.Told{Trace: plain, Signal: "quality", Value: math.NaN()}, fairlead.Invalid},
		{rollout.Told{Trace: plain, Signal: "tokens", Value: -1}, fairlead.Invalid},
		{rollout.Told{Trace: plain, Signal: "tokens", Value: math.Inf(1)}, fairlead.Invalid},
		{rollout.Told{Trace: plain, Signal: "refusal", Value: 0.5}, fairlead.Invalid},
		{rollout.Told{Trace: plain, Signal: "preference", Value: 1}, fairlead.Invalid},
		{rollout.Told{Trace: mirrored, Signal: "preference", Value: 0.7}, fairlead.Invalid},
		{rollout.Told{Trace: mirrored, Signal: "preference", Value: 0.5}, ""},
	} {
		got := b.report(b.loop(&quiet{}), c.told)[0]
		if c.code == "" && got.Err != nil || c.code != "" && fairlead.CodeOf(got.Err) != c.code {
			t.Errorf("%+v: %v, want code %q", c.told, got.Err, c.code)
		}
	}
	if _, err := b.engine.Act(t.Context(), site, rollout.Ask{Command: rollout.Abort}, admin); err != nil {
		t.Fatal(err)
	}
	b.feed(r.ID, rollout.Input{Applied: b.find(r.ID).Epoch})
	if err := b.report(b.loop(&quiet{}), rollout.Told{Trace: plain, Signal: "quality", Value: 1})[0].Err; fairlead.CodeOf(err) != fairlead.Conflict {
		t.Errorf("after the end: %v", err)
	}
}

func TestAReportThatCannotBeRecordedIsNotAcceptedAndDoesNotComeLater(t *testing.T) {
	b := newBench(t)
	r, key := b.graded()
	l := b.loop(&quiet{away: true})
	told := []rollout.Told{{Trace: key.Seal(trace.Trace{Epoch: r.Epoch, Nonce: 1}), Signal: "quality", Value: 1}}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := l.Round(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Report(ctx, told, admin); fairlead.CodeOf(err) != fairlead.Unavailable {
		t.Errorf("%v", err)
	}
	if got := b.report(b.loop(&quiet{}), told...); got[0].Err != nil || got[0].Repeated {
		t.Errorf("sent again: %+v", got[0])
	}
	if _, err := l.Report(t.Context(), told, fairlead.Principal{ID: "nobody"}); fairlead.CodeOf(err) != fairlead.Forbidden {
		t.Errorf("by nobody: %v", err)
	}
}

func inputOf(t *testing.T, fact fairlead.Fact) (in rollout.Input) {
	t.Helper()
	if err := json.Unmarshal(fact.Body, &in); err != nil {
		t.Fatal(err)
	}
	return in
}
