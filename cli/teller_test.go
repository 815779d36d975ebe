package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/workload"
)

func TestAPipeHearsWhatIsStillWaitedFor(t *testing.T) {
	var out strings.Builder
	now := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	tell := teller(&out, func() time.Time { return now })
	r := client.Rollout{App: "triage", Env: "dev", To: 2, Phase: "starting", Story: []string{"triage@2 is on its way to dev"}}
	s := seen{site: client.Site{App: "triage", Env: "dev", Rollout: &r, Instances: []workload.Status{
		{Release: 1, State: workload.Ready}, {Release: 2, State: workload.Starting}, {Release: 2, State: workload.Backoff, Restarts: 2, LastExit: "exit status 3"},
	}}}
	for range 40 {
		if err := tell(s); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Second)
	}
	gate := client.Gate{Name: "evaluation", State: "running"}
	r.Phase, r.Gates, r.Story = "gating", []client.Gate{gate, {Name: "lint", State: "passed"}}, append(r.Story, "its gates are run")
	for range 14 {
		if err := tell(s); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Second)
	}
	r.Phase, r.Queued, r.Waiting = "clearing", true, 3
	for range 14 {
		if err := tell(s); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Second)
	}
	const starting = "triage@2 in dev: starting its instances: 1 starting, 1 backoff, 2 restarts; one ended: exit status 3, for "
	want := strings.Join([]string{
		"triage@2 is on its way to dev", "triage@2 in dev: starting its instances", starting + "12 s", starting + "24 s", starting + "36 s",
		"triage@2: its gates are run", "triage@2 in dev: waiting for its gates", "triage@2 in dev: waiting for its gates: evaluation is running, for 12 s",
		"triage@2 in dev: waiting until the old release has ended; requests wait too",
		"triage@2 in dev: waiting until the old release has ended; requests wait too: 3 of them, for 12 s", "",
	}, "\n")
	if out.String() != want {
		t.Errorf("a pipe got\n%swant\n%s", out.String(), want)
	}
}
