package gateway

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/disk"
)

var spoolSite = fairlead.Site{App: "a", Env: "p"}

func openTestSpool(t *testing.T, dir, prefix string, limit int64) *spool {
	t.Helper()
	s, err := openSpool(disk.OS{}, dir, prefix, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close() })
	return s
}

func addBlocks(t *testing.T, s *spool, boot string, from, to uint64, pad int) (dropped int) {
	t.Helper()
	for seq := from; seq <= to; seq++ {
		n, err := s.add(fairlead.Block{Gateway: boot, Seq: seq, Site: spoolSite, Rollout: strings.Repeat("x", pad)})
		if err != nil {
			t.Fatal(err)
		}
		dropped += n
	}
	return dropped
}

func offered(t *testing.T, s *spool) (keys []Ack) {
	t.Helper()
	raw, _, err := s.read(10_000, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range raw {
		var b fairlead.Block
		if err := json.Unmarshal(data, &b); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, Ack{Gateway: b.Gateway, Site: b.Site, Seq: b.Seq})
	}
	return keys
}

func TestBlocksAreOfferedInOrderUntilAcknowledgedAlsoAfterARestart(t *testing.T) {
	dir := t.TempDir()
	first := openTestSpool(t, dir, "1-a", 1<<20)
	addBlocks(t, first, "a", 1, 5, 0)
	if err := first.ack([]Ack{{Gateway: "a", Site: spoolSite, Seq: 2}, {Gateway: "other", Site: spoolSite, Seq: 99}}); err != nil {
		t.Fatal(err)
	}
	if got := offered(t, first); len(got) != 3 || got[0].Seq != 3 {
		t.Fatalf("offered %v", got)
	}
	second := openTestSpool(t, dir, "2-b", 1<<20)
	addBlocks(t, second, "b", 1, 1, 0)
	got := offered(t, second)
	if len(got) != 6 || got[0] != (Ack{Gateway: "a", Site: spoolSite, Seq: 1}) || got[5] != (Ack{Gateway: "b", Site: spoolSite, Seq: 1}) {
		t.Fatalf("after a restart: %v", got)
	}
	if err := second.ack([]Ack{{Gateway: "a", Site: spoolSite, Seq: 5}, {Gateway: "b", Site: spoolSite, Seq: 1}}); err != nil {
		t.Fatal(err)
	}
	if got := offered(t, openTestSpool(t, dir, "3-c", 1<<20)); len(got) != 1 || got[0].Gateway != "b" {
		t.Fatalf("only the segment that was still appended to may come again: %v", got)
	}
}

func TestATornTailIsLeftOutAndTheRestIsOffered(t *testing.T) {
	dir := t.TempDir()
	s := openTestSpool(t, dir, "1-a", 1<<20)
	addBlocks(t, s, "a", 1, 3, 0)
	path := s.segments[0].path
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	third := s.segments[0].records[2].offset
	for cut := third; cut < int64(len(whole)); cut += 7 {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		if got := offered(t, openTestSpool(t, dir, "2-b", 1<<20)); len(got) != 2 {
			t.Fatalf("cut at %d: offered %v", cut, got)
		}
	}
	whole[third+frameHead+4] ^= 1
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := offered(t, openTestSpool(t, dir, "2-b", 1<<20)); len(got) != 2 {
		t.Fatalf("a flipped bit: offered %v", got)
	}
}

