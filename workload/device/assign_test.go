package device_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload/device"
)

func gpu(id string, memory int64) device.Device {
	return device.Device{ID: id, PCI: id, Vendor: device.NVIDIA, Name: "NVIDIA L4", Memory: memory, Nodes: []string{"/dev/" + id}}
}

func has(devices ...device.Device) device.Inventory { return device.Inventory{Devices: devices} }

func holding(app string, release int, parts ...device.Part) device.Holding {
	return device.Holding{Instance: app, Site: fairlead.Site{App: app, Env: "production"}, Release: release, Parts: parts}
}

func TestAssign(t *testing.T) {
	l4, big, amd := gpu("a", 24*gib), gpu("b", 80*gib), device.Device{ID: "c", PCI: "c", Vendor: device.AMD, Name: "MI210", Memory: 64 * gib}
	big.Name = "NVIDIA H100"
	unknown, broken := gpu("u", 0), gpu("x", 24*gib)
	broken.Missing = "GPU is lost"
	whole := func(ids ...string) (parts []device.Part) {
		for _, id := range ids {
			parts = append(parts, device.Part{Device: id, Whole: true})
		}
		return parts
	}
	memory := func(id string, n int64) []device.Part { return []device.Part{{Device: id, Memory: n}} }
	share := func(id string, p fairlead.Percent) []device.Part { return []device.Part{{Device: id, Share: p}} }
	for name, c := range map[string]struct {
		have device.Inventory
		held []device.Holding
		ask  fairlead.GPU
		n    int
		want [][]device.Part
	}{
		"one of one":                               {has(l4), nil, fairlead.GPU{Count: 1}, 1, [][]device.Part{whole("a")}},
		"the smallest that fits":                   {has(big, l4), nil, fairlead.GPU{Count: 1}, 1, [][]device.Part{whole("a")}},
		"two of one model":                         {has(l4, big, gpu("d", 80*gib)), nil, fairlead.GPU{Count: 2}, 1, [][]device.Part{whole("a", "d")}},
		"two of one vendor where no model has two": {has(amd, l4, big), nil, fairlead.GPU{Count: 2}, 1, [][]device.Part{whole("a", "b")}},
		"never two vendors in one instance":        {has(amd, l4), nil, fairlead.GPU{Count: 2}, 1, nil},
		"the vendor that is asked for":             {has(amd, l4), nil, fairlead.GPU{Count: 1, Vendor: device.AMD}, 1, [][]device.Part{whole("c")}},
		"what another has is taken":                {has(l4), []device.Holding{holding("other", 1, whole("a")...)}, fairlead.GPU{Count: 1}, 1, nil},
		"what is shared is not given whole":        {has(l4), []device.Holding{holding("other", 1, share("a", 1)...)}, fairlead.GPU{Count: 1}, 1, nil},
		"what is given whole is not shared":        {has(l4), []device.Holding{holding("other", 1, whole("a")...)}, fairlead.GPU{Share: 1}, 1, nil},
		"parts are packed":                         {has(l4, big), []device.Holding{holding("other", 1, memory("b", 70*gib)...)}, fairlead.GPU{Memory: "8Gi"}, 1, [][]device.Part{memory("b", 8*gib)}},
		"a part goes where it fits":                {has(l4, big), []device.Holding{holding("other", 1, memory("b", 70*gib)...)}, fairlead.GPU{Memory: "16Gi"}, 1, [][]device.Part{memory("a", 16*gib)}},
		"shares up to the whole":                   {has(l4), nil, fairlead.GPU{Share: 50}, 2, [][]device.Part{share("a", 50), share("a", 50)}},
		"no share beyond the whole":                {has(l4), nil, fairlead.GPU{Share: 50}, 3, nil},
		"three thirds":                             {has(l4), nil, fairlead.GPU{Share: 100.0 / 3}, 3, [][]device.Part{share("a", 100.0/3), share("a", 100.0/3), share("a", 100.0/3)}},
		"memory beside a share":                    {has(l4), []device.Holding{holding("other", 1, share("a", 50)...)}, fairlead.GPU{Memory: "12Gi"}, 1, [][]device.Part{memory("a", 12*gib)}},
		"no memory beyond the whole":               {has(l4), []device.Holding{holding("other", 1, share("a", 51)...)}, fairlead.GPU{Memory: "12Gi"}, 1, nil},
		"memory that is not known is not promised": {has(unknown), nil, fairlead.GPU{Memory: "1Gi"}, 1, nil},
		"a share of what is not known":             {has(unknown), nil, fairlead.GPU{Share: 25}, 1, [][]device.Part{share("u", 25)}},
		"a failed one is not given":                {has(broken), nil, fairlead.GPU{Count: 1}, 1, nil},
		"none where there is none":                 {has(), nil, fairlead.GPU{Count: 1}, 1, nil},
		"memory that is not known, however little": {has(unknown), nil, fairlead.GPU{Memory: "1"}, 1, nil},
		"of two with the same room the shared one": {has(l4, big), []device.Holding{holding("other", 1, memory("b", 56*gib)...)}, fairlead.GPU{Memory: "8Gi"}, 1, [][]device.Part{memory("b", 8*gib)}},
		"a part of the first of equals":            {has(l4, gpu("d", 24*gib)), nil, fairlead.GPU{Share: 50}, 1, [][]device.Part{share("a", 50)}},
		"the first of equals as a whole":           {has(big, l4, gpu("d", 24*gib)), nil, fairlead.GPU{Count: 1}, 1, [][]device.Part{whole("a")}},
		"nothing of what is full, not even least":  {has(unknown), []device.Holding{holding("other", 1, share("u", 50)...), holding("other", 1, share("u", 50)...)}, fairlead.GPU{Share: 1e-9}, 1, nil},
		"one where nothing is said":                {has(l4), nil, fairlead.GPU{}, 1, [][]device.Part{whole("a")}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := device.Assign(c.have, c.held, c.ask, c.n)
			var short *device.Shortage
			if c.want == nil && !errors.As(err, &short) || c.want != nil && err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

func TestAnAskThatIsNoneIsInvalid(t *testing.T) {
	for _, ask := range []fairlead.GPU{{Memory: "much"}, {Memory: "-1Gi"}, {Share: 101}, {Share: -1}, {Count: -1}, {Count: 1, Share: 5}, {Memory: "1Gi", Share: 5}} {
		if _, err := device.Assign(has(gpu("a", gib)), nil, ask, 1); fairlead.CodeOf(err) != fairlead.Invalid {
			t.Errorf("%+v gives %v", ask, err)
		}
	}
}

func TestAShortageTellsItsArithmetic(t *testing.T) {
	broken := gpu("GPU-x", 24*gib)
	broken.Missing = "GPU is lost"
	have := has(gpu("GPU-a", 24*gib), gpu("GPU-b", 24*gib), broken)
	held := []device.Holding{
		holding("triage", 3, device.Part{Device: "GPU-a", Whole: true}),
		holding("rank", 1, device.Part{Device: "GPU-b", Memory: 16 * gib}),
	}
	for want, ask := range map[string]fairlead.GPU{
		"2 instances ask for 1 whole GPU each, 2 together; this machine has 2 GPUs (2 x NVIDIA L4 with 24 GiB), of which 0 are wholly free; taken: GPU-a by triage@3 in production, of GPU-b 16 GiB by rank@1 in production, so that 8 GiB is free; not usable: NVIDIA L4 GPU-x (GPU is lost)":                             {Count: 1},
		"2 instances ask for 6Gi of a GPU's memory each; this machine has 2 GPUs (2 x NVIDIA L4 with 24 GiB), of which 0 are wholly free; taken: GPU-a by triage@3 in production, of GPU-b 16 GiB by rank@1 in production, so that 8 GiB is free; not usable: NVIDIA L4 GPU-x (GPU is lost); there is room for 1 of the 2": {Memory: "6Gi"},
		"2 instances ask for 50 % of a AMD GPU each; this machine has no AMD GPU to give": {Share: 50, Vendor: device.AMD},
	} {
		want = strings.ReplaceAll(want, "a AMD", "an AMD")
		if _, err := device.Assign(have, held, ask, 2); err == nil || err.Error() != want {
			t.Errorf("%+v gives\n%v, want\n%s", ask, err, want)
		}
	}
}

func TestBeside(t *testing.T) {
	whole := fairlead.GPU{Count: 1}
	wants := func(app string, release, count int) device.Want {
		return device.Want{Site: fairlead.Site{App: app, Env: "production"}, Release: release, Count: count, Ask: whole}
	}
	staging := func(w device.Want) device.Want {
		w.Site.Env = "staging"
		return w
	}
	has := func(app string, release int, id string) device.Holding {
		return holding(app, release, device.Part{Device: id, Whole: true})
	}
	two := device.Inventory{Devices: []device.Device{gpu("a", gib), gpu("b", gib)}}
	for name, c := range map[string]struct {
		held     []device.Holding
		promised []device.Want
		wanted   device.Want
		want     int
	}{
		"nothing is taken":                          {nil, nil, wants("new", 1, 3), 2},
		"one runs":                                  {[]device.Holding{has("old", 1, "a")}, []device.Want{wants("old", 1, 1)}, wants("new", 1, 1), 1},
		"one runs and two are promised":             {[]device.Holding{has("old", 1, "a")}, []device.Want{wants("old", 1, 2)}, wants("new", 1, 1), 0},
		"what ends first is free":                   {[]device.Holding{has("old", 1, "a"), has("old", 1, "b")}, nil, wants("old", 2, 2), 2},
		"what gives way is free":                    {[]device.Holding{has("old", 1, "a"), has("old", 1, "b")}, []device.Want{wants("old", 1, 1)}, wants("old", 2, 1), 1},
		"what is wanted may run already":            {[]device.Holding{has("new", 1, "a")}, []device.Want{wants("old", 1, 1)}, wants("new", 1, 1), 1},
		"what is wanted may run in part":            {[]device.Holding{has("new", 1, "a")}, []device.Want{wants("old", 1, 1)}, wants("new", 1, 2), 1},
		"another release's is not what is promised": {[]device.Holding{has("new", 2, "a"), has("rank", 1, "b")}, []device.Want{wants("new", 1, 1), wants("rank", 1, 1)}, wants("new", 2, 1), 1},
		"another app's is not what is promised":     {[]device.Holding{has("new", 1, "a"), has("rank", 1, "b")}, []device.Want{wants("old", 1, 1), wants("rank", 1, 1)}, wants("new", 1, 1), 1},
		"another environment's is not either":       {[]device.Holding{has("new", 1, "a"), has("rank", 1, "b")}, []device.Want{staging(wants("new", 1, 1)), wants("rank", 1, 1)}, wants("new", 1, 1), 1},
		"what is promised and cannot be had is not": {nil, []device.Want{wants("old", 1, 5)}, wants("new", 1, 1), 0},
	} {
		got, err := device.Beside(two, c.held, c.promised, c.wanted)
		if got != c.want || (err == nil) != (got == c.wanted.Count) {
			t.Errorf("%s: %d fit, %v, want %d", name, got, err, c.want)
		}
	}
}

func TestNoDeviceIsEverPromisedTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var have device.Inventory
		for i := range rapid.IntRange(0, 4).Draw(t, "devices") {
			d := gpu(string(rune('a'+i)), rapid.SampledFrom([]int64{0, 16 * gib, 24 * gib, 80*gib + 7}).Draw(t, "memory"))
			d.Vendor = rapid.SampledFrom([]string{device.NVIDIA, device.AMD}).Draw(t, "vendor")
			have.Devices = append(have.Devices, d)
		}
		var held []device.Holding
		for range rapid.IntRange(1, 12).Draw(t, "asks") {
			ask := rapid.SampledFrom([]fairlead.GPU{{Count: 1}, {Count: 2}, {Share: 33.3}, {Share: 50}, {Share: 0.001}, {Memory: "6Gi"}, {Memory: "16Gi"}}).Draw(t, "ask")
			given, err := device.Assign(have, held, ask, 1)
			if err != nil {
				continue
			}
			held = append(held, holding("app", 1, given[0]...))
		}
		for _, d := range have.Devices {
			parts, whole, share := 0, false, 0.0
			for _, h := range held {
				for _, g := range have.Given(h.Parts) {
					if g.ID == d.ID {
						parts, share = parts+1, share+g.Share
						whole = whole || g.Share == 1 && h.Parts[0].Whole
					}
				}
			}
			if whole && parts > 1 || share > 1+1e-9 {
				t.Fatalf("%s has %d parts that make %g, whole %v", d.ID, parts, share, whole)
			}
		}
	})
}

