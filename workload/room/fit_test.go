package room

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
)

const gi = 1 << 30

func site(app string) fairlead.Site { return fairlead.Site{App: app, Env: "production"} }

func part(app string, release, count int, memory int64) Part {
	return Part{Site: site(app), Release: release, Count: count, Each: Need{Memory: memory}}
}

func machine() Machine {
	return Machine{MilliCPU: 4000, Memory: 24 * gi, Reserve: gi, State: Disk{Path: "/state", Size: 100 * gi, Free: 40 * gi}}
}

// beside is a site whose two releases run whole at once, and then the new one alone.
func beside(app string, old, replicas int, memory int64) Ask {
	return Ask{Release: old + 1, Plan: Plan{Site: site(app), Stages: []Stage{
		{part(app, old, replicas, memory)},
		{part(app, old, replicas, memory), part(app, old+1, replicas, memory)},
		{part(app, old+1, replicas, memory)},
	}}, Now: Stage{part(app, old, replicas, memory)}}
}

func TestTheArithmeticIsInTheAnswer(t *testing.T) {
	chat := Plan{Site: site("chat"), Stages: []Stage{{part("chat", 7, 1, 2*gi)}}}
	a := Fit(machine(), []Plan{chat}, beside("triage", 3, 4, 3*gi))
	want := "memory: 4 x 3Gi asked, 9Gi of 24Gi is free: 24Gi machine - 1Gi reserve - chat@7 in production 1 x 2Gi - triage@3 in production 4 x 3Gi"
	if a.Fits || a.Why() != want {
		t.Errorf("fits %v: %s", a.Fits, a.Why())
	}
	if a := Fit(machine(), nil, beside("triage", 3, 3, 3*gi)); !a.Fits || a.Why() != "" {
		t.Errorf("18 of 23 GiB do not fit: %+v", a)
	}
}

func TestMemoryFitsToTheLastByteAndNoFurther(t *testing.T) {
	m := machine()
	ask := Ask{Release: 1, Plan: Plan{Site: site("a"), Stages: []Stage{{part("a", 1, 1, 23*gi)}}}}
	if a := Fit(m, nil, ask); !a.Fits {
		t.Error(a.Why())
	}
	ask.Stages[0][0].Each.Memory++
	if a := Fit(m, nil, ask); a.Fits {
		t.Error("one byte too many fits")
	}
}

func TestTheLargestStageCountsAndNotTheirSum(t *testing.T) {
	replaced := Ask{Release: 2, Plan: Plan{Site: site("a"), Stages: []Stage{{part("a", 1, 1, 20*gi)}, {part("a", 2, 1, 21*gi)}}}}
	if a := Fit(machine(), nil, replaced); !a.Fits {
		t.Error(a.Why())
	}
	if a := Fit(machine(), []Plan{replaced.Plan}, beside("b", 1, 1, gi)); !a.Fits {
		t.Errorf("beside a site that needs 21 GiB at most: %s", a.Why())
	}
	if a := Fit(machine(), []Plan{replaced.Plan}, beside("b", 1, 1, gi+1)); a.Fits {
		t.Error("2 GiB and two bytes fit beside a site that will need 21 of 23")
	}
}

func TestWhatAsksForNoMoreThanRunsNowFitsWhateverIsTaken(t *testing.T) {
	full := Plan{Site: site("full"), Stages: []Stage{{part("full", 1, 1, 30*gi)}}}
	ask := Ask{Release: 1, Plan: Plan{Site: site("a"), Stages: []Stage{{part("a", 2, 2, 4*gi)}, {part("a", 1, 2, 4*gi)}}}, Now: Stage{part("a", 2, 2, 4*gi)}}
	if a := Fit(machine(), []Plan{full}, ask); !a.Fits {
		t.Errorf("the way back in place: %s", a.Why())
	}
	ask.Stages[1][0].Count = 3
	if a := Fit(machine(), []Plan{full}, ask); a.Fits {
		t.Error("one more than runs now fits where nothing is free")
	}
}

