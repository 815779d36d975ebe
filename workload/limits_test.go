package workload

import (
	"testing"
)

func TestQuantities(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "500m": 500, "2": 2000, "0.25": 250, "1m": 1} {
		if got, ok := ParseCPU(text); got != want || !ok {
			t.Errorf("cpu %q is %d, %v", text, got, ok)
		}
	}
	for text, want := range map[string]int64{"": 0, "1": 1, "256Mi": 256 << 20, "2Gi": 2 << 30, "5M": 5e6, "8k": 8000, "1.5Gi": 3 << 29} {
		if got, ok := ParseBytes(text); got != want || !ok {
			t.Errorf("memory %q is %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{"0", "-1", "x", "1 ", "NaN", "Inf", "m", "1e30"} {
		if _, ok := ParseCPU(text); ok {
			t.Errorf("cpu %q is taken", text)
		}
	}
	for _, text := range []string{"0", "-1Mi", "Mi", "0.0Gi", "1e3", "NaN", "Inf", "0x1p4", "99999999999.5Gi", "9999999999Gi", "1KiB"} {
		if _, ok := ParseBytes(text); ok {
			t.Errorf("memory %q is taken", text)
		}
	}
}