func TestAPartIsNeverMoreThanItsDeviceNorMemoryThatIsNotKnown(t *testing.T) {
	have := has(gpu("GPU-small", gib), gpu("GPU-unknown", 0))
	for _, c := range []struct {
		part   device.Part
		share  float64
		memory int64
	}{
		{device.Part{Device: "GPU-small", Memory: 2 * gib}, 1, gib},
		{device.Part{Device: "GPU-small", Share: 50}, 0.5, gib / 2},
		{device.Part{Device: "GPU-unknown", Share: 50}, 0.5, 0},
		{device.Part{Device: "GPU-small", Whole: true}, 1, 0},
	} {
		given := have.Given([]device.Part{c.part})[0]
		if _, told := given.Env[device.MemoryEnv]; given.Share != c.share || given.Memory != c.memory || told != (c.memory > 0) {
			t.Errorf("%+v is given as %+v, want the share %g and %d bytes", c.part, given, c.share, c.memory)
		}
	}
}

func TestADeviceIsNamedToAnInstanceByItsOwnIDOnly(t *testing.T) {
	have := has(gpu("GPU-a", gib), gpu("MIG-b", gib), gpu("0000:01:00.0", gib))
	for want, ids := range map[string][]string{"GPU-a,MIG-b": {"GPU-a", "MIG-b", "0000:01:00.0"}, "MIG-b": {"MIG-b"}, "": {"0000:01:00.0"}} {
		var parts []device.Part
		for _, id := range ids {
			parts = append(parts, device.Part{Device: id, Whole: true})
		}
		env := have.Given(parts)[0].Env
		if _, set := env["CUDA_VISIBLE_DEVICES"]; env["CUDA_VISIBLE_DEVICES"] != want || set != (want != "") {
			t.Errorf("of %q it is told %v, want %q", ids, env, want)
		}
	}
}

