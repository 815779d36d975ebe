package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/store/sqlite"
)

const (
	ledgerWriters = 64
	ledgerRuns    = 9
	ledgerFor     = 2 * time.Second
)

// measureLedger lets 64 callers commit one durable entry at a time, as fast as
// they can.
func measureLedger(ctx context.Context, l *lab) ([]figure, error) {
	s, err := sqlite.Open(filepath.Join(l.temp, "ledger"), sqlite.Options{})
	if err != nil {
		return nil, err
	}
	entries := figure{Name: "durable entries under 64 writers", Unit: "/s", Goal: least(10_000),
		Note: fmt.Sprintf("each writer commits one entry with one row at a time for %s and waits until it is durable", ledgerFor)}
	disk := figure{Name: "  fdatasync beside it", Unit: "ms"}
	for range ledgerRuns {
		took, err := timeFdatasync(l.temp, 50)
		if err != nil {
			return nil, err
		}
		disk.Samples = append(disk.Samples, quantile(took, 0.5))
		perSecond, err := commitAll(ctx, s)
		if err != nil {
			return nil, err
		}
		entries.Samples = append(entries.Samples, perSecond)
	}
	return []figure{entries, disk}, s.Close()
}

// commitAll returns the entries committed per second.
func commitAll(ctx context.Context, s *sqlite.Store) (float64, error) {
	var done atomic.Int64
	var wg sync.WaitGroup
	failed := make(chan error, ledgerWriters)
	began := time.Now()
	for writer := range ledgerWriters {
		wg.Go(func() {
			for n := 0; time.Since(began) < ledgerFor; n++ {
				if _, err := s.Commit(ctx, fairlead.Change{Entries: []fairlead.Entry{instanceEntry(writer*1000 + n%100)}}); err != nil {
					failed <- err
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	select {
	case err := <-failed:
		return 0, err
	default:
		return float64(done.Load()) / time.Since(began).Seconds(), nil
	}
}

func instanceEntry(n int) fairlead.Entry {
	id := fmt.Sprintf("triage-%d", n)
	return fairlead.Entry{
		Time: time.Now().UTC(), Kind: "instance.ready", Site: oldSite, Principal: "system:rollout", Data: json.RawMessage(`{"instance":"` + id + `"}`),
		Rows: []fairlead.Row{{Kind: "instance", Key: id, Value: json.RawMessage(`{"state":"ready","release":7,"port":8080}`)}},
	}
}
