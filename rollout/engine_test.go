package rollout_test

import (
	"context"
	cryptorand "crypto/rand"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/store/sqlite"
)

var (
	site  = fairlead.Site{App: "triage", Env: "production"}
	admin = fairlead.Principal{ID: "system:test", Role: fairlead.Admin}
)

// bench is an engine over a real store with a clock that the test moves.
type bench struct {
	t      *testing.T
	dir    string
	store  *sqlite.Store
	engine *rollout.Engine
	now    time.Time
	seq    uint64
	chance *rand.Rand
	ready  int     // instances of each release
	skew   float64 // added to the new release's share of the units: the gateway does not do as it was told

	signals []fairlead.SignalSpec // that its strategies declare
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), chance: rand.New(rand.NewPCG(1, 2)), ready: 1}
	b.open()
	t.Cleanup(func() { b.store.Close() })
	return b
}

func (b *bench) open() {
	b.t.Helper()
	var err error
	if b.store, err = sqlite.Open(b.dir, sqlite.Options{}); err != nil {
		b.t.Fatal(err)
	}
	if b.engine, err = rollout.Open(b.t.Context(), b.store, func() time.Time { return b.now }, cryptorand.Reader); err != nil {
		b.t.Fatal(err)
	}
}

// restart closes everything and opens it again, as after a crash of the control plane.
func (b *bench) restart() {
	b.t.Helper()
	if err := b.store.Close(); err != nil {
		b.t.Fatal(err)
	}
	b.open()
}

func (b *bench) begin(release int) rollout.Rollout { return b.beginAs(rollout.Forward, release) }

