package server

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/steadyclock"
)

func TestAClockThatIsSetIsSaidOnceAndOnceMoreWhenItIsRightAgain(t *testing.T) {
	wall, up := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC), time.Duration(0)
	clock := steadyclock.New(func() time.Time { return wall }, func() time.Duration { return up }, time.Time{})
	var log strings.Builder
	watch := clockWatch{clock: clock, log: slog.New(slog.NewTextHandler(&log, nil))}
	says := func(want ...string) {
		t.Helper()
		for range 3 {
			watch.look()
		}
		said := strings.Count(log.String(), "\n")
		for _, word := range want {
			if !strings.Contains(log.String(), word) {
				t.Errorf("%q is not in %q", word, log.String())
			}
		}
		if said != min(len(want), 1) {
			t.Errorf("%d lines: %q", said, log.String())
		}
		log.Reset()
	}
	says()
	wall = wall.Add(-time.Hour)
	says("level=WARN", "machineAhead=-1h0m0s")
	wall, up = wall.Add(time.Hour+time.Minute), up+time.Minute
	says("level=INFO", "agrees with the ledger's time again")
	wall = wall.Add(3 * time.Second) // as clocks do
	says()
	wall = wall.Add(time.Hour)
	says("level=WARN", "machineAhead=1h0m3s")
}

// entries is a ledger of entries at some times, in seconds.
type entries []int

func (e entries) Size() uint64 { return uint64(len(e)) }

func (e entries) Entries(_ context.Context, from uint64, limit int) ([]fairlead.Entry, error) {
	var list []fairlead.Entry
	for seq := from; seq < e.Size() && len(list) < limit; seq++ {
		list = append(list, fairlead.Entry{Seq: seq, Time: time.Unix(int64(e[seq]), 0)})
	}
	if from > e.Size() {
		return nil, fmt.Errorf("from %d of %d", from, e.Size())
	}
	return list, nil
}

func TestTheClockBeginsAtTheNewestOfTheNewestEntries(t *testing.T) {
	ahead := int(time.Now().Add(time.Hour).Unix())
	for name, ledger := range map[string]entries{
		"it is the last":     {1, 2, ahead},
		"it is not the last": {1, ahead, ahead - 2},
		"many are there":     append(make(entries, 1000), ahead, 5),
	} {
		clock, err := openClock(t.Context(), ledger)
		if err != nil {
			t.Fatal(err)
		}
		if now := clock.Now(); now.Before(time.Unix(int64(ahead), 0)) || clock.Off() > -59*time.Minute {
			t.Errorf("%s: the clock says %s", name, now)
		}
	}
	clock, err := openClock(t.Context(), entries{})
	if err != nil || clock.Off().Abs() > time.Minute {
		t.Errorf("without an entry: off by %s, %v", clock.Off(), err)
	}
}
