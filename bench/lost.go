package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
)

const (
	lostTest  = "TestNoRequestIsLostInManyDeploysAndRollbacks"
	lostCount = "100"
)

var lostLine = regexp.MustCompile(`requests: (\d+) sent, (\d+) lost`)

// measureLost has the end-to-end test of deploys under fire count. A test that
// fails for its losses is a figure too.
func measureLost(ctx context.Context, _ *lab) ([]figure, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-v", "-timeout", "40m", "-run", "^"+lostTest+"$", "./e2e")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "FAIRLEAD_DEPLOYS="+lostCount)
	out, failed := cmd.CombinedOutput()
	found := lostLine.FindSubmatch(out)
	if found == nil {
		return nil, fmt.Errorf("%s did not count: %w\n%s", lostTest, failed, out[max(0, len(out)-4000):])
	}
	lost, err := strconv.ParseFloat(string(found[2]), 64)
	if err != nil {
		return nil, err
	}
	note := fmt.Sprintf("of %s, in %s consecutive deploys, rollbacks on evidence and rollbacks by hand at %d requests/s, kill -9 of the control plane in each tenth: FAIRLEAD_DEPLOYS=%s go test -v -run %s ./e2e",
		found[1], lostCount, rate, lostCount, lostTest)
	if failed != nil {
		note += fmt.Sprintf(" (the test failed: %v)", failed)
	}
	return []figure{{Name: "requests lost", Unit: "requests", Goal: most(0), Samples: []float64{lost}, Note: note}}, nil
}
