package gateway

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/disk"
	"github.com/fairlead/fairlead/internal/disk/crashdisk"
)

// testKeeper opens a keeper in dir, as a gateway's start does.
func testKeeper(t *testing.T, dir string) *keeper {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	j, err := openJournal(disk.OS{}, filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.close() })
	k, err := newKeeper(disk.OS{}, dir, newProxy("boot", j, log), time.Now(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func leased(seq uint64) *Snapshot {
	s := &Snapshot{Format: 1, Order: fairlead.Order{Term: 1, Seq: seq}, Routes: []Route{{
		Site: spoolSite, Host: "a", PathPrefix: "/", Stable: Backend{Release: 1},
		Split: &Split{
			Rollout: "r", Salt: []byte("0123456789abcdef"), Epoch: 3, Weight: 2500, Canary: Backend{Release: 2},
			Lease: Lease{TTL: fairlead.Duration(10 * time.Second), Fallback: 100},
		},
	}}}
	return s
}

// inForce returns the weight and epoch that requests meet.
func (k *keeper) inForce() (fairlead.Weight, uint32) {
	s := k.proxy.table.Load().sites[spoolSite].split
	return s.weight, s.epoch
}

func (k *keeper) want(t *testing.T, when string, weight fairlead.Weight, epoch uint32, events int) {
	t.Helper()
	if w, e := k.inForce(); w != weight || e != epoch {
		t.Errorf("%s: weight %s in epoch %d, want %s in %d", when, w, e, weight, epoch)
	}
	got := 0
	for _, e := range k.proxy.journal.after(0) {
		if e.Kind == eventLeaseExpired {
			got++
		}
	}
	if got != events {
		t.Errorf("%s: %d expiries in the journal, want %d", when, got, events)
	}
}

func TestALeaseRunsOutFromItsNewestRenewalAndOnlyASnapshotEndsThat(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		k := testKeeper(t, dir)
		if err := k.apply(time.Now(), leased(1)); err != nil {
			t.Fatal(err)
		}
		s := &server{Core: &Core{keeper: k, proxy: k.proxy, journal: k.proxy.journal}}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); s.attendLeases(ctx) }()
		time.Sleep(9 * time.Second)
		if err := k.renew(time.Now(), fairlead.Order{Term: 1, Seq: 2}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(9900 * time.Millisecond)
		k.want(t, "before its end", 2500, 3, 0)
		time.Sleep(time.Second)
		k.want(t, "after its end", 100, 0, 1)
		if err := k.renew(time.Now(), fairlead.Order{Term: 1, Seq: 3}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		k.want(t, "after a late renewal", 100, 0, 1)
		if err := k.apply(time.Now(), leased(4)); err != nil {
			t.Fatal(err)
		}
		k.want(t, "after a snapshot", 2500, 3, 1)
		stop()
		<-done
	})
}

func TestAGatewayThatStartsAloneFallsBack(t *testing.T) {
	dir := t.TempDir()
	k := testKeeper(t, dir)
	if err := k.apply(time.Now(), leased(5)); err != nil {
		t.Fatal(err)
	}
	k.want(t, "attended", 2500, 3, 0)
	again := testKeeper(t, dir)
	again.want(t, "alone", 100, 0, 1)
	if _, expired, weights := again.status(); len(expired) != 1 || expired[0] != spoolSite || weights[0] != 100 {
		t.Errorf("status says %v", expired)
	}
}

func TestAnOldOrderIsRefusedAlsoAfterARestart(t *testing.T) {
	dir := t.TempDir()
	k := testKeeper(t, dir)
	if err := k.apply(time.Now(), leased(5)); err != nil {
		t.Fatal(err)
	}
	if err := k.renew(time.Now(), fairlead.Order{Term: 1, Seq: 9}); err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string]*keeper{"same": k, "restarted": testKeeper(t, dir)} {
		for _, seq := range []uint64{5, 8, 9} {
			if err := k.apply(time.Now(), leased(seq)); fairlead.CodeOf(err) != fairlead.Conflict {
				t.Errorf("%s: snapshot %d: %v", name, seq, err)
			}
			if err := k.renew(time.Now(), fairlead.Order{Term: 1, Seq: seq}); fairlead.CodeOf(err) != fairlead.Conflict {
				t.Errorf("%s: renewal %d: %v", name, seq, err)
			}
		}
	}
}

