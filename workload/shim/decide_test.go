//go:build linux

package shim

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

func TestWaitsDoubleUntilTheLongestAndCrashesInARowAreALoop(t *testing.T) {
	var r restarts
	var waits []time.Duration
	for i := range 12 {
		ran := time.Second
		if i >= 4 {
			ran = 11 * time.Second
		}
		var loop bool
		if r, loop = r.ended(ran); loop {
			t.Fatalf("a loop after end %d", i)
		}
		waits = append(waits, r.wait)
	}
	if waits[0] != firstBackoff || waits[1] != 2*firstBackoff || waits[3] != 8*firstBackoff || waits[11] != maxBackoff {
		t.Errorf("it waited %v", waits)
	}
	if r, _ = r.ended(stableAfter); r.wait != firstBackoff {
		t.Errorf("after a long run it waits %s", r.wait)
	}
}

func TestOnlyFiveQuickEndsInARowAreACrashLoop(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r restarts
		quick := 0
		for _, ran := range rapid.SliceOf(rapid.Int64Range(0, int64(2*stableAfter))).Draw(t, "ran") {
			quick++
			if time.Duration(ran) >= crashWindow {
				quick = 0
			}
			next, loop := r.ended(time.Duration(ran))
			if loop != (quick >= crashLoopExits) {
				t.Fatalf("loop %v after %d quick ends", loop, quick)
			}
			if next.wait < firstBackoff || next.wait > maxBackoff {
				t.Fatalf("a wait of %s", next.wait)
			}
			if r = next; loop {
				return
			}
		}
	})
}

func TestALogRotatesAndReadersSeeEveryLineOnce(t *testing.T) {
	dir := t.TempDir()
	w, err := openLog(dir, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var followed bytes.Buffer
	over, ended := make(chan struct{}), make(chan error)
	isOver := func() bool {
		select {
		case <-over:
			return true
		default:
			return false
		}
	}
	w.write(streamOut, []byte("begin"))
	go func() {
		ended <- readLog(context.Background(), dir, workload.LogOptions{Follow: true}, isOver, &followed)
	}()
	w.copyFrom(streamOut, strings.NewReader("one\n\n"+strings.Repeat("x", 40<<10)+"\nlast without an end"))
	close(over)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		w.write(streamErr, fmt.Appendf(nil, "line %d", i))
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > logFiles {
		t.Errorf("there are %v, %v", entries, err)
	}
	var all, tail bytes.Buffer
	if err := readLog(context.Background(), dir, workload.LogOptions{}, nil, &all); err != nil {
		t.Fatal(err)
	}
	if err := readLog(context.Background(), dir, workload.LogOptions{Tail: 30}, nil, &tail); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(tail.String()), "\n")
	for i, line := range lines {
		if !strings.HasSuffix(line, fmt.Sprintf(" stderr line %d", 470+i)) {
			t.Errorf("line %d of the tail is %q", i, line)
		}
	}
	if len(lines) != 30 || !strings.HasSuffix(all.String(), tail.String()) {
		t.Errorf("a tail of 30 has %d lines, and the log ends otherwise", len(lines))
	}
	if all.Len() > (logFiles+1)*1100 {
		t.Errorf("%d bytes are kept", all.Len())
	}
}

func TestATailOfAnyLengthIsTheEndOfTheLog(t *testing.T) {
	const log = "one\ntwo\nthree\n"
	for n, want := range map[int]string{1: "three\n", 2: "two\nthree\n", 3: log, 4: log, math.MaxInt: log} {
		if got := string(lastLines([]byte(log), n)); got != want {
			t.Errorf("the last %d lines are %q, want %q", n, got, want)
		}
	}
	if got := lastLines(nil, math.MaxInt); len(got) != 0 {
		t.Errorf("an empty log has the lines %q", got)
	}
}

func TestALogThatCannotBeWrittenLosesLinesAndSaysSo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	w, err := openLog(dir, 1000)
	if err != nil {
		t.Fatal(err)
	}
	w.file.Close() // as if the disk had failed
	w.write(streamOut, []byte("lost"))
	w.write(streamOut, []byte("lost too"))
	w.file = nil
	w.write(streamOut, []byte("kept"))
	data, err := os.ReadFile(logName(dir, 0))
	if err != nil || strings.Contains(string(data), "stdout lost") || !strings.Contains(string(data), "fairlead 2 lines were lost") || !strings.HasSuffix(string(data), "stdout kept\n") {
		t.Errorf("the log is %q, %v", data, err)
	}
}

func TestOrdersAreTakenOnceAndInOrder(t *testing.T) {
	h := home(t.TempDir())
	for _, c := range []struct {
		order fairlead.Order
		taken bool
	}{{fairlead.Order{Term: 1, Seq: 5}, true}, {fairlead.Order{Term: 1, Seq: 5}, false}, {fairlead.Order{Term: 1, Seq: 4}, false}, {fairlead.Order{Term: 2, Seq: 1}, true}, {fairlead.Order{Term: 1, Seq: 9}, false}} {
		if err := takeOrder(h, c.order); (err == nil) != c.taken || err != nil && fairlead.CodeOf(err) != fairlead.Conflict {
			t.Errorf("%s: %v", c.order, err)
		}
	}
}

func TestAProcessThatEndedIsNotAlive(t *testing.T) {
	me, err := self()
	if err != nil || !me.alive() {
		t.Fatalf("%+v, %v", me, err)
	}
	for name, other := range map[string]identity{"another start": {me.Pid, me.Start + 1, me.Boot}, "another boot": {me.Pid, me.Start, "x"}, "nobody": {}} {
		if other.alive() {
			t.Errorf("%s is alive", name)
		}
	}
}

func TestChecksPass(t *testing.T) {
	for _, c := range []struct {
		path   string
		status int
		passes bool
	}{{"", 404, true}, {"/", 499, true}, {"", 500, false}, {"/ready", 204, true}, {"/ready", 302, true}, {"/ready", 404, false}} {
		if passes(fairlead.Check{Path: c.path}, c.status) != c.passes {
			t.Errorf("%+v", c)
		}
	}
}
