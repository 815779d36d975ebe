package release

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead"
)

// archive is a Contents of releases 1 to 20, whose trees it counts the reads of.
type archive struct {
	Contents
	mu       sync.Mutex
	releases []fairlead.Release
	reads    int
}

func newArchive(files int) *archive {
	a := &archive{}
	text := fairlead.DigestOf([]byte("text\n"))
	for n := 1; n <= 20; n++ {
		content := fairlead.Content{Artifact: fairlead.DigestOf([]byte{byte(n)}), Command: []string{"./run", fmt.Sprint(n)}}
		a.releases = append(a.releases, fairlead.Release{App: "triage", Number: n, Digest: content.Digest(), Content: content})
	}
	a.Get = func(_ context.Context, _ string, number int) (fairlead.Release, error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.releases[number-1], nil
	}
	a.Open = func(fairlead.Digest) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("text\n")), nil }
	a.Tree = func(context.Context, fairlead.Digest) ([]File, error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.reads++
		var tree []File
		for i := range files {
			tree = append(tree, File{Path: fmt.Sprintf("data/%06d", i), Bytes: 5, Digest: text})
		}
		return tree, nil
	}
	return a
}

func (a *archive) difference(t *testing.T, from, to int) Difference {
	t.Helper()
	d, err := a.Difference(t.Context(), "triage", from, to)
	if err != nil || d.From != from || d.To != to {
		t.Fatalf("%d to %d: %d to %d, %v", from, to, d.From, d.To, err)
	}
	return d
}

func TestADifferenceThatWasAskedForLatelyIsNotMadeAnew(t *testing.T) {
	a := newArchive(3)
	for range 3 {
		a.difference(t, 1, 2)
		a.difference(t, 0, 1)
		if l, err := a.List(t.Context(), "triage", 2, 10); err != nil || l.Count != 3 {
			t.Fatal(l, err)
		}
	}
	if a.reads != 4 {
		t.Errorf("trees were read %d times, want 4: two for a difference, one for that from nothing, one for a list", a.reads)
	}
	if l, err := a.List(t.Context(), "triage", 2, 1); err != nil || len(l.Files) != 1 {
		t.Errorf("a shorter list has %d files: %v", len(l.Files), err)
	}
}

func TestADifferenceFollowsAPolicyThatChanges(t *testing.T) {
	a := newArchive(1)
	if p := a.difference(t, 1, 2).part(PartPolicy); p.Change != Same {
		t.Fatalf("%+v", p)
	}
	a.releases[1].Policy = []fairlead.Environment{{Name: "qa"}}
	if p := a.difference(t, 1, 2).part(PartPolicy); p.Change != Changed {
		t.Error("the difference is that of the policy before")
	}
}

func TestFewResultsAreKeptAndNoLargeOne(t *testing.T) {
	a := newArchive(1)
	for n := 2; n <= 20; n++ {
		a.difference(t, 1, n)
		a.difference(t, 1, 2) // is asked for again and again, so that it stays
	}
	if len(a.differences.results) != keptResults {
		t.Errorf("%d are kept, want %d", len(a.differences.results), keptResults)
	}
	if a.reads != 2*19 {
		t.Errorf("trees were read %d times, want %d: the one that is asked for most was not kept", a.reads, 2*19)
	}
	wide := memory[Difference]{}
	large := Difference{Parts: []PartChange{{Files: []FileChange{{Diff: strings.Repeat("x", keptBytes)}}}}}
	if d, err := wide.of("large", func() (Difference, error) { return large, nil }); err != nil || len(d.Parts) != 1 || len(wide.results) != 0 {
		t.Errorf("%d are kept, %v", len(wide.results), err)
	}
}

func TestWhatFailedIsTriedAgain(t *testing.T) {
	a := newArchive(1)
	open := a.Tree
	a.Tree = func(context.Context, fairlead.Digest) ([]File, error) { return nil, io.ErrUnexpectedEOF }
	if _, err := a.Difference(t.Context(), "triage", 1, 2); err == nil {
		t.Fatal("no error")
	}
	a.Tree = open
	a.difference(t, 1, 2)
}

func TestManyMayAskAtOnce(t *testing.T) {
	a := newArchive(5)
	var all sync.WaitGroup
	for n := range 40 {
		all.Go(func() {
			if d, err := a.Difference(t.Context(), "triage", 1, 2+n%12); err != nil || d.To != 2+n%12 || !slices.ContainsFunc(d.Parts, func(p PartChange) bool { return p.Change == Changed }) {
				t.Errorf("%+v, %v", d, err)
			}
		})
	}
	all.Wait()
}
