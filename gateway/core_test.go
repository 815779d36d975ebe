package gateway_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
	"github.com/fairlead/fairlead/internal/disk/crashdisk"
)

var (
	dawn    = time.Unix(1_700_000_000, 0)
	silence = slog.New(slog.NewTextHandler(io.Discard, nil))
)

func open(t testing.TB, d *crashdisk.Disk, boot string, now time.Time) *gateway.Core {
	t.Helper()
	c, err := gateway.OpenCore(d, "/gateway", boot, now, silence)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// halves is a snapshot with half of the units on a canary, under a lease.
func halves(seq uint64) *gateway.Snapshot {
	r := route(backend(1, instanceOf("a", "127.0.0.1:1"), instanceOf("b", "127.0.0.1:2")))
	r.Split = split(5000, uint32(seq), backend(2, instanceOf("c", "127.0.0.1:3")))
	r.Split.Lease = gateway.Lease{TTL: fairlead.Duration(10 * time.Second), Fallback: 0}
	return &gateway.Snapshot{Format: 1, Order: fairlead.Order{Term: 1, Seq: seq}, Routes: []gateway.Route{r}}
}

// day drives a gateway by hand for a minute and writes down all that it says.
func day(t *testing.T, d *crashdisk.Disk) string {
	t.Helper()
	var said bytes.Buffer
	say := func(v any) {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&said, "%s\n", data)
	}
	c := open(t, d, "boot-1", dawn)
	if err := c.Apply(dawn, halves(1)); err != nil {
		t.Fatal(err)
	}
	chance, now := rand.New(rand.NewPCG(1, 2)), dawn
	for second := range 60 {
		for range 20 {
			x := c.Admit(site, strconv.Itoa(chance.IntN(500)), now)
			fmt.Fprintln(&said, x.Release(), x.Instance())
			switch chance.IntN(4) {
			case 0:
				x.Unreachable(now)
			case 1:
				x.Fail(fairlead.ServerError)
			}
			x.FirstByte(now.Add(20*time.Millisecond), false)
			x.End(now.Add(30 * time.Millisecond))
			now = now.Add(50 * time.Millisecond)
		}
		c.Expire(now)
		c.Tidy(now)
		c.WriteBlocks(now, second == 59)
		if second < 30 {
			if err := c.Renew(now, fairlead.Order{Term: 1, Seq: uint64(2 + second)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	blocks, err := c.Blocks(1000)
	if err != nil {
		t.Fatal(err)
	}
	say(blocks)
	say(c.Events(0))
	say(c.Status())
	return said.String()
}

func TestTheSameCallsOfACoreHaveTheSameResults(t *testing.T) {
	first, second := day(t, crashdisk.New()), day(t, crashdisk.New())
	if first != second {
		t.Error("two runs of the same calls differ")
	}
	for _, want := range []string{`"leaseExpired"`, `"ejected"`, "2 c"} {
		if !bytes.Contains([]byte(first), []byte(want)) {
			t.Errorf("the run never had %s", want)
		}
	}
}

func TestATicketGoesElsewhereAndTheAssignedReleaseIsBlamedWhenItHasNothingLeft(t *testing.T) {
	c := open(t, crashdisk.New(), "boot", dawn)
	if err := c.Apply(dawn, halves(1)); err != nil {
		t.Fatal(err)
	}
	var x *gateway.Ticket
	for unit := 0; x == nil || !x.Canary(); unit++ {
		if x != nil {
			x.End(dawn)
		}
		x = c.Admit(site, strconv.Itoa(unit), dawn)
	}
	if x.Instance() != "c" || c.Status().InFlight["c"] != 1 {
		t.Fatalf("at %s, in flight %v", x.Instance(), c.Status().InFlight)
	}
	for _, more := range []bool{true, true, false} {
		if x.Unreachable(dawn) != more || x.Release() != 2 || (x.Instance() != "") != more {
			t.Errorf("at %q of release %d", x.Instance(), x.Release())
		}
	}
	x.End(dawn)
	if s := c.Status(); len(s.InFlight) > 0 || s.Refused != 1 {
		t.Errorf("in flight %v, %d refused", s.InFlight, s.Refused)
	}
	if c.Admit(fairlead.Site{App: "other", Env: "production"}, "u", dawn) != nil || c.Status().Refused != 2 {
		t.Error("a site without a route was served")
	}
	c.WriteBlocks(dawn.Add(2*time.Second), true)
	blocks, err := c.Blocks(10)
	if err != nil || len(blocks) == 0 {
		t.Fatal(blocks, err)
	}
	if arm := blocks[0].Cells[0].Canary; arm.Failed[fairlead.Reset] != 1 || arm.Ended != arm.Requests {
		t.Errorf("the canary's arm: %+v", arm)
	}
}

// TestACoreKeepsItsWordOverCrashesAndFullDisks acts at random, fails operations,
// and ends the process or the power at any of them. What was acknowledged stays:
// a snapshot is in force again or a newer one, an older order is refused, events
// keep their numbers and texts, and blocks that only the process lost are there.
func TestACoreKeepsItsWordOverCrashesAndFullDisks(t *testing.T) {
	for seed := range uint64(400) {
		w := &word{t: t, seed: seed, chance: rand.New(rand.NewPCG(seed, 1)), disk: crashdisk.New(), events: map[uint64]string{}, now: dawn}
		for w.boots = range 6 {
			w.life()
		}
	}
}

type word struct {
	t        *testing.T
	seed     uint64
	boots    int
	chance   *rand.Rand
	disk     *crashdisk.Disk
	now      time.Time
	applied  fairlead.Order // acknowledged
	newest   fairlead.Order // acknowledged
	tried    uint64         // sequence of the newest order sent
	events   map[uint64]string
	seen     uint64 // number of the newest event that was in the journal with its effect
	powerOff bool
}

func (w *word) life() {
	w.disk.Fail(nil)
	boot := strconv.Itoa(w.boots)
	c, err := gateway.OpenCore(w.disk, "/gateway", boot, w.now, silence)
	if err != nil {
		w.t.Fatalf("seed %d boot %d: %v", w.seed, w.boots, err)
	}
	w.check(c)
	left := w.chance.IntN(60)
	broken := false
	w.disk.Fail(func(op crashdisk.Op, _ string) error {
		if left--; left < 0 {
			broken = true
			return &crashdisk.Short{Bytes: w.chance.IntN(200), Err: syscall.EIO}
		}
		if w.chance.IntN(20) == 0 {
			return &crashdisk.Short{Bytes: w.chance.IntN(200), Err: syscall.ENOSPC}
		}
		return nil
	})
	for !broken {
		w.act(c)
	}
	w.powerOff = w.chance.IntN(2) == 0
	if w.powerOff {
		w.disk.Crash(w.chance)
	} else {
		w.disk.Kill()
	}
}

func (w *word) act(c *gateway.Core) {
	w.now = w.now.Add(time.Duration(w.chance.IntN(3000)) * time.Millisecond)
	c.Expire(w.now)
	w.note(c)
	switch w.chance.IntN(4) {
	case 0:
		w.tried++
		s := halves(w.tried)
		if c.Apply(w.now, s) == nil {
			w.applied, w.newest = s.Order, s.Order
		}
	case 1:
		w.tried++
		order := fairlead.Order{Term: 1, Seq: w.tried}
		if c.Renew(w.now, order) == nil {
			w.newest = order
		}
	case 2:
		if x := c.Admit(site, strconv.Itoa(w.chance.IntN(100)), w.now); x != nil {
			x.Unreachable(w.now)
			x.End(w.now)
		}
	case 3:
		c.WriteBlocks(w.now, false)
	}
	w.note(c)
}

// note remembers the events that the journal says it has.
func (w *word) note(c *gateway.Core) {
	for _, e := range c.Events(w.seen) {
		w.events[e.N] = e.Text
		w.seen = e.N
	}
}

func (w *word) check(c *gateway.Core) {
	got := map[uint64]string{}
	for _, e := range c.Events(0) {
		if e.Kind == "stateLost" {
			w.t.Fatalf("seed %d boot %d: %s", w.seed, w.boots, e.Text)
		}
		got[e.N] = e.Text
	}
	for n, text := range w.events {
		if got[n] != text {
			w.t.Fatalf("seed %d boot %d: event %d was %q, is %q", w.seed, w.boots, n, text, got[n])
		}
	}
	if at := c.Status().Applied; w.applied.After(at) {
		w.t.Fatalf("seed %d boot %d: snapshot %s in force after %s was acknowledged", w.seed, w.boots, at, w.applied)
	}
	if w.newest.Seq > 0 && c.Renew(w.now, w.newest) == nil {
		w.t.Fatalf("seed %d boot %d: order %s was taken twice", w.seed, w.boots, w.newest)
	}
	if s := c.Status(); s.Applied.Seq > 0 && len(s.Expired) != 1 {
		w.t.Fatalf("seed %d boot %d: a core that starts alone attends its leases: %+v", w.seed, w.boots, s)
	}
	w.note(c)
}

func TestAFallbackGivesNothingToAReleaseThatHasNothingReady(t *testing.T) {
	c := open(t, crashdisk.New(), "boot", dawn)
	s := halves(1)
	s.Routes[0].Stable.Instances = nil // the last one died
	if err := c.Apply(dawn, s); err != nil {
		t.Fatal(err)
	}
	later := dawn.Add(time.Minute)
	c.Expire(later)
	if at := c.Status(); len(at.Expired) != 1 {
		t.Fatalf("expired %v", at.Expired)
	}
	for unit := range 20 {
		x := c.Admit(site, strconv.Itoa(unit), later)
		if x.Release() != 1 || x.Instance() != "c" {
			t.Fatalf("assigned to %d, served by %q", x.Release(), x.Instance())
		}
		x.End(later)
	}
}

func TestAnOlderControlPlaneIsRefusedEverywhereOnceANewerOneSpoke(t *testing.T) {
	ack := func(term uint64) []gateway.Ack {
		return []gateway.Ack{{Term: term, Gateway: "boot", Site: site, Seq: 1000}}
	}
	spoke := map[string]func(c *gateway.Core) error{
		"a snapshot":         func(c *gateway.Core) error { s := halves(1); s.Order.Term = 2; return c.Apply(dawn, s) },
		"a renewal":          func(c *gateway.Core) error { return c.Renew(dawn, fairlead.Order{Term: 2, Seq: 1}) },
		"an acknowledgement": func(c *gateway.Core) error { return c.Ack(ack(2)) },
	}
	for name, speak := range spoke {
		t.Run("by "+name, func(t *testing.T) {
			d := crashdisk.New()
			c := open(t, d, "boot", dawn)
			if err := c.Apply(dawn, halves(1)); err != nil {
				t.Fatal(err)
			}
			c.Admit(site, "u", dawn).End(dawn)
			c.WriteBlocks(dawn.Add(2*time.Second), false)
			if err := speak(c); err != nil {
				t.Fatal(err)
			}
			refuses := func(when string) {
				t.Helper()
				for what, err := range map[string]error{
					"a snapshot":         c.Apply(dawn, halves(99)),
					"a renewal":          c.Renew(dawn, fairlead.Order{Term: 1, Seq: 99}),
					"an acknowledgement": c.Ack(ack(1)),
				} {
					if fairlead.CodeOf(err) != fairlead.Conflict {
						t.Errorf("%s, %s of the old term: %v", when, what, err)
					}
				}
			}
			refuses("at once")
			if blocks, err := c.Blocks(10); err != nil || len(blocks) == 0 && name != "an acknowledgement" {
				t.Errorf("blocks %v, %v", blocks, err)
			}
			d.Kill()
			c = open(t, d, "boot-2", dawn.Add(time.Minute))
			refuses("after a restart")
		})
	}
}

func TestBlocksSurviveTheProcess(t *testing.T) {
	d := crashdisk.New()
	c := open(t, d, "one", dawn)
	if err := c.Apply(dawn, halves(1)); err != nil {
		t.Fatal(err)
	}
	c.Admit(site, "u", dawn).End(dawn)
	c.WriteBlocks(dawn.Add(time.Second), false)
	d.Kill()
	c = open(t, d, "two", dawn.Add(time.Minute))
	blocks, err := c.Blocks(10)
	if err != nil || len(blocks) != 1 || blocks[0].Gateway != "one" || blocks[0].Final {
		t.Errorf("blocks %+v, %v", blocks, err)
	}
}

// BenchmarkTicket is a simulation's request: assigned, counted, ended.
func BenchmarkTicket(b *testing.B) {
	c := open(b, crashdisk.New(), "boot", dawn)
	if err := c.Apply(dawn, halves(1)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var units [1000]string
	for i := range units {
		units[i] = strconv.Itoa(i)
	}
	now := dawn
	for i := 0; b.Loop(); i++ {
		x := c.Admit(site, units[i%len(units)], now)
		x.FirstByte(now, false)
		x.End(now)
		if i%200 == 199 {
			now = now.Add(time.Second)
			b.StopTimer()
			c.WriteBlocks(now, false)
			b.StartTimer()
		}
	}
}

// BenchmarkSecond is what a simulated second costs beside its requests: a block
// written, read and acknowledged.
func BenchmarkSecond(b *testing.B) {
	c := open(b, crashdisk.New(), "boot", dawn)
	if err := c.Apply(dawn, halves(1)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	now := dawn
	for b.Loop() {
		for i := range 20 {
			c.Admit(site, strconv.Itoa(i), now).End(now)
		}
		now = now.Add(time.Second)
		c.Expire(now)
		c.WriteBlocks(now, false)
		blocks, err := c.Blocks(100)
		if err != nil {
			b.Fatal(err)
		}
		for _, block := range blocks {
			if err := c.Ack([]gateway.Ack{{Term: 1, Gateway: block.Gateway, Site: block.Site, Seq: block.Seq}}); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func TestAGatewayThatStartsOnAFullDiskServesAndSaysItLater(t *testing.T) {
	d := crashdisk.New()
	c := open(t, d, "first", dawn)
	if err := errors.Join(c.Apply(dawn, halves(1)), c.Close()); err != nil {
		t.Fatal(err)
	}
	d.Fail(func(op crashdisk.Op, _ string) error {
		if op == crashdisk.OpCreate || op == crashdisk.OpWrite {
			return &crashdisk.Short{Err: syscall.ENOSPC}
		}
		return nil
	})
	c = open(t, d, "second", dawn)
	if x := c.Admit(site, "unit", dawn); x == nil || x.Instance() == "" {
		t.Error("nothing is served")
	}
	c.Tidy(dawn)
	before := len(c.Events(0))
	d.Fail(nil)
	c.Tidy(dawn.Add(time.Minute))
	events := c.Events(uint64(before))
	if len(events) != 2 || !strings.Contains(events[0].Text, "second") || events[1].Kind != "leaseExpired" || !events[1].Time.Equal(dawn) {
		t.Errorf("events %+v", events)
	}
}

func TestASnapshotThatIsNotOnDiskIsNotInForce(t *testing.T) {
	d := crashdisk.New()
	c := open(t, d, "boot", dawn)
	if err := c.Apply(dawn, halves(1)); err != nil {
		t.Fatal(err)
	}
	for _, op := range []crashdisk.Op{crashdisk.OpCreate, crashdisk.OpWrite, crashdisk.OpSync, crashdisk.OpRename, crashdisk.OpSyncDir} {
		d.Fail(func(o crashdisk.Op, _ string) error {
			if o == op {
				return syscall.EIO
			}
			return nil
		})
		next := halves(2)
		next.Routes[0].Stable.Release = 7
		if err := c.Apply(dawn, next); fairlead.CodeOf(err) != fairlead.Unavailable {
			t.Errorf("%s failed, and the snapshot was applied: %v", op, err)
		}
		if at := c.Status().Applied; at.Seq != 1 {
			t.Errorf("%s failed, and %s is in force", op, at)
		}
		for unit := range 20 {
			if x := c.Admit(site, strconv.Itoa(unit), dawn); x.Release() == 7 {
				t.Fatalf("%s failed, and requests follow the snapshot", op)
			}
		}
	}
}

func TestARenewalThatComesTooLateRevivesNothing(t *testing.T) {
	c := open(t, crashdisk.New(), "boot", dawn)
	if err := c.Apply(dawn, halves(1)); err != nil {
		t.Fatal(err)
	}
	late := dawn.Add(10 * time.Second) // nobody has looked at the lease since
	if err := c.Renew(late, fairlead.Order{Term: 1, Seq: 2}); err != nil {
		t.Fatal(err)
	}
	if s := c.Status(); len(s.Expired) != 1 {
		t.Errorf("the lease lives on: %+v", s)
	}
}
