package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/release"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/store/sqlite"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/room"
)

// lodging is a machine of 24 GiB, of which 1 is reserved, with the rooms of a store.
type lodging struct {
	*rooms
	t     *testing.T
	store *sqlite.Store
	alive []workload.Status
}

func newLodging(t *testing.T) *lodging {
	store, err := sqlite.Open(t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	engine, err := rollout.Open(t.Context(), store, time.Now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	l := &lodging{t: t, store: store}
	l.rooms = &rooms{
		engine: engine, releases: &release.Maker{Store: store},
		list: func(context.Context) ([]workload.Status, error) { return l.alive, nil },
		look: func(context.Context) (room.Machine, error) {
			return room.Machine{MilliCPU: 4000, Memory: 24 << 30, Reserve: 1 << 30, State: room.Disk{Path: "/state", Size: 100 << 30, Free: 50 << 30}}, nil
		},
		used: func(fairlead.Site, int, fairlead.Volume) int64 { return 0 },
	}
	return l
}

// wish records a release with a memory limit and wants it in production.
func (l *lodging) wish(app string, number, replicas int, memory string, strategy fairlead.Strategy) wish {
	l.t.Helper()
	r := fairlead.Release{App: app, Number: number, Content: fairlead.Content{Resources: fairlead.Resources{Memory: memory}}}
	value, err := json.Marshal(r)
	if err != nil {
		l.t.Fatal(err)
	}
	row := fairlead.Row{Kind: fairlead.ReleaseRow, Key: fairlead.ReleaseKey(app, number), Value: value}
	if err := record(l.t.Context(), l.store, time.Now(), "release.created", self, map[string]any{}, row); err != nil {
		l.t.Fatal(err)
	}
	return wish{resources: r.Content.Resources, Beginning: rollout.Beginning{
		Site: fairlead.Site{App: app, Env: "production"}, Release: number, Kind: rollout.Forward, By: fairlead.Principal{ID: self, Role: fairlead.Admin},
		Environment: fairlead.Environment{Name: "production", Replicas: replicas, Strategy: strategy},
	}}
}

// settle admits a wish as the first release of its site, and lets it come to rest there.
func (l *lodging) settle(w wish) {
	l.t.Helper()
	b, err := l.admit(l.t.Context(), w)
	if err != nil {
		l.t.Fatal(err)
	}
	r, err := l.engine.Begin(l.t.Context(), b)
	if err != nil {
		l.t.Fatal(err)
	}
	if _, err := l.engine.Feed(l.t.Context(), r.ID, rollout.Input{Now: time.Now(), Gates: rollout.GateState{Satisfied: true}, New: rollout.Group{Ready: w.Environment.Replicas}}); err != nil {
		l.t.Fatal(err)
	}
	for range w.Environment.Replicas {
		l.alive = append(l.alive, workload.Status{Site: w.Site, Release: w.Release, State: workload.Ready})
	}
}

func canary() fairlead.Strategy {
	return fairlead.Strategy{Type: fairlead.Canary, Alpha: 1.0 / 300, Beta: 1.0 / 20, Steps: []fairlead.Percent{50}, RollbackWindow: fairlead.Duration(time.Minute)}
}

func TestADeployWithoutRoomIsRefusedWithTheArithmeticAndWithWhatWouldFit(t *testing.T) {
	l := newLodging(t)
	l.settle(l.wish("chat", 1, 1, "2Gi", canary()))
	l.settle(l.wish("triage", 3, 4, "3Gi", canary()))
	_, err := l.admit(t.Context(), l.wish("triage", 4, 4, "3Gi", canary()))
	if fairlead.CodeOf(err) != fairlead.Conflict {
		t.Fatalf("%v", err)
	}
	want := "memory: 4 x 3Gi asked, 9Gi of 24Gi is free: 24Gi machine - 1Gi reserve - chat@1 in production 1 x 2Gi - triage@3 in production 4 x 3Gi"
	if !strings.Contains(err.Error(), want) {
		t.Errorf("%v", err)
	}
	hint := fairlead.HintOf(err)
	for _, offer := range []string{"strategy: {shrink: true}", "strategy: {type: replace}", "replicas: 3"} {
		if !strings.Contains(hint, offer) {
			t.Errorf("no %s in %q", offer, hint)
		}
	}
	for what, change := range map[string]func(*fairlead.Environment){
		"shrink":   func(e *fairlead.Environment) { e.Strategy.Shrink = true },
		"replace":  func(e *fairlead.Environment) { e.Strategy = fairlead.Strategy{Type: fairlead.Replace} },
		"replicas": func(e *fairlead.Environment) { e.Replicas = 3 },
	} {
		w := l.wish("triage", 4, 4, "3Gi", canary())
		change(&w.Environment)
		if _, err := l.admit(t.Context(), w); err != nil {
			t.Errorf("what was offered does not fit: %s: %v", what, err)
		}
	}
}

func TestWhatFitsInNoWayIsRefusedBeforeAReleaseIsMade(t *testing.T) {
	l := newLodging(t)
	l.settle(l.wish("triage", 1, 2, "4Gi", canary()))
	big := l.wish("triage", room.NotMade, 2, "12Gi", canary())
	err := l.possible(t.Context(), big)
	if err == nil || !strings.Contains(err.Error(), "bring triage to production: this machine has no room for it: memory: 2 x 12Gi asked") {
		t.Errorf("%v", err)
	}
	if hint := fairlead.HintOf(err); !strings.Contains(hint, "replicas: 1") || strings.Contains(hint, "replace") {
		t.Errorf("%q", hint)
	}
	if err := l.possible(t.Context(), l.wish("triage", room.NotMade, 2, "10Gi", canary())); err != nil {
		t.Errorf("in place it would fit: %v", err)
	}
}

func TestARolloutOnItsWayHasItsRoomBeforeItsInstancesAreThere(t *testing.T) {
	l := newLodging(t)
	l.settle(l.wish("triage", 1, 2, "4Gi", canary()))
	b, err := l.admit(t.Context(), l.wish("triage", 2, 2, "4Gi", canary()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.engine.Begin(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if _, err := l.admit(t.Context(), l.wish("chat", 1, 1, "8Gi", canary())); err == nil {
		t.Error("8 GiB fit beside 8 that run and 8 that are to come, of 23")
	}
	if _, err := l.admit(t.Context(), l.wish("chat", 1, 1, "7Gi", canary())); err != nil {
		t.Error(err)
	}
}

func TestAWayBackIsNotRefusedForWantOfRoomThatItMakesItself(t *testing.T) {
	l := newLodging(t)
	l.settle(l.wish("triage", 2, 2, "8Gi", canary()))
	back := l.wish("triage", 1, 3, "4Gi", canary())
	back.Kind = rollout.Back
	b, err := l.admit(t.Context(), back)
	if err != nil || !b.InPlace || b.Environment.Strategy.Type != fairlead.Canary {
		t.Fatalf("%+v, %v", b, err)
	}
	small := l.wish("triage", 1, 3, "1Gi", canary())
	small.Kind = rollout.Back
	if b, err := l.admit(t.Context(), small); err != nil || b.InPlace {
		t.Errorf("there is room beside: %+v, %v", b, err)
	}
}

func TestRoomShowsWhoTakesWhat(t *testing.T) {
	l := newLodging(t)
	l.settle(l.wish("chat", 1, 2, "", canary()))
	l.settle(l.wish("triage", 3, 4, "3Gi", canary()))
	r, err := l.Room(t.Context())
	if err != nil || len(r.Taken) != 2 || r.Taken[1].Release != 3 || r.Taken[1].Running != 4 || r.Taken[1].Memory != 3<<30 {
		t.Fatalf("%+v, %v", r, err)
	}
	if r.Memory.Free != 11<<30 || len(r.Unlimited) != 1 || r.Unlimited[0] != "chat@1 in production" {
		t.Errorf("%+v", r)
	}
}
