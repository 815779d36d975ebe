package gateway

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/disk"
)

// What a build left that knew neither limits of the first byte nor reports.
const (
	olderSnapshot = `{"format":1,"order":{"term":3,"seq":5},"routes":[{
		"site":{"app":"triage","env":"production"},"host":"triage.localhost","pathPrefix":"/","assignment":{"by":"header","name":"Tenant"},
		"timeout":"10s","runLimit":"1m0s","stable":{"release":1,"digest":"","instances":[{"id":"a","address":"tcp:127.0.0.1:1"}]},
		"split":{"rollout":"r1","salt":"c2FsdHNhbHRzYWx0c2FsdA==","epoch":2,"weight":10000,
			"canary":{"release":2,"digest":"","instances":[{"id":"b","address":"tcp:127.0.0.1:2"}]},
			"thresholds":[0.001,2000,3000],"lease":{"ttl":"0s","fallback":0}}}]}`
	olderBlock = `{"gateway":"older","seq":1,"site":{"app":"triage","env":"production"},"rollout":"r1","at":1700000001000,"cells":[{
		"second":1700000000,"epoch":2,"complete":true,
		"stable":{"hits":["","","",""],"failed":[0,0,0],"latency":"","first":""},
		"canary":{"requests":1,"units":"AAAAAAAAAAc=","hits":["AAAAAAAAAAc=","","","AAAAAAAAAAc="],"failed":[0,1,0],"latency":"12:1","first":"","ended":1}}]}`
)

func TestWhatAnOlderBuildLeftIsUsedAsItIs(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(snapshotFile, []byte(olderSnapshot))
	write("spool/0-older-000001"+spoolSuffix, appendFrame(nil, []byte(olderBlock)))
	now := time.Unix(1_700_000_100, 0)
	c, err := OpenCore(disk.OS{}, dir, "boot", now, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	x := c.Admit(fairlead.Site{App: "triage", Env: "production"}, "one", now)
	if x == nil || !x.Canary() || x.Trace() == "" {
		t.Fatalf("its route is not in force: %+v", x)
	}
	x.Report([]string{"quality=1"})
	x.FirstByte(now.Add(time.Hour), false)
	x.End(now.Add(time.Hour))
	c.WriteBlocks(now.Add(time.Hour), true)
	blocks, err := c.Blocks(10)
	if err != nil || len(blocks) != 2 {
		t.Fatal(blocks, err)
	}
	older, newer := blocks[0].Cells[0].Canary, blocks[1].Cells[0].Canary
	if len(older.Hits[fairlead.Failures]) != 1 || len(older.Hits[fairlead.SlowP99]) != 1 || older.Failed[fairlead.Timeout] != 1 {
		t.Errorf("its block says %+v", older)
	}
	if len(newer.Hits[fairlead.SlowP99]) != 1 || len(newer.Hits[fairlead.FirstP99]) != 0 || len(newer.Reports["quality"]) != 1 {
		t.Errorf("a request by its snapshot gives %+v", newer)
	}
}
