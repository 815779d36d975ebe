package live

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/sim/corpus"
)

func rule(t testing.TB) corpus.Rule {
	t.Helper()
	r, err := Rule("test")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func cell(t testing.TB, name string) corpus.Cell {
	t.Helper()
	for _, c := range corpus.Cells() {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no cell %q", name)
	return corpus.Cell{}
}

func TestABrokenReleaseGoesBackAndAGoodOneIsPromoted(t *testing.T) {
	for name, want := range map[string]corpus.State{
		"ready-but-broken/10rps/random/flat": corpus.RolledBack,
		"errors-5%/100rps/random/flat":       corpus.RolledBack,
		"same-api/100rps/random/flat":        corpus.Finished,
	} {
		began := time.Now()
		got := corpus.Play(corpus.NewWorld(cell(t, name), corpus.Score, 1), []corpus.Rule{rule(t)})[0]
		t.Logf("%s: %+v in %s", name, got, time.Since(began))
		if got.State != want {
			t.Errorf("%s: %+v, want state %d", name, got, want)
		}
	}
}

func TestTheSameWorldIsDecidedTheSame(t *testing.T) {
	c := cell(t, "errors-5%/10rps/sticky/flat")
	play := func() corpus.Result {
		return corpus.Play(corpus.NewWorld(c, corpus.Score, 2), []corpus.Rule{rule(t)})[0]
	}
	if a, b := play(), play(); a != b {
		t.Errorf("%+v, then %+v", a, b)
	}
}