func TestInstancesWithoutALimitCountAsNothingAndAreNamed(t *testing.T) {
	ask := beside("triage", 3, 9, 3*gi)
	a := Fit(machine(), []Plan{{Site: site("chat"), Stages: []Stage{{part("chat", 7, 50, 0)}}}}, ask)
	if a.Fits || !strings.HasSuffix(a.Why(), "; without a limit, and so counted as nothing: chat@7 in production") {
		t.Error(a.Why())
	}
	none := beside("triage", 3, 100, 0)
	if a := Fit(machine(), nil, none); !a.Fits || len(a.Lines) != 0 || len(a.Unlimited) != 2 {
		t.Errorf("%+v", a)
	}
}

func TestCPULimitsMayAddUpToFourTimesTheCores(t *testing.T) {
	ask := func(count int, milli int64) Ask {
		return Ask{Release: 1, Plan: Plan{Site: site("a"), Stages: []Stage{{{Site: site("a"), Release: 1, Count: count, Each: Need{MilliCPU: milli}}}}}}
	}
	for _, c := range []struct {
		count int
		milli int64
		want  string
	}{
		{8, 2000, ""}, {16, 1000, ""}, {1, 4000, ""},
		{9, 2000, "cpu: 9 x 2 cores asked, 16 of 16 free: 4 cores x 4, as limits may add up to"},
		{1, 4500, "cpu: an instance asks for 4.5 cores, and the machine has 4"},
	} {
		if a := Fit(machine(), nil, ask(c.count, c.milli)); a.Why() != c.want || a.Fits != (c.want == "") {
			t.Errorf("%d x %d: %q", c.count, c.milli, a.Why())
		}
	}
}

func TestVolumesCountByWhatTheyMayStillFill(t *testing.T) {
	chat := Plan{Site: site("chat"), Volumes: []Volume{{Name: "index", Size: 30 * gi, Used: 10 * gi}, {Name: "full", Size: gi, Used: 2 * gi}}}
	ask := Ask{Plan: Plan{Site: site("a")}, Storage: 20 * gi}
	if a := Fit(machine(), []Plan{chat}, ask); !a.Fits {
		t.Error(a.Why())
	}
	ask.Storage++
	want := "storage: 20Gi of volumes asked, 20Gi is free: 40Gi on /state - 20Gi that volume index of chat/production may still fill"
	if a := Fit(machine(), []Plan{chat}, ask); a.Fits || a.Why() != want {
		t.Errorf("%v %s", a.Fits, a.Why())
	}
}

func TestDevicesArePlacedInEachStageBesideWhatOthersArePromised(t *testing.T) {
	gpu := func(app string, release, count int) Part {
		return Part{Site: site(app), Release: release, Count: count, Each: Need{GPU: &fairlead.GPU{Count: 1}}}
	}
	two := func(promised []Part, wanted Part) (int, string) {
		free := 2
		for _, p := range promised {
			free -= p.Count
		}
		return min(wanted.Count, max(0, free)), "2 GPUs are not enough"
	}
	old, fresh := gpu("a", 1, 1), gpu("a", 2, 1)
	ask := Ask{Release: 2, Place: two, Plan: Plan{Site: site("a"), Stages: []Stage{{old}, {old, fresh}, {fresh}}}}
	if a := Fit(machine(), nil, ask); !a.Fits {
		t.Error(a.Why())
	}
	other := []Plan{{Site: site("b"), Stages: []Stage{{gpu("b", 1, 1)}}}}
	if a := Fit(machine(), other, ask); a.Fits || a.Why() != "gpu: 2 GPUs are not enough" {
		t.Errorf("%+v", a)
	}
	ask.Stages = []Stage{{old}, {fresh}}
	if a := Fit(machine(), other, ask); !a.Fits {
		t.Errorf("in place: %s", a.Why())
	}
}

