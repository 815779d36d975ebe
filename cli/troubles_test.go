package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/workload"
)

func TestStatusNamesInstancesThatEndedByThemselves(t *testing.T) {
	apps := []client.App{{Name: "triage", Sites: []client.Site{{Instances: []workload.Status{
		{ID: "well", State: workload.Ready},
		{ID: "stopped", State: workload.Exited, Restarts: 3},
		{ID: "hungry", State: workload.Backoff, Restarts: 1, OOMKills: 2, LastExit: "out of memory: over its limit of 64Mi"},
		{ID: "broken", State: workload.CrashLoop, Restarts: 4, LastExit: "exit status 7\x1b[2J"},
	}}}}}
	want := `
instance hungry is backoff, 1 restart, killed for memory 2 times, last: out of memory: over its limit of 64Mi
instance broken is crashLoop, 4 restarts, last: exit status 7[2J`
	if got := strings.Join(troubles(apps), "\n"); got != want {
		t.Errorf("%q", got)
	}
	if troubles([]client.App{{Sites: []client.Site{{Instances: []workload.Status{{State: workload.Ready}}}}}}) != nil {
		t.Error("where nothing is wrong something is said")
	}
	many := make([]workload.Status, mostTroubles+5)
	for i := range many {
		many[i] = workload.Status{ID: fmt.Sprint(i), Restarts: 1}
	}
	if got := troubles([]client.App{{Sites: []client.Site{{Instances: many}}}}); len(got) != mostTroubles+2 || !strings.HasPrefix(got[mostTroubles+1], "and 5 more") {
		t.Errorf("%q", got)
	}
}
