package workload

import "testing"

func TestALimitIsShownAsPeopleReadIt(t *testing.T) {
	for _, c := range []struct{ name, recorded, want string }{
		{MemoryLimit, "201326592", "192 MiB"},
		{SwapLimit, "201326592", "192 MiB"},
		{SwapLimit, "0", "no swap"},
		{CPULimit, "1000 thousandths of a core", "1 core"},
		{CPULimit, "250 thousandths of a core", "0.25 cores"},
		{CPULimit, "-1 100000", "-1 100000"},
		{MemoryLimit, "no control group says so", "no control group says so"},
		{MemoryLimit, "max", "max"},
		{ProcessLimit, "512", "512"},
		{NonRoot, "user 200000", "user 200000"},
	} {
		if got := (Protection{Name: c.name, Detail: c.recorded}).Shown(); got != c.want {
			t.Errorf("%s of %q is shown as %q, want %q", c.name, c.recorded, got, c.want)
		}
	}
}
