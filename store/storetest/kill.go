package storetest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead"
)

// childDir names, in the environment of the child, the store that it writes.
const childDir = "FAIRLEAD_STORETEST_CHILD_DIR"

// survivesKill kills a child in the middle of its commits, several times over the
// same data, and checks that everything it called durable is there, whole.
func survivesKill(t *testing.T, open Opener) {
	dir := t.TempDir()
	said := map[string]uint64{} // name of a change -> its entry's place
	for round, enough := range []int{1, 40, 300} {
		runAndKill(t, dir, enough, said)
		s, err := open(dir)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		checkSaid(t, s, said)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func runAndKill(t *testing.T, dir string, enough int, said map[string]uint64) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	top, _, _ := strings.Cut(t.Name(), "/")
	child := exec.Command(self, "-test.run=^"+top+"$", "-test.v=false")
	child.Env = append(os.Environ(), childDir+"="+dir)
	child.Stderr = os.Stderr
	stdin, err := child.StdinPipe() // it ends with us, should we die first
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stdin.Close() }()
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := 0
	for scan := bufio.NewScanner(out); scan.Scan(); {
		var name string
		var seq uint64
		if _, err := fmt.Sscanf(scan.Text(), "durable %s %d", &name, &seq); err != nil {
			continue // cut off by the kill, or the test framework's
		}
		said[name] = seq
		if lines++; lines == enough {
			if err := child.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	_ = child.Wait() // it was killed
	if lines < enough {
		t.Fatalf("the child said only %d lines", lines)
	}
}

// checkSaid checks that every change that was called durable is there, and that
// every change that is there is whole.
func checkSaid(t *testing.T, s Store, said map[string]uint64) {
	t.Helper()
	entries, err := s.Entries(t.Context(), 0, 1<<20)
	if err != nil || uint64(len(entries)) != s.Size() {
		t.Fatalf("%d entries, size %d, %v", len(entries), s.Size(), err)
	}
	for i, e := range entries {
		if e.Seq != uint64(i) {
			t.Fatalf("entry %d is at %d", e.Seq, i)
		}
		if _, ok, err := s.Row(t.Context(), "k", e.Kind); err != nil || !ok {
			t.Errorf("entry %d is there without its row: %v", e.Seq, err)
		}
		if n, _, err := s.FactsEnd(t.Context(), e.Kind); err != nil || n != 2 {
			t.Errorf("entry %d is there with %d of its 2 facts: %v", e.Seq, n, err)
		}
	}
	for name, seq := range said {
		if seq >= s.Size() || entries[seq].Kind != name {
			t.Errorf("change %s was durable at %d and is not there", name, seq)
		}
	}
	if rows, err := s.Rows(t.Context(), "k", ""); err != nil || len(rows) != len(entries) {
		t.Errorf("%d rows of %d entries, %v", len(rows), len(entries), err)
	}
}

// commitUntilKilled is the child: it commits from several goroutines and says
// what is durable, until it is killed.
func commitUntilKilled(t *testing.T, open Opener, dir string) {
	s, err := open(dir)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1)) // ends when the parent does
		os.Exit(1)
	}()
	begin := s.Size()
	var callers sync.WaitGroup
	for c := range 8 {
		callers.Go(func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%d-%d-%d", begin, c, i)
				list, err := s.Commit(t.Context(), fairlead.Change{
					Entries: []fairlead.Entry{entry(name, row("k", name, "1"))},
					Facts:   facts(name, 1, 2),
				})
				if err != nil {
					t.Error(err)
					return
				}
				fmt.Printf("durable %s %d\n", name, list[0].Seq)
			}
		})
	}
	callers.Wait()
}
