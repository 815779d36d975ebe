package release_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/release"
	"github.com/fairlead/fairlead/store/sqlite"
)

var operator = fairlead.Principal{ID: "system:test", Role: fairlead.Operator}

// newMaker returns a maker over a real store; every tree holds nothing, and no
// environment has a secret.
func newMaker(t *testing.T) (*release.Maker, *sqlite.Store) {
	store, err := sqlite.Open(t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return &release.Maker{
		Store: store, Now: time.Now,
		Files: func(context.Context, fairlead.Digest) (map[string]fairlead.Digest, error) {
			return map[string]fairlead.Digest{"triage": fairlead.DigestOf([]byte("program"))}, nil
		},
		Secrets: func(context.Context, string, []fairlead.SecretRef) (map[string]int, error) { return nil, nil },
	}, store
}

func triage() fairlead.App {
	return fairlead.App{Metadata: fairlead.Metadata{Name: "triage"}, Spec: fairlead.AppSpec{
		Command: []string{"./triage"}, Readiness: &fairlead.Check{Path: "/"},
		Environments: []fairlead.Environment{{Name: "production"}},
	}}
}

func TestReleasesMadeAtTheSameTimeGetNumbersOfTheirOwn(t *testing.T) {
	m, _ := newMaker(t)
	const count = 20
	var makers sync.WaitGroup
	for n := range count {
		makers.Go(func() {
			if _, _, err := m.Make(t.Context(), release.Making{App: triage(), Tree: fairlead.DigestOf([]byte{byte(n)})}, operator); err != nil {
				t.Error(err)
			}
		})
	}
	makers.Wait()
	all, err := m.List(t.Context(), "triage")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != count {
		t.Errorf("%d releases are kept, want %d: some took the number of another", len(all), count)
	}
}

func TestTheSameContentKeepsItsNumberAndTheLedgerSaysWhoDeployedItAgain(t *testing.T) {
	m, store := newMaker(t)
	tree := fairlead.DigestOf([]byte("tree"))
	first, made, err := m.Make(t.Context(), release.Making{App: triage(), Tree: tree}, operator)
	if err != nil || !made {
		t.Fatalf("first: made %t, %v", made, err)
	}
	other := fairlead.Principal{ID: "system:other", Role: fairlead.Operator}
	again, made, err := m.Make(t.Context(), release.Making{App: triage(), Tree: tree}, other)
	if err != nil || made || again.Number != first.Number || again.By != operator.ID {
		t.Fatalf("again: %s by %s, made %t, %v", again.Name(), again.By, made, err)
	}
	entries, err := store.Entries(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	if last := entries[len(entries)-1]; last.Kind != "release.policy" || last.Principal != other.ID {
		t.Errorf("the newest entry is %s by %s, want release.policy by %s", last.Kind, last.Principal, other.ID)
	}
}

func TestAViewerMakesNoRelease(t *testing.T) {
	m, _ := newMaker(t)
	viewer := fairlead.Principal{ID: "system:viewer", Role: fairlead.Viewer}
	if _, _, err := m.Make(t.Context(), release.Making{App: triage(), Tree: fairlead.DigestOf(nil)}, viewer); fairlead.CodeOf(err) != fairlead.Forbidden {
		t.Errorf("a viewer makes a release: %v", err)
	}
}

func TestACommandThatIsNotInTheArtifactIsRefused(t *testing.T) {
	m, _ := newMaker(t)
	app := triage()
	app.Spec.Command = []string{"./traige"}
	if _, _, err := m.Make(t.Context(), release.Making{App: app, Tree: fairlead.DigestOf([]byte("tree"))}, operator); fairlead.CodeOf(err) != fairlead.Invalid || fairlead.HintOf(err) == "" {
		t.Errorf("%v, hint %q", err, fairlead.HintOf(err))
	}
	app.Spec.Command = []string{"python3", "agent.py"}
	if _, _, err := m.Make(t.Context(), release.Making{App: app, Tree: fairlead.DigestOf([]byte("tree"))}, operator); err != nil {
		t.Errorf("a command from the system: %v", err)
	}
}
