package main

import (
	"testing"

	"github.com/fairlead/fairlead/sim/corpus"
	"github.com/fairlead/fairlead/sim/corpus/peer"
	"github.com/fairlead/fairlead/sim/corpus/score"
)

func TestTheLeastHarmWinsAmongSettingsWithFewFalseAlarms(t *testing.T) {
	rows := []score.Row{
		{Rule: "other/a", Excess: 1, Good: 1000},
		{Rule: "mine/hasty", Excess: 2, False: 11, Good: 1000},
		{Rule: "mine/good", Excess: 5, False: 10, Good: 1000},
		{Rule: "mine/slow", Excess: 9, Good: 1000},
	}
	if got := choose(peer.Peer{Name: "mine"}, rows); got.Rule != "mine/good" || !got.Met {
		t.Errorf("%+v was chosen, want mine/good", got)
	}
}

func TestTheFewestFalseAlarmsWinWhereAllHaveTooMany(t *testing.T) {
	rows := []score.Row{
		{Rule: "mine/a", Excess: 2, False: 40, Good: 1000},
		{Rule: "mine/b", Excess: 5, False: 30, Good: 1000},
		{Rule: "mine/c", Excess: 4, False: 30, Good: 1000},
	}
	if got := choose(peer.Peer{Name: "mine"}, rows); got.Rule != "mine/c" || got.Met {
		t.Errorf("%+v was chosen, want mine/c, which does not reach 1 %%", got)
	}
}

func TestSettingsAreTriedOnWorldsThatNoComparisonUses(t *testing.T) {
	r := trial(corpus.Cells()[:1], 1, t.TempDir())
	if r.Split != corpus.Tune || r.Split == corpus.Score {
		t.Errorf("settings are tried on split %d", r.Split)
	}
}
