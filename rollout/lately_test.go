package rollout

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead"
)

// watcher feeds a Seen a look five times a second, and a block each second.
type watcher struct {
	seen Seen
	now  time.Time
	seq  uint64
	ids  []string // of rollouts whose blocks come, "" for none
}

func newWatcher() *watcher {
	return &watcher{now: time.Unix(1_700_000_000, 0), ids: []string{""}}
}

func (w *watcher) block(rollout string, closed time.Time, requests uint32) fairlead.Block {
	w.seq++
	cell := fairlead.Cell{Second: closed.Unix() - 1, Complete: true}
	cell.Stable = fairlead.Arm{Requests: requests - 1, Ended: requests - 1}
	cell.Stable.Latency[10] = requests - 1
	cell.Canary = fairlead.Arm{Requests: 1, Ended: 1, Failed: [fairlead.Classes]uint32{1}}
	cell.Canary.Latency[30] = 1
	return fairlead.Block{Gateway: "boot", Seq: w.seq, Site: baselineSite, Rollout: rollout, At: closed.UnixMilli(), Cells: []fairlead.Cell{cell}}
}

func (w *watcher) pass(seconds int, requests uint32) {
	for range seconds {
		for range 4 {
			w.now = w.now.Add(200 * time.Millisecond)
			w.seen.take(w.now, nil)
		}
		w.now = w.now.Add(200 * time.Millisecond)
		var blocks []fairlead.Block
		for _, id := range w.ids {
			if requests > 0 {
				blocks = append(blocks, w.block(id, w.now.Add(-300*time.Millisecond), requests))
			}
		}
		w.seen.take(w.now, blocks)
	}
}

func (w *watcher) perSecond(t *testing.T) float64 {
	t.Helper()
	l, known := w.seen.Of(baselineSite, w.now)
	if !known {
		t.Fatal("the newest minute is not known")
	}
	return float64(l.Requests) / l.Over.Seconds()
}

func near(got, want float64) bool { return got > 0.9*want && got < 1.1*want }

func TestTheNewestMinuteIsKnownWithARolloutAndWithoutOne(t *testing.T) {
	for name, ids := range map[string][]string{"none": {""}, "one": {"ro"}, "one that has just begun": {"", "ro"}} {
		w := newWatcher()
		w.ids = ids
		w.pass(130, 50)
		l, _ := w.seen.Of(baselineSite, w.now)
		if want := 50 * float64(len(ids)); !near(w.perSecond(t), want) {
			t.Errorf("with %s: %.1f requests a second, want %.0f", name, w.perSecond(t), want)
		}
		if l.Over < 55*time.Second || l.Over > time.Minute {
			t.Errorf("with %s: it is of %v", name, l.Over)
		}
		if failed := float64(l.Failed) / float64(l.Ended); !near(failed, 0.02) {
			t.Errorf("with %s: %.3f failed, want 0.02", name, failed)
		}
		if l.P50 != fairlead.BucketBound(10) || l.P99 != fairlead.BucketBound(30) {
			t.Errorf("with %s: p50 %v and p99 %v", name, l.P50, l.P99)
		}
	}
}

func TestTrafficThatEndsIsForgottenInAMinute(t *testing.T) {
	w := newWatcher()
	w.pass(70, 50)
	w.pass(20, 0)
	if got := w.perSecond(t); got < 25 || got > 40 {
		t.Errorf("%.1f requests a second after 20 quiet seconds, want about a third less than 50", got)
	}
	w.pass(45, 0)
	if got := w.perSecond(t); got != 0 {
		t.Errorf("%.1f requests a second after a quiet minute, want none", got)
	}
	if len(w.seen.sites) != 1 { // it is forgotten when blocks of others come
		t.Errorf("%d sites are kept", len(w.seen.sites))
	}
	other := w.block("", w.now, 2)
	other.Site.Env = "qa"
	w.seen.take(w.now, []fairlead.Block{other})
	if _, kept := w.seen.sites[baselineSite]; kept {
		t.Error("a site without traffic is kept")
	}
}

func TestNothingIsKnownJustAfterAStartOrWhileTheGatewayIsAway(t *testing.T) {
	w := newWatcher()
	if _, known := w.seen.Of(baselineSite, w.now); known {
		t.Error("it is known before the first look")
	}
	w.pass(3, 50)
	if _, known := w.seen.Of(baselineSite, w.now); known {
		t.Error("it is known after three seconds")
	}
	w.pass(10, 50)
	if got := w.perSecond(t); !near(got, 50) {
		t.Errorf("%.1f requests a second after 13 seconds, want 50", got)
	}
	if _, known := w.seen.Of(baselineSite, w.now.Add(11*time.Second)); known {
		t.Error("it is known although nobody looked for 11 seconds")
	}
}

func TestWhatWaitedAtTheGatewayIsNotTakenForNow(t *testing.T) {
	w := newWatcher()
	w.seen.take(w.now, nil)
	for batch := range 5 { // an hour's blocks come in some batches
		var blocks []fairlead.Block
		for i := range 700 {
			blocks = append(blocks, w.block("", w.now.Add(time.Duration(700*batch+i-3600)*time.Second), 50))
		}
		w.now = w.now.Add(200 * time.Millisecond)
		w.seen.take(w.now, blocks)
	}
	w.pass(50, 50)
	if got := w.perSecond(t); got > 70 {
		t.Errorf("%.1f requests a second, want about 50", got)
	}
}

func TestABlockThatComesAgainIsSeenOnce(t *testing.T) {
	w := newWatcher()
	w.pass(10, 50)
	before, _ := w.seen.Of(baselineSite, w.now)
	again := w.block("", w.now, 50)
	again.Seq--
	w.seen.take(w.now, []fairlead.Block{again})
	if after, _ := w.seen.Of(baselineSite, w.now); after != before {
		t.Errorf("%+v after a block came again, want %+v", after, before)
	}
}

func TestAMinuteIsNotLongerThanAMinute(t *testing.T) {
	w := newWatcher()
	w.now = time.Unix(1_700_000_000, 0).Truncate(slotLength)
	w.seen.take(w.now, nil)
	w.seen.take(w.now, []fairlead.Block{w.block("", w.now, 50)})
	for slot := 1; slot <= slotsKept; slot++ {
		w.now = w.now.Add(slotLength)
		w.seen.take(w.now, nil)
		l, known := w.seen.Of(baselineSite, w.now)
		if want := slot < slotsKept; !known || (l.Requests == 50) != want {
			t.Errorf("%v after 50 requests %d are seen", time.Duration(slot)*slotLength, l.Requests)
		}
	}
}