func TestAnInstanceIsToldOfItsDevicesAlone(t *testing.T) {
	have := has(gpu("GPU-a", 24*gib), gpu("GPU-b", 24*gib), device.Device{ID: "GPU-c", Vendor: device.AMD, Memory: gib, Nodes: []string{"/dev/dri/renderD128"}})
	given := have.Given([]device.Part{{Device: "GPU-a", Whole: true}, {Device: "GPU-b", Whole: true}, {Device: "gone", Whole: true}})
	if len(given) != 2 || given[0].Env["CUDA_VISIBLE_DEVICES"] != "GPU-a,GPU-b" || given[1].Env["NVIDIA_VISIBLE_DEVICES"] != "GPU-a,GPU-b" || given[0].Env[device.MemoryEnv] != "" {
		t.Errorf("two are given as %+v", given)
	}
	part := have.Given([]device.Part{{Device: "GPU-c", Share: 25}})
	if part[0].Share != 0.25 || part[0].Memory != gib/4 || part[0].Env[device.MemoryEnv] != "268435456" || part[0].Env["ROCR_VISIBLE_DEVICES"] != "GPU-c" || part[0].Env["HIP_VISIBLE_DEVICES"] != "0" {
		t.Errorf("a quarter is given as %+v", part)
	}
}
