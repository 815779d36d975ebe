package console

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/workload"
)

func TestAVerificationIsNeverMoreThanDone(t *testing.T) {
	for want, v := range map[int]client.Verification{0: {}, 25: {Entries: 250, Size: 1000}, 100: {Entries: 1500, Size: 1000}} {
		if got := (ledgerTrust{Verification: v}).Done(); got != want {
			t.Errorf("%d of %d entries are %d %%, want %d", v.Entries, v.Size, got, want)
		}
	}
}

func TestEachChipTakesItsOwnFilterAway(t *testing.T) {
	all := client.RecordQuery{App: "a", Env: "e", Kind: "gate.", Principal: "p", From: "2026-01-01", Until: "2026-02-01", Before: 9}
	want := []client.RecordQuery{all, all, all, all, all, all}
	want[0].App, want[1].Env, want[2].Kind, want[3].Principal, want[4].From, want[5].Until = "", "", "", "", "", ""
	chips := recordFilters{Query: all}.Chips()
	if len(chips) != len(want) {
		t.Fatalf("%d filters have %d chips", len(want), len(chips))
	}
	for i, c := range chips {
		want[i].Before = 0
		if c.Without != ledgerLink(want[i]) {
			t.Errorf("the chip of %s leads to %s, want %s", c.Name, c.Without, ledgerLink(want[i]))
		}
	}
}

func TestAProofsTreeHasEachHashOnItsOwnSide(t *testing.T) {
	tree := treeOf([]client.ProofStep{{Side: "left"}, {Side: "right"}})
	ours := tree.Nodes[0].X
	for _, n := range tree.Nodes[1:] {
		switch n.Sort {
		case "beside":
			if left := n.X < ours; left != (n.Step == 1) {
				t.Errorf("the hash of step %d stands at %d beside %d", n.Step, n.X, ours)
			}
		default:
			ours = n.X
		}
	}
}

func TestAReleaseIsNotOfferedToBeComparedWithItself(t *testing.T) {
	c := comparison{Newest: 3}
	c.To = 2
	if got := c.Others(); len(got) != 2 || got[0] != 3 || got[1] != 1 {
		t.Errorf("release 2 is compared with %v", got)
	}
}

func TestInstancesOfTheNewReleaseComeFirstAndAreCalledNew(t *testing.T) {
	site := client.Site{Instances: []workload.Status{{ID: "old", Release: 2}, {ID: "other", Release: 1}, {ID: "new", Release: 3}}}
	got := instancesOf(client.Rollout{From: 2, To: 3}, site)
	if len(got) != 2 || got[0].ID != "new" || !got[0].New || got[0].Arm() != "new" || got[1].ID != "old" || got[1].New || got[1].Arm() != "old" {
		t.Errorf("they are %+v", got)
	}
}

func TestAPageShowsItsOwnEnvironmentAlone(t *testing.T) {
	r := aRollout(nil)
	answers := answersOf(r)
	app := answers["/v1/apps/triage"].(client.App)
	newer := client.Rollout{ID: "ro-9", App: "triage", Env: "staging"}
	app.Sites = append(app.Sites, client.Site{App: "triage", Env: "staging", Needs: "somebody must look", Rollout: &newer,
		Instances: []workload.Status{{ID: "triage-3-staging", Release: 3, State: workload.Ready}}})
	answers["/v1/apps/triage"] = app
	_, page := get(t, openConsole(t, answers), "/rollouts/ro-3")
	has(t, page, "triage-3-a")
	for _, foreign := range []string{"triage-3-staging", "ro-9", "Somebody must look"} {
		if strings.Contains(page, foreign) {
			t.Errorf("it says %q", foreign)
		}
	}
}

func TestTheMostThatAReleaseHadIsNotWhatItHasNow(t *testing.T) {
	p := rolloutPage{Rollout: client.Rollout{Weight: 0}}
	for _, w := range []fairlead.Weight{500, 5000, 1000} {
		p.course.Samples = append(p.course.Samples, client.Sample{Weight: w})
	}
	if got := p.Most(); got != 5000 {
		t.Errorf("the most was %s, want 50 %%", got)
	}
}
