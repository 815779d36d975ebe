package quantity

import (
	"testing"
)

func TestAmountsAreReadAsAppFilesWriteThem(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "500m": 500, "2": 2000, "0.25": 250, "0.5": 500, "1.25": 1250, "1m": 1} {
		if got, ok := ParseCPU(text); got != want || !ok {
			t.Errorf("cpu %q is %d, %v", text, got, ok)
		}
	}
	for text, want := range map[string]int64{"": 0, "1": 1, "256Mi": 256 << 20, "2Gi": 2 << 30, "5M": 5e6, "8k": 8000, "1.5Gi": 3 << 29, "1000": 1000, "1Ti": 1 << 40} {
		if got, ok := ParseBytes(text); got != want || !ok {
			t.Errorf("memory %q is %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{"0", "-1", "x", "1 ", "NaN", "Inf", "m", "0m", "1.5m", "0x1", "1e30"} {
		if _, ok := ParseCPU(text); ok {
			t.Errorf("cpu %q is taken", text)
		}
	}
	for _, text := range []string{"0", "-1Mi", "Mi", "0.0Gi", "1e3", "NaN", "Inf", "0x1p4", "99999999999.5Gi", "9999999999Gi", "1KiB", "1GB", "1 Gi", "1e9", "999999999999999Ti"} {
		if _, ok := ParseBytes(text); ok {
			t.Errorf("memory %q is taken", text)
		}
	}
}

func TestAmountsReadAsInTheFile(t *testing.T) {
	const gi = 1 << 30
	for n, want := range map[int64]string{0: "0", 512 << 20: "512Mi", 24 * gi: "24Gi", 15*gi + 200<<20: "15.2Gi", -gi: "-1Gi", gi - 4096: "1Gi", 1 << 41: "2Ti"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{500: "0.5", 2000: "2", 10000: "10", 1: "0.001", 0: "0"} {
		if got := CPU(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
