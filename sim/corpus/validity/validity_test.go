package validity

import (
	"context"
	"testing"
	"time"
)

func TestSmallRunsKeepBothPromises(t *testing.T) {
	n := 6
	if testing.Short() {
		n = 1
	}
	for _, c := range Cells() {
		if c.Watch && testing.Short() {
			continue
		}
		began := time.Now()
		wrong, err := Run(context.Background(), c, n)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%-36s %d of %d in %s", c.Name, wrong, n, time.Since(began).Round(time.Millisecond))
		if most := map[bool]int{false: 2, true: 3}[c.Margin]; wrong > most { // far beyond chance at alpha, and at beta
			t.Errorf("%s: %d errors in %d rollouts", c.Name, wrong, n)
		}
	}
}

func TestWorseAnswersAreFoundFromAFewHundred(t *testing.T) {
	median, found, err := Answers(context.Background(), 9)
	if err != nil || !found || median < 100 || median > 3000 {
		t.Errorf("median %g judged answers, found %t, %v", median, found, err)
	}
	t.Logf("median %g judged answers", median)
}