func (b *bench) beginAs(kind rollout.Kind, release int) rollout.Rollout {
	b.t.Helper()
	holdback := fairlead.Percent(5)
	r, err := b.engine.Begin(b.t.Context(), rollout.Beginning{
		Site: site, Release: release, Digest: fairlead.DigestOf([]byte{byte(release)}), Kind: kind, By: admin,
		Environment: fairlead.Environment{Name: "production", Replicas: 1, Strategy: fairlead.Strategy{
			Type: fairlead.Canary, Alpha: 1.0 / 300, Beta: 1.0 / 20, Tolerance: 1, Margin: fairlead.Margin{Ratio: 2, Absolute: 0.01},
			Steps: []fairlead.Percent{50}, Holdback: &holdback, MaxStep: fairlead.Duration(time.Hour),
			RollbackWindow: fairlead.Duration(time.Minute), Signals: b.signals,
		}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func (b *bench) feed(id string, in rollout.Input) {
	b.t.Helper()
	in.Now = b.now
	in.Gates = rollout.GateState{Satisfied: true}
	in.New.Ready, in.Old.Ready = b.ready, b.ready
	if _, err := b.engine.Feed(b.t.Context(), id, in); err != nil {
		b.t.Fatal(err)
	}
}

// second feeds one second of traffic: 100 units, of which each arm fails its share.
func (b *bench) second(id string, stableRate, canaryRate float64) {
	b.t.Helper()
	b.now = b.now.Add(time.Second)
	r := b.find(id)
	b.seq++
	block := fairlead.Block{Gateway: "boot", Seq: b.seq, Site: site, Rollout: id, At: b.now.UnixMilli()}
	cell := fairlead.Cell{Second: b.now.Unix(), Epoch: r.Epoch, Complete: true}
	for range 100 {
		arm, rate := &cell.Stable, stableRate
		if b.chance.Float64() < float64(r.Weight)/float64(fairlead.Whole)+b.skew {
			arm, rate = &cell.Canary, canaryRate
		}
		unit := b.chance.Uint64()
		arm.Requests++
		arm.Ended++
		arm.Units = append(arm.Units, unit)
		if b.chance.Float64() < rate {
			arm.Failed[fairlead.ServerError]++
			arm.Hits[fairlead.Failures] = append(arm.Hits[fairlead.Failures], unit)
		}
	}
	block.Cells = []fairlead.Cell{cell}
	b.feed(id, rollout.Input{Blocks: []fairlead.Block{block}, Applied: r.Epoch})
}

func (b *bench) find(id string) rollout.Rollout {
	b.t.Helper()
	state, err := b.engine.Find(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return *state.Rollout
}

// first makes release 1 live, so that there is something to compare with.
func (b *bench) first() {
	b.t.Helper()
	r := b.begin(1)
	b.feed(r.ID, rollout.Input{})
	if got := b.find(r.ID).Outcome; got != rollout.Promoted {
		b.t.Fatalf("the first release is %q, want promoted", got)
	}
}

func (b *bench) until(id string, stableRate, canaryRate float64, enough func(rollout.Rollout) bool) rollout.Rollout {
	b.t.Helper()
	for range 1000 {
		if r := b.find(id); enough(r) {
			return r
		}
		b.second(id, stableRate, canaryRate)
	}
	b.t.Fatalf("nothing was decided in 1000 seconds: %+v", b.find(id))
	return rollout.Rollout{}
}

func ended(r rollout.Rollout) bool { return r.Phase == rollout.Ended }

func TestAHarmfulReleaseIsRolledBackAndTheOldOneStaysLive(t *testing.T) {
	b := newBench(t)
	b.first()
	r := b.until(b.begin(2).ID, 0.005, 0.3, ended)
	if r.Outcome != rollout.RolledBack {
		t.Errorf("outcome %q, want rolled back: %v", r.Outcome, r.Notes)
	}
	if live := b.engine.Sites()[0].Live; live.Stable != 1 {
		t.Errorf("release %d is live, want 1", live.Stable)
	}
}

func TestAGoodReleaseIsPromotedAndReplacesTheOldOne(t *testing.T) {
	b := newBench(t)
	b.first()
	r := b.until(b.begin(2).ID, 0.005, 0.005, ended)
	if r.Outcome != rollout.Promoted {
		t.Errorf("outcome %q, want promoted: %v", r.Outcome, r.Notes)
	}
	if live := b.engine.Sites()[0].Live; live.Stable != 2 || live.Previous != 1 {
		t.Errorf("live %d, previous %d, want 2 and 1", live.Stable, live.Previous)
	}
}

func TestARestartInEverySecondChangesNothing(t *testing.T) {
	straight, restarted := newBench(t), newBench(t)
	var ends [2]rollout.Rollout
	for i, b := range []*bench{straight, restarted} {
		b.first()
		id := b.begin(2).ID
		for n := 0; !ended(b.find(id)); n++ {
			b.second(id, 0.005, 0.1)
			if b == restarted {
				b.restart()
			}
			if n > 200 {
				t.Fatal("nothing was decided in 200 seconds")
			}
		}
		ends[i] = b.find(id)
	}
	if a, b := ends[0], ends[1]; a.Verdict != b.Verdict || a.Decided != b.Decided || a.Tally != b.Tally {
		t.Errorf("with restarts: %+v %v %+v\nwithout:      %+v %v %+v", b.Verdict, b.Decided, b.Tally, a.Verdict, a.Decided, a.Tally)
	}
}

func TestABlockThatComesTwiceCountsOnce(t *testing.T) {
	b := newBench(t)
	b.first()
	id := b.begin(2).ID
	b.feed(id, rollout.Input{})
	block := fairlead.Block{Gateway: "boot", Seq: 1, Site: site, Rollout: id, Cells: []fairlead.Cell{{Second: b.now.Unix(), Epoch: 1,
		Stable: fairlead.Arm{Requests: 7, Units: fairlead.Units{1}}}}}
	for range 3 {
		b.feed(id, rollout.Input{Blocks: []fairlead.Block{block}})
		b.restart()
	}
	state, err := b.engine.Find(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if state.Tally.Stable.Requests != 7 {
		t.Errorf("%d requests counted, want 7", state.Tally.Stable.Requests)
	}
}

func TestReplayDecidesWhatTheLedgerSays(t *testing.T) {
	b := newBench(t)
	b.first()
	b.until(b.begin(2).ID, 0.005, 0.005, ended)
	b.until(b.begin(3).ID, 0.005, 0.3, ended)
	got, err := rollout.Replay(t.Context(), b.store)
	if err != nil {
		t.Fatal(err)
	}
	if got.Difference != "" || got.Rollouts != 3 || got.Decisions < 10 || got.Inputs < 20 {
		t.Errorf("replay: %+v", got)
	}
}

// forged is a ledger in which one decision's words were changed.
type forged struct{ rollout.Records }

func (f forged) Entries(ctx context.Context, from uint64, limit int) ([]fairlead.Entry, error) {
	entries, err := f.Records.Entries(ctx, from, limit)
	for i, e := range entries {
		if e.Kind == "rollout.rolledBack" {
			var data map[string]any
			if err := json.Unmarshal(e.Data, &data); err != nil {
				return nil, err
			}
			data["text"] = "it seemed right"
			entries[i].Data, _ = json.Marshal(data)
		}
	}
	return entries, err
}

func TestReplayNamesADecisionThatWasForged(t *testing.T) {
	b := newBench(t)
	b.first()
	b.until(b.begin(2).ID, 0.005, 0.3, ended)
	got, err := rollout.Replay(t.Context(), forged{b.store})
	if err != nil {
		t.Fatal(err)
	}
	if got.Difference == "" {
		t.Errorf("the forged decision was not noticed: %+v", got)
	}
}

func TestACallerThatGoesAwayLeavesTheRolloutWhole(t *testing.T) {
	b := newBench(t)
	b.first()
	id := b.begin(2).ID
	b.second(id, 0.005, 0.005)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, _ = b.engine.Act(gone, site, rollout.Ask{Command: rollout.Pause}, admin) // recorded or not: both are right
	if state := b.engine.Sites()[0]; state.Rollout == nil || state.Rollout.ID != id {
		t.Fatalf("the rollout is lost: %+v", state)
	}
	if _, err := b.engine.Act(t.Context(), site, rollout.Ask{Command: rollout.Abort}, admin); err != nil {
		t.Errorf("abort after it: %v", err)
	}
}

// failing is a store whose writes fail while full is set.
type failing struct {
	rollout.Store
	full *bool
}

func (f failing) Commit(ctx context.Context, c fairlead.Change) ([]fairlead.Entry, error) {
	if *f.full {
		return nil, fairlead.Errorf(fairlead.Unavailable, "commit", "the disk is full")
	}
	return f.Store.Commit(ctx, c)
}

func (f failing) Record(ctx context.Context, facts []fairlead.Fact) error {
	if *f.full {
		return fairlead.Errorf(fairlead.Unavailable, "record", "the disk is full")
	}
	return f.Store.Record(ctx, facts)
}

func TestAnInputThatCannotBeRecordedIsTakenAgainOnce(t *testing.T) {
	b := newBench(t)
	b.first()
	id := b.begin(2).ID
	b.second(id, 0.005, 0.005)
	full := false
	var err error
	if b.engine, err = rollout.Open(t.Context(), failing{b.store, &full}, func() time.Time { return b.now }, cryptorand.Reader); err != nil {
		t.Fatal(err)
	}
	before, err := b.engine.Find(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	block := fairlead.Block{Gateway: "boot", Seq: 9, Site: site, Rollout: id, Cells: []fairlead.Cell{{Second: b.now.Unix(), Epoch: 1,
		Stable: fairlead.Arm{Requests: 7, Units: fairlead.Units{1}}}}}
	full = true
	if _, err := b.engine.Feed(t.Context(), id, rollout.Input{Now: b.now, Blocks: []fairlead.Block{block}}); err == nil {
		t.Fatal("an input that was not recorded was taken")
	}
	if got := b.find(id); got.Phase != before.Rollout.Phase || got.Weight != before.Rollout.Weight {
		t.Errorf("the rollout moved without a record: %+v", got)
	}
	full = false
	for range 2 {
		b.feed(id, rollout.Input{Blocks: []fairlead.Block{block}})
	}
	after, err := b.engine.Find(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if got := after.Tally.Stable.Requests - before.Tally.Stable.Requests; got != 7 {
		t.Errorf("%d requests counted, want 7", got)
	}
}

func TestASecondReleaseWaitsForTheFirst(t *testing.T) {
	b := newBench(t)
	b.first()
	b.begin(2)
	_, err := b.engine.Begin(t.Context(), rollout.Beginning{Site: site, Release: 3, Kind: rollout.Forward, By: admin})
	if fairlead.CodeOf(err) != fairlead.Conflict || fairlead.HintOf(err) == "" {
		t.Errorf("a deploy during a rollout: %v, hint %q", err, fairlead.HintOf(err))
	}
}

func TestADeployInTheWatchRecordsThatTheHoldbackMoves(t *testing.T) {
	b := newBench(t)
	b.first()
	watched := b.until(b.begin(2).ID, 0.005, 0.005, func(r rollout.Rollout) bool { return r.Phase == rollout.Watching })
	b.begin(3)
	after := b.find(watched.ID)
	if after.Phase != rollout.Ended || after.Weight != fairlead.Whole {
		t.Fatalf("the watched rollout is %s at %s, want ended at all traffic", after.Phase, after.Weight)
	}
	intent := fmt.Sprintf("shift-%s-%d", watched.ID, watched.Epoch+1)
	if _, ok, err := b.store.Row(t.Context(), rollout.IntentRow, intent); err != nil || !ok {
		t.Errorf("no intent %s to move the holdback: %v", intent, err)
	}
}

func TestARollbackThatIsAskedForTwiceGoesBackOnce(t *testing.T) {
	b := newBench(t)
	b.first()
	b.until(b.begin(2).ID, 0.005, 0.005, func(r rollout.Rollout) bool { return r.Phase == rollout.Watching })
	back := b.beginAs(rollout.Back, 1)
	b.ready = 0
	b.feed(back.ID, rollout.Input{}) // its instances start
	again, err := b.engine.Act(t.Context(), site, rollout.Ask{Command: rollout.Rollback, Why: "no answer came"}, admin)
	if err != nil || again.ID != back.ID || again.Phase == rollout.Ended {
		t.Errorf("asked again: %s is %s, %v", again.ID, again.Phase, err)
	}
	b.ready = 1
	b.feed(back.ID, rollout.Input{})
	b.feed(back.ID, rollout.Input{Applied: b.find(back.ID).Epoch})
	if r := b.find(back.ID); r.Outcome != rollout.Promoted {
		t.Errorf("the way back ended as %q in phase %s: %+v", r.Outcome, r.Phase, r.Notes)
	}
}

func TestAViewerMayNotAct(t *testing.T) {
	b := newBench(t)
	b.first()
	b.begin(2)
	viewer := fairlead.Principal{ID: "system:viewer", Role: fairlead.Viewer}
	if _, err := b.engine.Act(t.Context(), site, rollout.Ask{Command: rollout.Abort}, viewer); fairlead.CodeOf(err) != fairlead.Forbidden {
		t.Errorf("a viewer aborts: %v", err)
	}
}

func TestTheLiveReleaseDeployedAgainIsLeftAlone(t *testing.T) {
	b := newBench(t)
	b.first()
	r := b.begin(1)
	if r.Phase != rollout.Ended || r.Outcome != rollout.Promoted {
		t.Errorf("rollout of the live release: phase %s, outcome %s", r.Phase, r.Outcome)
	}
	if want := rollout.Desire(b.engine.Sites()[0].Live, &r); want[1] != 1 || len(want) != 1 {
		t.Errorf("wants %v, want one instance of release 1", want)
	}
}

func TestTheRouteAndReplicasOfAReleaseCountOnlyOnceItIsPromoted(t *testing.T) {
	b := newBench(t)
	b.first()
	before := b.engine.Sites()[0].Live
	holdback := fairlead.Percent(5)
	r, err := b.engine.Begin(t.Context(), rollout.Beginning{
		Site: site, Release: 2, Kind: rollout.Forward, By: admin,
		Environment: fairlead.Environment{
			Name: "production", Replicas: 3, Route: fairlead.Route{Host: "new.example", PathPrefix: "/"},
			Strategy: fairlead.Strategy{
				Alpha: 1.0 / 300, Beta: 1.0 / 20, Tolerance: 1, Margin: fairlead.Margin{Ratio: 2, Absolute: 0.01},
				Steps: []fairlead.Percent{50}, Holdback: &holdback, MaxStep: fairlead.Duration(time.Hour),
				RollbackWindow: fairlead.Duration(time.Hour),
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if live := b.engine.Sites()[0].Live; live.Route != before.Route || live.Replicas != before.Replicas {
		t.Errorf("live is %+v before the release has any traffic, want %+v", live, before)
	}
	ready := func(r rollout.Rollout) bool { return r.Outcome == rollout.Promoted }
	b.ready = 3
	b.until(r.ID, 0.005, 0.005, ready)
	if live := b.engine.Sites()[0].Live; live.Route.Host != "new.example" || live.Replicas != 3 {
		t.Errorf("live is %+v after the promotion", live)
	}
	b.until(r.ID, 0.005, 0.5, ended)
	if live := b.engine.Sites()[0].Live; live.Route != before.Route || live.Replicas != before.Replicas || live.Stable != 1 {
		t.Errorf("live is %+v after the rollback in the watch, want %+v", live, before)
	}
}

func TestBlocksOfAnotherRolloutAreNoGap(t *testing.T) {
	b := newBench(t)
	b.first()
	id := b.begin(2).ID
	b.until(id, 0.005, 0.005, func(r rollout.Rollout) bool { return r.Phase == rollout.Stepping })
	b.second(id, 0.005, 0.005)
	b.seq++
	late := fairlead.Block{Gateway: "boot", Seq: b.seq, Site: site, Rollout: "ro-before", Cells: []fairlead.Cell{{Second: b.now.Unix() - 9, Epoch: 4,
		Stable: fairlead.Arm{Failed: [fairlead.Classes]uint32{1}}}}}
	elsewhere := fairlead.Block{Gateway: "boot", Seq: b.seq + 7, Site: fairlead.Site{App: "other", Env: site.Env}}
	b.feed(id, rollout.Input{Blocks: []fairlead.Block{late, elsewhere}})
	b.second(id, 0.005, 0.005)
	state, err := b.engine.Find(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(state.Report), "missing") || state.Verdict.Blocked != "" {
		t.Errorf("a block of the rollout before is a gap: %s", state.Report)
	}
	if state.Tally.Stable.Failed > 2 {
		t.Errorf("its failures count: %+v", state.Tally)
	}
	b.seq++ // now one is missing
	b.second(id, 0.005, 0.005)
	if state, err = b.engine.Find(t.Context(), id); err != nil || !strings.Contains(string(state.Report), "missing") {
		t.Errorf("a gap is not said: %s, %v", state.Report, err)
	}
}
