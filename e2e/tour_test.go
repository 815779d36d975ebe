package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/fairlead/fairlead/tour"
	"github.com/fairlead/fairlead/workload/container/enginetest"
)

// TestInContainersTheTourEndsAsItTells runs the demonstration with images as anyone
// would, and believes what it says only with its exit status.
func TestInContainersTheTourEndsAsItTells(t *testing.T) {
	inEngines(t)
	e := enginetest.Start(t, "docker")
	other := newStranger(t, e)
	scratch := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute) // it ends itself after half of that
	defer cancel()
	command := exec.CommandContext(ctx, built.fairlead, "tour", "--runtime", "container", "--output", "json")
	command.Env = append(os.Environ(), "DOCKER_HOST="+e.Host, "TMPDIR="+scratch)
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) } // so that it ends what it started
	command.WaitDelay = time.Minute
	var out, said bytes.Buffer
	command.Stdout, command.Stderr = &out, &said
	if err := command.Run(); err != nil {
		t.Fatalf("the tour: %v\n%s\n%s", err, out.Bytes(), said.Bytes())
	}
	var report tour.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatalf("its answer is no report: %v\n%s", err, out.Bytes())
	}
	if !report.OK || report.Lost > 0 || report.Requests == 0 || !report.Ledger.Verified || !report.Ledger.Replayed || report.Ledger.Entries == 0 {
		t.Errorf("the tour: %s", out.Bytes())
	}
	ended := map[string]string{}
	for _, r := range report.Releases {
		ended[r.Release] = r.Outcome
		if r.Outcome != r.Expected {
			t.Errorf("%s ended %s, not %s", r.Release, r.Outcome, r.Expected)
		}
		if r.Outcome == "rolledBack" && r.Requests == 0 {
			t.Errorf("%s was judged without a request", r.Release)
		}
	}
	if ended["v2"] != "promoted" || ended["v3"] != "rolledBack" || ended["v6"] != "failed" || len(ended) != 5 {
		t.Errorf("the releases ended %v", ended)
	}
	other.untouched(t)
	nothingOfTheTour(t, e, scratch)
}

// nothingOfTheTour fails where the tour left a container, an image or a file.
func nothingOfTheTour(t *testing.T, e *enginetest.Engine, scratch string) {
	t.Helper()
	filter := url.QueryEscape(`{"label":["dev.fairlead.tour"]}`)
	var images []struct{ RepoTags []string }
	if e.Ask(t, "GET", "/images/json?filters="+filter, nil, &images); len(images) > 0 {
		t.Errorf("images are left: %v", images)
	}
	filter = url.QueryEscape(`{"label":["dev.fairlead.owner"]}`)
	var containers []struct{ Names []string }
	if e.Ask(t, "GET", "/containers/json?all=1&filters="+filter, nil, &containers); len(containers) > 0 {
		t.Errorf("containers are left: %v", containers)
	}
	left, err := os.ReadDir(scratch)
	if err != nil || len(left) > 0 {
		t.Errorf("files are left: %v, %v", left, err)
	}
}