// TestADiskThatHangsKeepsNoLeaseAlive holds up the journal's sync, and an order that
// is being written: the split goes to its fallback all the same.
func TestADiskThatHangsKeepsNoLeaseAlive(t *testing.T) {
	for name, hangs := range map[string]crashdisk.Op{"the journal": crashdisk.OpSync, "an order": crashdisk.OpCreate} {
		t.Run(name, func(t *testing.T) {
			d := crashdisk.New()
			log := slog.New(slog.NewTextHandler(io.Discard, nil))
			c, err := OpenCore(d, "/g", "boot", time.Unix(0, 0), log)
			if err != nil {
				t.Fatal(err)
			}
			writes := patience{most: time.Millisecond, slow: func() {}}
			c.proxy.patient = writes.run
			began := time.Now()
			if err := c.Apply(began, leased(1)); err != nil {
				t.Fatal(err)
			}
			reached, release := make(chan struct{}, 100), make(chan struct{})
			d.Fail(func(op crashdisk.Op, _ string) error {
				if op == hangs {
					reached <- struct{}{}
					<-release
				}
				return nil
			})
			renewal := make(chan error, 1)
			if hangs == crashdisk.OpCreate {
				go func() { renewal <- c.Renew(began, fairlead.Order{Term: 1, Seq: 2}) }()
				<-reached
			} else {
				renewal <- nil
			}
			c.Expire(began.Add(time.Minute))
			if w, e := c.keeper.inForce(); w != 100 || e != 0 {
				t.Errorf("weight %s in epoch %d while the disk hangs", w, e)
			}
			close(release)
			writes.running.Wait()
			if err := <-renewal; err != nil {
				t.Error(err)
			}
			if got := c.Events(0); got[len(got)-1].Kind != eventLeaseExpired {
				t.Errorf("the journal says %+v", got)
			}
		})
	}
}

// TestWhatAGatewayDoesAloneIsInTheJournalBeforeItTakesEffect looks at the balance and
// at the weights while the journal is being synced.
func TestWhatAGatewayDoesAloneIsInTheJournalBeforeItTakesEffect(t *testing.T) {
	d := crashdisk.New()
	began := time.Unix(1000, 0)
	c, err := OpenCore(d, "/g", "boot", began, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	s := leased(1)
	s.Routes[0].Stable.Instances = []Instance{{ID: "a", Address: "tcp:127.0.0.1:1"}, {ID: "b", Address: "tcp:127.0.0.1:2"}}
	if err := c.Apply(began, s); err != nil {
		t.Fatal(err)
	}
	b := c.proxy.table.Load().sites[spoolSite].stable
	one := b.instances[0]
	effect := func() string {
		w := c.proxy.table.Load().sites[spoolSite].split.weight
		return fmt.Sprint(one.heldUntil.Load() > 0, w)
	}
	var before, during string
	d.Fail(func(op crashdisk.Op, _ string) error {
		if op == crashdisk.OpSync {
			during = effect()
		}
		return nil
	})
	step := func(what string, act func()) {
		t.Helper()
		before, during = effect(), ""
		if act(); during == "" || during != before {
			t.Errorf("%s: %q at the journal's sync, %q before it", what, during, before)
		}
		if effect() == before {
			t.Errorf("%s: it had no effect", what)
		}
	}
	step("an ejection", func() {
		for range ejectAfter {
			c.proxy.unreachable(spoolSite, b, one, began)
		}
	})
	step("its end", func() {
		(&Ticket{proxy: c.proxy, site: spoolSite, instance: one, up: new(atomic.Int64)}).Reached(began)
	})
	step("the end of a lease", func() { c.Expire(began.Add(time.Minute)) })
}
