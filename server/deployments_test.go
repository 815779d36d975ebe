package server

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

func TestHowLongAnAppTakesToStartIsTheLeastOfItsInstances(t *testing.T) {
	began := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	site, other := fairlead.Site{App: "triage", Env: "dev"}, fairlead.Site{App: "triage", Env: "production"}
	instance := func(site fairlead.Site, took time.Duration) workload.Status {
		return workload.Status{Site: site, Started: began, ReadySince: began.Add(took)}
	}
	starting := workload.Status{Site: site, Started: began}
	if got := startOf([]workload.Status{starting, instance(other, time.Second)}, site); got != 0 {
		t.Errorf("of none that was ready: %v", got)
	}
	all := []workload.Status{instance(site, time.Hour), starting, instance(site, 12*time.Second), instance(other, time.Second)}
	if got := startOf(all, site); got != 12*time.Second {
		t.Errorf("%v, want 12s", got)
	}
}
