package room

import (
	"testing"

	"github.com/fairlead/fairlead"
)

func TestWhatIsReservedIsBounded(t *testing.T) {
	for memory, want := range map[int64]int64{gi: 256 << 20, 16 * gi: gi, 64 * gi: 2 * gi} {
		if got := Reserve(memory); got != want {
			t.Errorf("of %d bytes %d are reserved, want %d", memory, got, want)
		}
	}
}

func TestAnotherEnvironmentOfAnAppCountsAsAnother(t *testing.T) {
	staging := fairlead.Site{App: "triage", Env: "staging"}
	taken := Plan{Site: staging, Stages: []Stage{{{Site: staging, Release: 3, Count: 1, Each: Need{Memory: 20 * gi}}}}}
	if a := Fit(machine(), []Plan{taken}, beside("triage", 3, 1, 2*gi)); a.Fits {
		t.Errorf("4 GiB fit beside 20 of 23: %+v", a)
	}
}

func TestCoresAreTakenByTheLargestStageAndAVolumeThatIsTooFullGivesNothingBack(t *testing.T) {
	three := Stage{{Site: site("triage"), Release: 2, Count: 3, Each: Need{MilliCPU: 1500}}}
	a := Sum(machine(), []Plan{{Site: site("triage"), Stages: []Stage{three[:0], three}, Volumes: []Volume{{Size: gi, Used: 9 * gi}}}})
	if a.CPU != (Account{Has: 16000, Taken: 4500, Free: 11500}) || a.Storage != (Account{Has: 100 * gi, Free: 40 * gi}) {
		t.Errorf("%+v", a)
	}
}