func TestAFullSpoolDropsTheOldestAndStaysWithinItsLimit(t *testing.T) {
	dir := t.TempDir()
	const limit = 64 << 10
	s := openTestSpool(t, dir, "1-a", limit)
	dropped := addBlocks(t, s, "a", 1, 500, 1000)
	got := offered(t, s)
	if dropped == 0 || len(got)+dropped != 500 || got[len(got)-1].Seq != 500 || got[0].Seq != uint64(dropped)+1 {
		t.Fatalf("dropped %d, offered %d from %v", dropped, len(got), got[0])
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	size := int64(0)
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size > limit {
		t.Errorf("%d bytes on disk, limit %d", size, limit)
	}
}

func TestAReaderIsToldOfANewBlock(t *testing.T) {
	s := openTestSpool(t, t.TempDir(), "1-a", 1<<20)
	_, changed, err := s.read(1, 1)
	if err != nil {
		t.Fatal(err)
	}
	addBlocks(t, s, "a", 1, 1, 0)
	select {
	case <-changed:
	case <-time.After(10 * time.Second):
		t.Fatal("not told")
	}
}

func TestTheJournalCountsOnOverRestartsTornTailsAndShortening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, err := openJournal(disk.OS{}, path)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := j.add(Event{Time: time.Now(), Kind: eventEjected, Site: spoolSite, Text: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	j.close()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	file.Write([]byte{0, 0, 0, 9, 1, 2})
	file.Close()
	if j, err = openJournal(disk.OS{}, path); err != nil {
		t.Fatal(err)
	}
	defer j.close()
	if err := j.add(Event{Time: time.Now(), Kind: eventRestored, Site: spoolSite, Text: "y"}); err != nil {
		t.Fatal(err)
	}
	if got := j.after(2); len(got) != 2 || got[0].N != 3 || got[1].N != 4 || got[1].Kind != eventRestored {
		t.Fatalf("events %+v", got)
	}
	j.mu.Lock()
	err = j.shorten()
	j.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if err := j.add(Event{Time: time.Now(), Kind: eventRestored, Site: spoolSite, Text: "z"}); err != nil {
		t.Fatal(err)
	}
	again, err := openJournal(disk.OS{}, path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.close()
	if got := again.after(0); len(got) != 5 || got[4].N != 5 {
		t.Fatalf("after shortening: %+v", got)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(appendFrame(appendFrame(nil, []byte("one")), []byte("two")))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var again []byte
		n, err := scanFrames(bytes.NewReader(data), func(_ int64, payload []byte) error {
			again = appendFrame(again, payload)
			return nil
		})
		if err != nil || !bytes.Equal(again, data[:n]) {
			t.Fatalf("%d bytes read, %v; written again: %x", n, err, again)
		}
	})
}

func FuzzSegment(f *testing.F) {
	f.Add(appendFrame(nil, []byte(`{"gateway":"a","seq":1,"site":{"app":"a","env":"p"}}`)))
	f.Add(appendFrame(nil, []byte(`{`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "1"+spoolSuffix), data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := openSpool(disk.OS{}, dir, "2", 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.read(10, 1<<20); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzSnapshot(f *testing.F) {
	f.Add([]byte(`{"format":1,"order":{"term":1,"seq":1},"routes":[{"site":{"app":"a","env":"p"},"host":"a","pathPrefix":"/","assignment":{},"timeout":"1s","runLimit":"1s","stable":{"release":1,"digest":"","instances":[{"id":"i","address":"tcp:127.0.0.1:1"}]}}]}`))
	f.Add([]byte(`{"format":1} {}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s Snapshot
		if decode(bytes.NewReader(data), &s) != nil || s.Validate() != nil {
			return
		}
		for _, r := range newTable(&s, nil, newRegistry()).sites {
			r.stable.pick(nil, time.Now(), 1)
		}
		again, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back Snapshot
		if err := decode(bytes.NewReader(again), &back); err != nil {
			t.Fatalf("a valid snapshot does not survive its file: %v", err)
		}
	})
}

// FuzzMatch asks for routes with any host and path: a route that matches has the
// host, and its prefix in whole segments.
func FuzzMatch(f *testing.F) {
	for _, seed := range [][2]string{{"a", "/x/y"}, {"A.:80", "/x"}, {"[::1]:80", "//"}, {"", ""}, {"a", "/xy"}, {"a:b:c", "*"}} {
		f.Add(seed[0], seed[1])
	}
	var s Snapshot
	for i, prefix := range []string{"/", "/x", "/x/y"} {
		s.Routes = append(s.Routes, Route{Site: fairlead.Site{App: strings.Repeat("a", i+1), Env: "p"}, Host: "a", PathPrefix: prefix})
	}
	t := newTable(&s, nil, newRegistry())
	f.Fuzz(func(test *testing.T, host, path string) {
		r := t.match(host, path)
		switch {
		case r == nil:
		case bareHost(host) != "a":
			test.Errorf("host %q has a route", host)
		case path != r.prefix && !strings.HasPrefix(path, r.prefix+"/"):
			test.Errorf("%q is not below %q", path, r.prefix)
		}
	})
}
