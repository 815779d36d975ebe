package server

import (
	"context"
	"testing"

	"github.com/fairlead/fairlead"
)

func TestALoginTakesAwayTheSessionsThatHaveExpired(t *testing.T) {
	g := newGate(t)
	g.enter(fairlead.Viewer, "")
	g.time = g.time.Add(sessionGood)
	g.enter(fairlead.Viewer, "")
	rows, err := g.store.Rows(context.Background(), sessionRow, "")
	if err != nil || len(rows) != 1 || g.count() != 1 {
		t.Errorf("%d rows and %d sessions are left, %v", len(rows), g.count(), err)
	}
}