func TestInstancesThatDoNotRunAskForNothing(t *testing.T) {
	each := Need{MilliCPU: 1000, Memory: gi, GPU: &fairlead.GPU{Count: 1}}
	none := Ask{Release: 2, Plan: Plan{Site: site("a"), Stages: []Stage{{{Site: site("a"), Release: 2, Each: each}}}},
		Place: func([]Part, Part) (int, string) { return 0, "no GPU" }}
	if a := Fit(machine(), nil, none); !a.Fits || len(a.Lines) > 0 || len(a.Unlimited) > 0 {
		t.Errorf("%+v", a)
	}
	if names := Unlimited([]Plan{{Stages: []Stage{{part("a", 1, 0, 0)}, {part("b", 1, 1, 0)}, {part("b", 1, 2, 0)}}}}); len(names) != 1 || names[0] != "b@1 in production" {
		t.Errorf("without a limit are %q", names)
	}
}

func TestPartsOfOneReleaseAreAskedForTogether(t *testing.T) {
	each := Need{MilliCPU: 2000, GPU: &fairlead.GPU{Count: 1}}
	one, two := Part{Site: site("a"), Release: 2, Count: 1, Each: each}, Part{Site: site("a"), Release: 2, Count: 2, Each: each}
	var wanted int
	ask := Ask{Release: 2, Plan: Plan{Site: site("a"), Stages: []Stage{{one, two}}}, Place: func(_ []Part, w Part) (int, string) {
		wanted = w.Count
		return w.Count, ""
	}}
	a := Fit(machine(), nil, ask)
	if wanted != 3 || a.Lines[0].Asked != 6000 || !strings.Contains(a.Lines[0].Text, "cpu: 3 x 2 cores asked") {
		t.Errorf("%d are placed: %+v", wanted, a.Lines)
	}
	ask.Now = Stage{one, two}
	full := []Plan{{Site: site("b"), Stages: []Stage{{{Site: site("b"), Release: 1, Count: 8, Each: Need{MilliCPU: 2000}}}}}}
	if a := Fit(machine(), full, ask); !a.Fits {
		t.Errorf("exactly what runs now: %s", a.Why())
	}
	unknown := machine()
	unknown.MilliCPU = 0
	if a := Fit(unknown, full, Ask{Release: 2, Plan: ask.Plan}); !a.Fits {
		t.Errorf("cores that are not known are checked: %s", a.Why())
	}
}

func TestWhatAnAppsOwnVolumesMayStillFillIsNotFree(t *testing.T) {
	ask := Ask{Plan: Plan{Site: site("a"), Volumes: []Volume{{Name: "index", Size: 30 * gi, Used: 10 * gi}}}, Storage: 21 * gi}
	if a := Fit(machine(), nil, ask); a.Fits || !strings.Contains(a.Why(), "20Gi that volume index of a/production may still fill") {
		t.Errorf("%+v", a)
	}
}

func TestWhatIsAskedOfDevicesIsSaidInWords(t *testing.T) {
	for want, gpu := range map[string]fairlead.GPU{
		"1 device": {}, "2 nvidia devices": {Count: 2, Vendor: "nvidia"}, "16Gi of a device": {Memory: "16Gi"}, "12.5 % of a amd device": {Share: 12.5, Vendor: "amd"},
	} {
		if got := GPUText(gpu); got != strings.Replace(want, "a amd", "an amd", 1) {
			t.Errorf("%+v is %q, want %q", gpu, got, want)
		}
	}
	if name := (Part{Site: site("triage"), Release: NotMade}).Name(); name != "the new triage in production" {
		t.Error(name)
	}
}

func TestAccountsAddUp(t *testing.T) {
	plans := []Plan{beside("a", 1, 2, 3*gi).Plan, {Site: site("b"), Volumes: []Volume{{Size: 5 * gi, Used: gi}}}}
	a := Sum(machine(), plans)
	if a.Memory != (Account{Has: 24 * gi, Reserve: gi, Taken: 12 * gi, Free: 11 * gi}) {
		t.Errorf("memory: %+v", a.Memory)
	}
	if a.Storage != (Account{Has: 100 * gi, Taken: 4 * gi, Free: 36 * gi}) {
		t.Errorf("storage: %+v", a.Storage)
	}
	if a.CPU != (Account{Has: 16000, Free: 16000}) {
		t.Errorf("cpu: %+v", a.CPU)
	}
}
